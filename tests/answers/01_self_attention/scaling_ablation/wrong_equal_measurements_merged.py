"""Mistake: two equal measurements become one row
Message: drop no duplicates
"""

import itertools

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows = [
        (d, scaled, seed, step, accuracy)
        for d, seed in itertools.product(head_dims, seeds)
        for scaled in (False, True)
        for step, accuracy in train_fn(d, scaled, seed)
    ]
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"]).drop_duplicates(ignore_index=True)
