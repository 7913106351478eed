"""Mistake: a generator of seeds is empty after the first head dimension
Message: may be generators
"""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows = [
        (d, scaled, seed, step, accuracy)
        for d in head_dims
        for seed in seeds
        for scaled in (False, True)
        for step, accuracy in train_fn(d, scaled, seed)
    ]
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
