"""Columns gathered apart; sorted at the end."""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    table = {name: [] for name in ("seed", "head_dim", "scaled", "accuracy", "step")}
    seeds = tuple(seeds)
    for d in list(head_dims)[::-1]:
        for s in seeds:
            for flag in [False, True]:
                curve = train_fn(d, flag, s)
                table["step"] += [step for step, _ in curve]
                table["accuracy"] += [a for _, a in curve]
                table["head_dim"] += [d] * len(curve)
                table["scaled"] += [flag] * len(curve)
                table["seed"] += [s] * len(curve)
    return pd.DataFrame(table).sort_values(["accuracy", "seed"])
