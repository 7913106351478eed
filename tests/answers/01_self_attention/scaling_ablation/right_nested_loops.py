"""Nested loops, a list of tuples."""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows, seeds = [], list(seeds)
    for head_dim in head_dims:
        for seed in seeds:
            for scaled in (True, False):
                for step, accuracy in train_fn(head_dim, scaled, seed):
                    rows.append((head_dim, scaled, seed, step, accuracy))
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
