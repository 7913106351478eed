"""Mistake: returns the rows, no DataFrame.
Message: DataFrame
"""


def scaling_ablation(train_fn, head_dims, seeds):
    rows = []
    for head_dim in head_dims:
        for seed in seeds:
            for scaled in (True, False):
                for step, accuracy in train_fn(head_dim, scaled, seed):
                    rows.append((head_dim, scaled, seed, step, accuracy))
    return rows
