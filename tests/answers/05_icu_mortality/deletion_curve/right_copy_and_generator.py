"""A frozen copy of the model and one random ranking by the random module."""

import copy
import random


def deletion_curve(model, stay_batch, ranking, steps):
    twin = copy.deepcopy(model).eval().requires_grad_(False)
    ranking = np.asarray(ranking).astype(int)
    n = ranking.size
    other = ranking.copy().tolist()
    random.Random(7).shuffle(other)
    out = {"k": [], "n_removed": [], "risk": [], "risk_random": []}
    rank_of = {}
    for which, order in (("risk", ranking.tolist()), ("risk_random", other)):
        for k in range(steps + 1):
            removed = set(order[: k * n // steps])
            keep = torch.tensor([[bool(v) and i not in removed for i, v in enumerate(stay_batch["is_event"][0])]])
            with torch.no_grad():
                value = twin(stay_batch["events"].clone(), stay_batch["static"].clone(), keep).sigmoid().item()
            out[which].append(value)
            if which == "risk":
                out["k"].append(k)
                out["n_removed"].append(len(removed))
    for recorded in ("grad_modes", "modes"):
        if hasattr(twin, recorded):
            getattr(model, recorded, []).extend(getattr(twin, recorded))
    return pd.DataFrame(out)
