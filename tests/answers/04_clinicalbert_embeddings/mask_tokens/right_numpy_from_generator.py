"""NumPy's draws, seeded each time by a number from the generator."""


def mask_tokens(input_ids, special, mask_id, vocab_size, generator, share=0.15):
    seed = int(torch.randint(2**31, (1,), generator=generator))
    rng = np.random.default_rng(seed)
    ids, kept_out = input_ids.numpy(), special.numpy()
    chosen = (rng.random(ids.shape) < share) & ~kept_out
    fate = rng.random(ids.shape)
    inputs = np.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = np.where(chosen & (fate > 0.9), rng.integers(vocab_size, size=ids.shape), inputs)
    labels = np.where(chosen, ids, -100)
    return torch.from_numpy(inputs).long(), torch.from_numpy(labels).long()
