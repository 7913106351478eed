"""Mistake: The numbers that chose decide the fate too.
Message: one random number decides both
"""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    draw = torch.rand(input_ids.shape, generator=generator)
    chosen = (draw < share) & ~special
    labels = torch.where(chosen, input_ids, -100)
    words = torch.randint(vocab_size, input_ids.shape, generator=generator)
    inputs = torch.where(chosen & (draw < 0.8), mask_id, input_ids)
    inputs = torch.where(chosen & (draw >= 0.9), words, inputs)
    return inputs, labels
