"""Mistake: smooths the curve.
Message: accuracy
"""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows = []
    for head_dim in head_dims:
        for seed in seeds:
            for scaled in (True, False):
                for step, accuracy in train_fn(head_dim, scaled, seed):
                    rows.append((head_dim, scaled, seed, step, accuracy))
    table = pd.DataFrame(rows)
    rows = table.assign(**{"4": 0})[[0, 1, 2, 3]].assign(a=table[4].rolling(2, min_periods=1).mean()).to_numpy().tolist()
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
