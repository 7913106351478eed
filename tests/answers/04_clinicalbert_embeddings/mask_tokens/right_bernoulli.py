"""Probabilities and Bernoulli draws, as the transformers library does it."""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    labels = input_ids.clone()
    probability = torch.full(labels.shape, share)
    probability.masked_fill_(special, 0.0)
    chosen = torch.bernoulli(probability, generator=generator).bool()
    labels[~chosen] = -100
    inputs = input_ids.clone()
    masked = torch.bernoulli(torch.full(labels.shape, 0.8), generator=generator).bool() & chosen
    inputs[masked] = mask_id
    half = torch.bernoulli(torch.full(labels.shape, 0.5), generator=generator).bool()
    swapped = half & chosen & ~masked
    inputs[swapped] = torch.randint(vocab_size, labels.shape, generator=generator)[swapped]
    return inputs, labels
