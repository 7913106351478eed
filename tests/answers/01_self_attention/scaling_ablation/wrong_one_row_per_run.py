"""Mistake: keeps the whole curve in one cell.
Message: row
"""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows = []
    for head_dim in head_dims:
        for seed in seeds:
            for scaled in (True, False):
                curve = train_fn(head_dim, scaled, seed)
                steps, accuracies = zip(*curve)
                rows.append((head_dim, scaled, seed, list(steps), list(accuracies)))
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
