"""One random number decides both: thresholds at shares of the share."""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    draw = torch.rand(input_ids.shape, dtype=torch.float64, generator=generator)
    draw = torch.where(special, torch.inf, draw)
    chosen = draw < share
    inputs = input_ids.clone()
    inputs[draw < 0.8 * share] = mask_id
    other = (draw >= 0.8 * share) & (draw < 0.9 * share)
    inputs[other] = torch.randint(0, vocab_size, (int(other.sum()),), generator=generator)
    labels = torch.full_like(input_ids, -100)
    labels[chosen] = input_ids[chosen]
    return inputs, labels
