"""Mistake: Exactly the share of each row is chosen.
Message: a fixed number a row
"""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    inputs, labels = input_ids.clone(), torch.full_like(input_ids, -100)
    for row in range(len(input_ids)):
        ordinary = (~special[row]).nonzero().squeeze(1)
        order = torch.randperm(len(ordinary), generator=generator)
        chosen = ordinary[order[: round(share * len(ordinary))]]
        labels[row, chosen] = input_ids[row, chosen]
        fate = torch.rand(len(chosen), generator=generator)
        inputs[row, chosen[fate < 0.8]] = mask_id
        swap = chosen[fate >= 0.9]
        inputs[row, swap] = torch.randint(vocab_size, swap.shape, generator=generator)
    return inputs, labels
