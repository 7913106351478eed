"""Mistake: keeps only steps that all runs have.
Message: row
"""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    rows = []
    for head_dim in head_dims:
        for seed in seeds:
            for scaled in (True, False):
                for step, accuracy in train_fn(head_dim, scaled, seed):
                    rows.append((head_dim, scaled, seed, step, accuracy))
    n = min(sum(r[:3] == q[:3] for r in rows) for q in rows)
    seen = {}
    kept = []
    for r in rows:
        seen[r[:3]] = seen.get(r[:3], 0) + 1
        if seen[r[:3]] <= n:
            kept.append(r)
    rows = kept
    return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
