"""Places of the chosen, shuffled fates by multinomial draws."""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    ordinary = (~special).flatten().nonzero().squeeze(1)
    places = ordinary[torch.rand(len(ordinary), generator=generator) < share]
    inputs = input_ids.reshape(-1).clone()
    labels = torch.full_like(inputs, -100)
    labels[places] = inputs[places]
    if len(places):
        fates = torch.multinomial(
            torch.tensor([0.8, 0.1, 0.1]), len(places), replacement=True, generator=generator
        )
        inputs[places[fates == 0]] = mask_id
        swap = places[fates == 1]
        inputs[swap] = torch.randint(vocab_size, swap.shape, generator=generator)
    return inputs.view(input_ids.shape), labels.view(input_ids.shape)
