"""What notebook 04 asks of exposure: the rank of a secret among all candidates, in bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.outcomes import error_of
from course_utils.checks.clinicalbert_embeddings.registry import NOTEBOOK
from course_utils.checks.compare import same
from course_utils.checks.core import describe, require

__all__ = ["compare_exposure", "exposure"]


def compare_exposure(answer: Any, losses: Any, secret: int, what: str) -> None:
    """Compare an answer with the exposure counted candidate by candidate."""
    values = torch.as_tensor(losses).detach()
    values = values.tolist()
    n, mine = len(values), values[secret]
    rank = sum(not other > mine for other in values)
    below = 1 + sum(other < mine for other in values)
    above = sum(not other < mine for other in values)
    others = max(1, sum(not other > mine for other in values) - 1)
    got = call(answer, losses, secret)
    require(got is not None, f"{what}: got None.", "is there a `return`?")
    require(
        isinstance(got, float | np.floating),
        f"{what}: expected a float, got {type(got).__name__} {describe(got)}.",
        "`.item()` or `float(...)` at the end",
    )
    want = math.log2(n) - math.log2(rank)
    mistakes = {
        "who has the secret's own loss counts too: not above, that is `<=`": math.log2(n / below),
        "the smallest loss has rank 1: the model likes best what costs it least": math.log2(
            n / above
        ),
        "the secret itself counts: the rank begins at 1": math.log2(n / others),
        "bits: `log2`, not the natural logarithm": math.log(n / rank),
        "log2(n) minus log2(rank), not the rank's logarithm alone": math.log2(rank),
        "the sign: a secret at the top has the most bits": -want,
        "a share of candidates: take log2 of it": n / rank,
        "log10 counts digits, log2 bits": math.log10(n / rank),
        "`secret` counts from 0": _shifted(values, secret),
    }
    same(got, want, what, rtol=1e-6, atol=1e-9, mistakes=mistakes)


def _shifted(values: list[float], secret: int) -> float:
    mine = values[secret - 1]
    return math.log2(len(values)) - math.log2(sum(not other > mine for other in values))


@NOTEBOOK.exercise(points=3)
def exposure(answer: Any) -> str:
    """Check the exposure of a secret."""
    losses = torch.tensor([2.5, 0.5, 4.0, 1.0, 3.5, 3.0, 0.75, 2.0])
    for secret in (5, 0, 1, 2, 7):
        compare_exposure(answer, losses, secret, f"the exposure of candidate {secret} of 8")
    compare_exposure(answer, losses.double().numpy(), 6, "the exposure from an array")
    ties = torch.tensor([1.0, 2.0, 2.0, 2.0, 3.0, 0.5, 2.0, 4.0])
    compare_exposure(answer, ties, 2, "the exposure of one of four equal losses")
    compare_exposure(answer, torch.full((16,), 1.5), 3, "the exposure when all losses are equal")
    compare_exposure(answer, torch.tensor([7.0]), 0, "the exposure of the only candidate")
    compare_exposure(answer, torch.tensor([1.0, math.inf, 2.0]), 0, "beside an infinite loss")
    leaf = losses.clone().requires_grad_()
    compare_exposure(answer, leaf, 3, "the exposure from losses that have a gradient")
    error_of(answer, torch.tensor([1.0, math.nan, 2.0]), 0, naming="", why="a loss that is nan")
    return "rank 1 at the smallest loss, ties, bits, arrays and tensors, one candidate, inf, nan"
