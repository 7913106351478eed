"""Comparing positions, losses and scores with trusted values, and naming the mistake."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import CheckFailed, fail, require
from course_utils.checks.self_attention.comparisons import NEAR, ROUGH, kind_of, same_shape
from course_utils.checks.tensors import gradients, options

__all__ = ["compare_code", "compare_f1", "compare_loss"]


def _code_mistakes(n: int, d: int) -> dict[str, Tensor]:
    p, column = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(d).double()
    i = torch.div(column, 2, rounding_mode="floor")

    def code(
        exponent: Tensor, p: Tensor = p, turn: Tensor = column % 2, base: float = 1e4
    ) -> Tensor:
        return torch.sin(p * base**-exponent + turn * math.pi / 2)

    half = (d + 1) // 2
    cut = d - d % 2
    j = torch.cat([torch.arange(half), torch.arange(d - half)]).double()
    rates = 1e4 ** (-2 * i / d)
    last = code(2 * i / d)
    last_zero, last_cosine = last.clone(), last.clone()
    if d % 2:
        last_zero[:, -1] = 0
        last_cosine[:, -1] = torch.cos(p * rates[-1])[:, 0]
    return {
        "sines and cosines stand in two halves; interleave them: sine in columns 0, 2, 4, …": code(
            2 * j / d, turn=(torch.arange(d) >= half).double()
        ),
        "sine and cosine are swapped: column 0 is a sine": code(2 * i / d, turn=1 - column % 2),
        "the first position is 0, not 1": code(2 * i / d, p + 1),
        "the exponent is 2i/d_model, here it is i/d_model": code(i / d),
        "the exponent is 2i/d_model, and `arange(0, d_model, 2)` is 2i already": code(4 * i / d),
        "the cosine of a pair uses the same angle as its sine, exponent 2i/d_model": code(
            column / d
        ),
        "the base is 10000": code(2 * i / d, base=1e3),
        "the rate is inverted: divide the position by 10000^(2i/d_model)": code(-2 * i / d),
        "degrees: sine and cosine take radians": code(2 * i / d, p * math.pi / 180, column % 2),
        "the exponent divides by d_model, not by d_model - 2": code(2 * i / max(d - 2, 1)),
        "the code has no further scale": last / math.sqrt(d),
        "with an odd d_model the last column is a sine, here it is zero": last_zero,
        "with an odd d_model the last column is a sine, here it is a cosine": last_cosine,
        "with an odd d_model the exponent still divides by d_model itself": code(
            2 * i / max(cut, 1)
        ),
        "with an odd d_model the exponent divides by d_model itself, not by the next even": code(
            2 * i / (d + d % 2)
        ),
        "low precision: angles grow to 500, so compute them in float32 or better": torch.sin(
            p * rates.half().double() + (column % 2) * math.pi / 2
        ),
    }


def compare_code(answer: Callable[..., Any], max_len: int, d_model: int) -> None:
    """Compare a position code with the formula, worked out entry by entry."""
    got = call(answer, max_len, d_model)
    require(
        isinstance(got, Tensor),
        f"Expected a tensor, got {kind_of(got)}.",
        "`torch.from_numpy` turns an array into a tensor",
    )
    angle = [[p / 10000 ** (c // 2 * 2 / d_model) for c in range(d_model)] for p in range(max_len)]
    want = torch.tensor(
        [[(math.sin, math.cos)[c % 2](a) for c, a in enumerate(row)] for row in angle]
    )
    same_shape(got, want, f"max_len={max_len}, d_model={d_model}", "(max_len, d_model), no batch")
    require(
        not got.requires_grad,
        "The code carries a gradient.",
        "it is a fixed table, not a parameter; the gradient is for things that learn",
    )
    what = f"the code of max_len={max_len}, d_model={d_model}"
    same(got, want, what, rtol=0, atol=1e-4, mistakes=_code_mistakes(max_len, d_model))


def _loss_mistakes(z: Tensor, y: Tensor, w: Tensor | None) -> dict[str, Tensor]:
    y = y.to(z.dtype)
    weight = torch.ones_like(z[0]) if w is None else w.to(z.dtype)
    hit, miss = F.softplus(-z), F.softplus(z)
    terms = weight * y * hit + (1 - y) * miss
    p = z.sigmoid().clamp(1e-7, 1 - 1e-7)
    cut = z.clamp(-50, 50)
    found = {
        "this is the sum over all entries; the mean is wanted": terms.sum(),
        "summed over the classes: the mean goes over all B·C entries": terms.sum(1).mean(),
        "summed over the batch: the mean goes over all B·C entries": terms.mean(1).sum(),
        "the sign: the loss is minus the log-likelihood": -terms.mean(),
        "the negative term, (1 − y)·log(1 − p), is missing": (weight * y * hit).mean(),
        "labels 0 and 1 are swapped": (weight * (1 - y) * hit + y * miss).mean(),
        "a softmax lets the labels exclude each other; every label has a sigmoid of its own": (
            -weight * y * z.log_softmax(-1)
        ).mean(),
        "a natural logarithm is wanted": terms.mean() / math.log(2),
        "clamped probabilities cannot show how wrong a large logit is; start from "
        "F.logsigmoid or F.softplus": -(weight * y * p.log() + (1 - y) * (1 - p).log()).mean(),
        "clamped logits lose the size of a large one (and its gradient)": (
            weight * y * F.softplus(-cut) + (1 - y) * F.softplus(cut)
        ).mean(),
        "the squared error; the log of the probability is wanted": ((z.sigmoid() - y) ** 2).mean(),
    }
    if w is not None:
        found |= {
            "pos_weight multiplies both terms; it belongs to the positive one alone": (
                weight * (y * hit + (1 - y) * miss)
            ).mean(),
            "pos_weight multiplies the negative term; it belongs to the positive one": (
                y * hit + weight * (1 - y) * miss
            ).mean(),
            "pos_weight is not used": (y * hit + (1 - y) * miss).mean(),
            "normalised by the sum of the weights: divide by B·C, as without them": terms.sum()
            / (weight * y + 1 - y).sum(),
            "pos_weight is normalised first; use it as it is": (
                weight / weight.mean() * y * hit + (1 - y) * miss
            ).mean(),
            "every class has its own entry in pos_weight; here all share one": (
                weight.mean() * y * hit + (1 - y) * miss
            ).mean(),
        }
    return found


def compare_loss(
    answer: Callable[..., Any], logits: Tensor, labels: Tensor, pos_weight: Tensor | None = None
) -> None:
    """Compare a loss and its gradient with :class:`torch.nn.BCEWithLogitsLoss`."""
    logits = logits.detach().clone().requires_grad_()
    exact = logits.double()
    w = None if pos_weight is None else pos_weight.double()
    want = nn.BCEWithLogitsLoss(pos_weight=w)(exact, labels.double()).to(logits.dtype)
    args, named = options(answer, **({} if pos_weight is None else {"pos_weight": pos_weight}))
    got = call(answer, logits, labels, *args, **named)
    kind = "" if pos_weight is None else ", with pos_weight"
    what = f"the loss of {str(labels.dtype).removeprefix('torch.')} labels{kind}"
    near = NEAR if logits.dtype in (torch.float32, torch.float64) else ROUGH
    large = float(logits.detach().abs().max()) >= 100
    if large:
        what += ", logits of ±1000,"
    require(
        isinstance(got, Tensor),
        f"Expected a 0-d tensor, got {kind_of(got)}.",
        "a number of Python has no gradient: leave `.item()` to the caller",
    )
    require(
        got.dim() == 0,
        f"Expected a 0-d tensor, got shape {tuple(got.shape)}.",
        "average over all entries: `.mean()` without a dimension",
    )
    if large and not torch.isfinite(got):
        fail(
            f"At logits of ±1000 the loss is {got.item()}, torch has {want.item():.6g}.",
            "the log of a sigmoid that is 0, or an exp that overflows: use F.logsigmoid, "
            "F.softplus or torch.logaddexp",
        )
    with torch.no_grad():
        mistakes = _loss_mistakes(logits, labels, pos_weight)
    if got.dtype != want.dtype and pos_weight is not None and got.dtype == pos_weight.dtype:
        fail(
            f"Expected {what} with dtype {want.dtype}, got {got.dtype}.",
            "pos_weight's dtype leaks into the loss: `pos_weight.to(logits.dtype)`",
        )
    same(got, want, what, mistakes=mistakes, **near)
    found = gradients(got, [logits], "the loss")[0]
    expected = torch.autograd.grad(want, logits)[0]
    same(found, expected, f"the gradient of {what}", **near)


def _f1_mistakes(y: np.ndarray, p: np.ndarray) -> dict[str, dict[str, Any]]:
    tp, fp, fn = (y & p).sum(0), (~y & p).sum(0), (y & ~p).sum(0)
    with np.errstate(all="ignore"):
        f1 = 2 * tp / (2 * tp + fp + fn)
        precision, recall = tp / (tp + fp), tp / (tp + fn)
    score = np.nan_to_num(f1)
    mean_p, mean_r = np.nan_to_num(precision).mean(), np.nan_to_num(recall).mean()
    support = y.sum(0)
    micro = 2 * tp.sum() / max(2 * tp.sum() + fp.sum() + fn.sum(), 1)
    rows = 2 * (y & p).sum(1) / np.maximum(y.sum(1) + p.sum(1), 1)
    some, harmonic = f1[~np.isnan(f1)], 2 * mean_p * mean_r / max(mean_p + mean_r, 1e-12)
    return {
        "per_class": {
            "an undefined score (no positives, none predicted) is 0, not nan": f1,
            "an undefined score is 0, not 1": np.where(np.isnan(f1), 1.0, f1),
            "this is precision, not F1": np.nan_to_num(precision),
            "this is recall, not F1": np.nan_to_num(recall),
            "the accuracy of each class, not F1": (y == p).mean(0),
            "intersection over union, not F1: TP counts twice": tp / np.maximum(tp + fp + fn, 1),
            "F1 is 2·TP / (2·TP + FP + FN): the two is missing above": score / 2,
            "arithmetic mean of precision and recall; F1 is the harmonic one": (
                np.nan_to_num(precision) + np.nan_to_num(recall)
            )
            / 2,
            "rounded: leave all the digits": score.round(2),
            "percent, where a number from 0 to 1 is wanted": 100 * score,
            "scores of the zeros; 1 is the positive class": (
                2 * (~y & ~p).sum(0) / np.maximum((~y).sum(0) + (~p).sum(0), 1)
            ),
            "labels were compared with themselves, not with the predictions": (
                y.any(0).astype(float)
            ),
        },
        "macro": {
            "micro and macro are swapped": micro,
            "classes with an undefined score count as 0 in the mean; here they are left out": (
                some.mean() if some.size else 0.0
            ),
            "macro is the mean over all classes, those without a positive label too": (
                score[support > 0].mean() if (support > 0).any() else 0.0
            ),
            "macro is the mean of the per-class scores, not the score of the mean precision and "
            "mean recall": harmonic,
            "macro has no weights: every class counts the same": (
                (score * support).sum() / max(support.sum(), 1)
            ),
            "macro averages over classes; this averages over samples": rows.mean(),
        },
        "micro": {
            "micro and macro are swapped": score.mean(),
            "micro counts ones only; with the zeros it becomes the accuracy": (y == p).mean(),
            "micro pools the counts of all classes, it is no mean": (
                (score * support).sum() / max(support.sum(), 1)
            ),
        },
    }


@functools.lru_cache
def _f1_of(labels: bytes, predictions: bytes, n_classes: int) -> tuple[tuple[float, ...], float]:
    """Per-class scores and the pooled one from scikit-learn, kept for the next dtype."""
    from sklearn.metrics import f1_score

    y, p = (np.frombuffer(z, dtype=bool).reshape(-1, n_classes) for z in (labels, predictions))
    each = tuple(float(f1_score(a, b, zero_division=0.0)) for a, b in zip(y.T, p.T, strict=True))
    return each, float(f1_score(y.ravel(), p.ravel(), zero_division=0.0))


def compare_f1(answer: Callable[..., Any], labels: Any, predictions: Any) -> None:
    """Compare scores with scikit-learn's, class by class; an undefined one is 0."""
    y, p = np.asarray(labels).astype(bool), np.asarray(predictions).astype(bool)
    score, micro = _f1_of(y.tobytes(), p.tobytes(), y.shape[1])
    kind = "tensors" if isinstance(labels, Tensor) else "numpy arrays"
    kind = f"{kind} {y.shape} {str(labels.dtype).removeprefix('torch.')}"
    try:
        got = call(answer, labels, predictions)
    except CheckFailed as error:
        if y.shape[1] == 1 and "It raised" in str(error):
            fail(
                "\n".join(line.strip() for line in str(error).splitlines()[1:3]),
                "C = 1: one class is still a column of its own, (B, 1); per_class has one score",
            )
        if "ZeroDivision" in str(error):
            fail(f"It raised ZeroDivisionError for {kind}.", "an undefined score is 0: 0/0")
        raise
    keys = ("micro", "macro", "per_class")
    require(isinstance(got, dict), f"Expected a dict, got {kind_of(got)}.", f"a dict with {keys}")
    missing = [key for key in keys if key not in got]
    require(
        not missing, f"The dict has no {', '.join(missing)}; it has {', '.join(map(str, got))}."
    )
    per_class = got["per_class"]
    if isinstance(per_class, dict) or not hasattr(per_class, "__len__"):
        fail(f"Expected per_class as a sequence of {y.shape[1]} scores, got {kind_of(per_class)}.")
    mistakes = _f1_mistakes(y, p)
    one = "" if y.shape[1] > 1 else " with C = 1"
    if len(per_class) != len(score):
        fail(
            f"Expected per_class with {len(score)} scores{one}, got {len(per_class)} ({kind}).",
            "with C = 1 scikit-learn scores both classes of a binary task, zeros too: hand it one "
            "class at a time"
            if one
            else "count over the samples, axis 0: one score a class",
        )
    what = f"per_class{one} of {kind}"
    if kind.endswith("int8") and len(y) > 100:
        mistakes["per_class"] = {}
        what += " (does a small integer overflow?)"
    values = np.array([float(value) for value in per_class])
    same(values, np.array(score), what, mistakes=mistakes["per_class"], **NEAR)
    for key, want in (("macro", float(np.mean(score))), ("micro", float(micro))):
        number = np.asarray(got[key])
        require(number.size == 1, f"Expected {key} as one number, got {kind_of(got[key])}.")
        same(float(got[key]), want, f"{key}{one} of {kind}", mistakes=mistakes[key], **NEAR)
