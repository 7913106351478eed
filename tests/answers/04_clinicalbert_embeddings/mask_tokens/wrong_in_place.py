"""Mistake: The ids that were given are masked in place.
Message: was changed
"""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    chosen = (torch.rand(input_ids.shape, generator=generator) < share) & ~special
    labels = torch.where(chosen, input_ids, -100)
    fate = torch.rand(input_ids.shape, generator=generator)
    words = torch.randint(vocab_size, input_ids.shape, generator=generator)
    input_ids[chosen & (fate < 0.8)] = mask_id
    swap = chosen & (fate >= 0.9)
    input_ids[swap] = words[swap]
    return input_ids, labels
