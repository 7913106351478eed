"""Mistake: pairs head dimensions with seeds instead of crossing them.
Message: combination
"""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows = []
    for head_dim, seed in zip(head_dims, seeds):
        for scaled in (True, False):
            for step, accuracy in train_fn(head_dim, scaled, seed):
                rows.append((head_dim, scaled, seed, step, accuracy))
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
