"""One frame a run, concatenated."""

import pandas as pd


def scaling_ablation(train_fn, head_dims, seeds) -> pd.DataFrame:
    frames = []
    head_dims = list(head_dims)
    for seed in seeds:
        for head_dim in head_dims:
            pair = {s: train_fn(head_dim=head_dim, scaled=s, seed=seed) for s in (True, False)}
            for scaled, curve in pair.items():
                frame = pd.DataFrame(curve, columns=["step", "accuracy"])
                frames.append(frame.assign(head_dim=head_dim, scaled=scaled, seed=seed))
    return pd.concat(frames)
