"""Mistake: step and accuracy the wrong way round.
Message: step
"""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows = []
    for head_dim in head_dims:
        for seed in seeds:
            for scaled in (True, False):
                for accuracy, step in train_fn(head_dim, scaled, seed):
                    rows.append((head_dim, scaled, seed, step, accuracy))
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
