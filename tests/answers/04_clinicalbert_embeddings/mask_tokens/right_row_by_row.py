"""A loop over rows."""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    inputs, labels = input_ids.clone(), torch.full_like(input_ids, -100)
    for row in range(len(input_ids)):
        u = torch.rand(3, input_ids.shape[1], generator=generator)
        chosen = (u[0] < share) & ~special[row]
        labels[row, chosen] = input_ids[row, chosen]
        inputs[row, chosen & (u[1] >= 0.2)] = mask_id
        swap = chosen & (u[1] < 0.1)
        inputs[row, swap] = (u[2, swap].double() * vocab_size).long()
    return inputs, labels
