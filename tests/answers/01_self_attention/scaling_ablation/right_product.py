"""itertools.product and dictionaries."""

import itertools

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    return pd.DataFrame(
        dict(head_dim=d, scaled=scaled, seed=seed, step=step, accuracy=accuracy)
        for scaled, seed, d in itertools.product([False, True], seeds, head_dims)
        for step, accuracy in train_fn(d, scaled, seed)
    )
