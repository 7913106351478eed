"""A generator and from_records; index of its own and one column more."""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds):
    head_dims, seeds = [*head_dims], [*seeds]

    def runs():
        for scaled in (True, False):
            for head_dim in head_dims:
                for seed in seeds:
                    for step, accuracy in train_fn(head_dim, scaled, seed):
                        yield {
                            "accuracy": accuracy,
                            "seed": seed,
                            "scaled": scaled,
                            "step": step,
                            "head_dim": head_dim,
                        }

    return pd.DataFrame.from_records(list(runs())).sample(frac=1, random_state=0)
