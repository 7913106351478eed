"""Mistake: 10 % of what is not masked is replaced.
Message: not of those that are not masked
"""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    chosen = (torch.rand(input_ids.shape, generator=generator) < share) & ~special
    labels = torch.where(chosen, input_ids, -100)
    fate = torch.rand(input_ids.shape, generator=generator)
    words = torch.randint(vocab_size, input_ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, input_ids)
    inputs = torch.where(chosen & (fate >= 0.98), words, inputs)
    return inputs, labels
