"""Visible checks of notebook 05: from events in SQL to explanations that can be scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from course_utils.checks.compare import same
from course_utils.checks.core import require
from course_utils.checks.icu_mortality import deletion as removal
from course_utils.checks.icu_mortality import explaining as why
from course_utils.checks.icu_mortality import flow
from course_utils.checks.icu_mortality import models as small
from course_utils.checks.icu_mortality import risk as risks
from course_utils.checks.icu_mortality import tables as sql
from course_utils.checks.icu_mortality.alone import call_alone
from course_utils.checks.icu_mortality.audit import audit_checks
from course_utils.checks.icu_mortality.pooling import pooling_checks
from course_utils.checks.notebook import Notebook

__all__ = ["NOTEBOOK", "summary"]

NOTEBOOK = Notebook("05_icu_mortality", written=5)
summary = NOTEBOOK.summary


@NOTEBOOK.exercise(points=8)
def EVENT_UNION_SQL(answer: str) -> str:
    """Run the query on worked tables, where each row has its reason, and on synthetic stays."""
    from course_utils.data.icu import make_icu_stays

    tables, wanted, reasons = sql.worked_example()
    connection = sql.open_tables(tables)
    sql.compare_rows(sql.run_query(connection, answer), wanted, reasons)
    connection.close()
    stays = make_icu_stays(25, random_state=5, events_per_stay=40)
    sql.compare_rows(sql.run_query(stays.connection, answer), stays.events(), reasons)
    stays.connection.close()
    return "window, times, joins, texts, types and order on worked rows; 25 synthetic stays"


@NOTEBOOK.exercise(points=8)
def find_leaks(answer: Callable) -> str:
    """Audit builders whose leaks are known, with names that give nothing away."""
    audit_checks(answer, seed=0)
    return "future, split, both and neither; late static columns; missing values; other windows"


@NOTEBOOK.exercise(points=6)
def fit_preprocessor(answer: Callable) -> str:
    """Compare with hand-made numbers: three training stays, two new ones."""
    levels = ["Z", "C", "B", "A"]  # neither sorted nor all in use
    static = pd.DataFrame(
        {
            "unit": ["MICU", "CCU", "MICU"],
            "one": 1.0,
            "age": [50, 60, 70],
            "race": pd.Categorical(["B", "A", "C"], levels),
        },
        index=pd.Index([7, 3, 5], name="stay_id"),
    )
    events = pd.DataFrame(
        {
            "stay_id": [7, 7, 3, 5],
            "event_type": ["lab", "procedure", "lab", "lab"],
            "event_text": ["a", "b", "c", "d"],
            "minutes_since_admission": [0.0, 10.0, 20.0, 30.0],
        }
    )
    fitted = call_alone(answer, static, events)
    require(
        hasattr(fitted, "transform"),
        f"Expected an object with a method transform, got {type(fitted).__name__}.",
    )
    z = np.sqrt(1.5)
    want = np.array([[0, -z, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0, 0], [0, z, 0, 1, 0, 0, 1]])
    t = (np.array([0.0, 10, 20, 30]) - 15) / np.sqrt(125)
    want_events = np.array([[t[0], 1, 0], [t[1], 0, 1], [t[2], 1, 0], [t[3], 1, 0]])
    trained = (static, events, want, want_events)
    features(fitted, *trained, "the training stays", _coding_mistakes(want))
    new = pd.DataFrame(
        {"unit": ["SICU", "CCU"], "one": 1.0, "age": [90, 60], "race": ["A", "?"]}, index=[1, 2]
    )
    new_events = events.iloc[[1, 3]].assign(
        event_type=["ingredient", "procedure"], minutes_since_admission=[15.0, 2000.0]
    )
    want = np.array([[0, 3 * z, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0, 0]])
    late = (2000 - 15) / np.sqrt(125)
    features(
        fitted,
        new,
        new_events,
        want,
        np.array([[0, 0, 0], [late, 0, 1]]),
        "new stays, with an unknown category",
        hint="was it fitted again in transform? only training patients may teach it anything",
    )
    call_alone(answer, new, new_events)
    apart = "each object keeps what it was fitted on: self.…, not a global or a shared class"
    features(fitted, *trained, "the training stays, after another fit", hint=apart)
    return "order of the columns, scaling, unknown categories, a constant column, no refitting"


def _coding_mistakes(want: np.ndarray) -> dict[str, np.ndarray]:
    sample, mixed = want.copy(), want.copy()
    sample[:, 1] *= np.sqrt(2 / 3)
    mixed[:, [0, 1]] = want[:, [1, 0]]
    levels = want.copy()
    levels[:, 4:] = want[:, [6, 5, 4]]
    unused = np.concatenate([want, np.zeros((len(want), 1))], axis=1)
    return {
        "the sample deviation was used (ddof=1); here it is the population's": sample,
        "the numbers stand in the order of the columns": mixed,
        "each block is sorted by its values, not by the levels of a pandas categorical": levels,
        "only values that occur in training have a column, unused levels have none": unused,
    }


def features(
    fitted: Any,
    static: pd.DataFrame,
    events: pd.DataFrame,
    want_static: np.ndarray,
    want_events: np.ndarray,
    who: str,
    mistakes: Mapping[str, Any] | None = None,
    hint: str | None = None,
) -> None:
    """Compare both arrays that ``fitted.transform`` gives with the wanted ones."""
    got = call_alone(fitted.transform, static, events)
    require(
        isinstance(got, tuple | list) and len(got) == 2,
        f"Expected (static_features, event_features), got {type(got).__name__}.",
    )
    pairs = (("static features", got[0], want_static), ("event features", got[1], want_events))
    for name, array, want in pairs:
        require(
            isinstance(array, np.ndarray),
            f"Expected the {name} as a dense array, got {type(array).__name__}.",
            "OneHotEncoder(sparse_output=False), or .toarray()",
        )
        require(array.dtype == np.float32, f"Expected {name} as float32, got {array.dtype}.")
        known = dict(mistakes or {}) if name.startswith("static") else {}
        named = [w for w, v in known.items() if v.shape == array.shape != want.shape]
        require(
            array.shape == want.shape,
            f"Expected the {name} of {who} with shape {want.shape}, got {array.shape}.",
            hint or next(iter(named), None),
        )
        if hint and not np.allclose(array, want, atol=1e-4):
            known[hint] = array
        same(array, want, f"the {name} of {who}", rtol=1e-4, atol=1e-5, mistakes=known)


@NOTEBOOK.exercise(points=4)
def collate_stays(answer: Callable) -> str:
    """Pad three stays, one of them without events and one with an all-zero event."""
    stays = [
        small.stay(13, 2, 3, seed=1),
        small.stay(11, 0, 3, seed=2),
        small.stay(12, 4, 3, seed=3),
    ]
    stays[0]["events"][1] = 0  # a real event whose numbers happen to be zero
    batch_matches(call_alone(answer, stays), stays)
    batch_matches(call_alone(answer, stays[:1]), stays[:1])
    return "shapes, padding behind, mask, lengths, dtypes, a stay without events, a batch of one"


def batch_matches(batch: Any, stays: list[dict[str, Any]]) -> None:
    """Fail unless ``batch`` is the padded batch of ``stays``."""
    keys = [
        "stay_id",
        "events",
        "minutes_since_admission",
        "is_event",
        "lengths",
        "static",
        "outcome",
    ]
    require(isinstance(batch, dict), f"Expected a dict, got {type(batch).__name__}.")
    missing = [key for key in keys if key not in batch]
    require(
        not missing,
        f"Expected the keys {', '.join(keys)}.\nMissing: {', '.join(missing)}.",
        "a key was left out, or is spelt otherwise",
    )
    lengths = torch.tensor([len(s["events"]) for s in stays])
    width = int(lengths.max())
    same(batch["stay_id"], torch.tensor([s["stay_id"] for s in stays]), "stay_id")
    same(batch["lengths"], lengths, "lengths")
    mask = torch.stack([torch.arange(width) < n for n in lengths])
    flipped = {
        "True means a real event here, not padding": ~mask,
        "one place too many: position t is real if t < length": torch.stack(
            [torch.arange(width) <= n for n in lengths]
        ),
        "position t is real if t < length, not if t > length": torch.stack(
            [torch.arange(width) > n for n in lengths]
        ),
    }
    found = batch["events"].abs().sum(-1) > 0 if torch.is_tensor(batch["events"]) else mask
    if found.shape == mask.shape and not torch.equal(found, mask):
        flipped["the mask was guessed from zeros; a real event may be all zeros"] = found
    same(batch["is_event"], mask, "is_event", mistakes=flipped)
    for key in ("events", "minutes_since_admission"):
        want = torch.zeros(len(stays), width, *stays[0][key].shape[1:], dtype=stays[0][key].dtype)
        front = want.clone()
        for row, s in enumerate(stays):
            want[row, : len(s[key])] = s[key]
            front[row, width - len(s[key]) :] = s[key]
        same(batch[key], want, key, mistakes={"padding goes behind the events, not before": front})
    same(batch["static"], torch.stack([s["static"] for s in stays]), "static")
    outcome = torch.tensor([float(s["outcome"]) for s in stays])
    same(batch["outcome"], outcome, "outcome")


@NOTEBOOK.exercise(points=6, forbids=("AttentionPooling",))
def AttentionPooling(answer: type) -> str:
    """Check properties: sums, padding, order, heads, learned query, no events, gradients."""
    pooling_checks(answer, seed=0, d_model=8, num_heads=2, shape=(3, 5))
    return "weights by head, padding, order, a stay without events, gradients, both precisions"


@NOTEBOOK.exercise(points=5)
def recency_weighted_loss(answer: Callable) -> str:
    """Compare with numbers worked out by hand."""
    t = torch.tensor
    z, minutes = t([[2.0, -1.0]]), t([[60.0, 0.0]])
    real = t([[True, True]])
    a, b = 0.126928, 1.313262  # cross-entropy of logits 2 and −1 for outcome 1
    weights = (0.5, 1.0)
    want = t((weights[0] * a + weights[1] * b) / 1.5)
    mistakes = {
        "the recent events got the small weights: w = 2^(−minutes / half_life)": t(
            (a + b / 2) / 1.5
        ),
        "the weighted sum was not divided by the sum of the weights": t(0.5 * a + b),
        "divided by the number of events, not by the sum of the weights": t((0.5 * a + b) / 2),
        "e^(−minutes / half_life) halves nothing: the base is 2": t(
            (a / np.e + b) / (1 + 1 / np.e)
        ),
        "all events weigh the same": t((a + b) / 2),
    }
    got = call_alone(answer, z, t([1.0]), minutes, real, 60.0)
    require(torch.is_tensor(got) and got.dim() == 0, "Expected a 0-d tensor.")
    same(got, want, "the loss of logits 2, −1 at 60 and 0 minutes, half_life 60", mistakes=mistakes)
    loss_of_two(answer, a, b)
    loss_edges(answer, torch.float32)
    loss_kinds(answer)
    return "weights, mean over stays, padding, extreme logits and weights, no events, gradients"


def loss_of_two(answer: Callable, a: float, b: float) -> None:
    """Two stays of different length count the same; a third without events does not count."""
    t = torch.tensor
    z = t([[2.0, -1.0, 9.0], [-1.0, 9.0, 9.0], [9.0, 9.0, 9.0]])
    minutes = t([[60.0, 0.0, 5.0], [600.0, 5.0, 5.0], [5.0, 5.0, 5.0]])
    real = t([[True, True, False], [True, False, False], [False] * 3])
    first, w = (0.5 * a + b) / 1.5, 2.0**-10
    together = (0.5 * a + b + w * b) / (1.5 + w)
    mistakes = {
        "the average is by stay first, then over stays; here all events share one": t(together),
        "a stay without events is left out of the mean": t((first + b) / 3),
    }
    for kind in (torch.float32, torch.int64, torch.bool):
        got = call_alone(answer, z, torch.ones(3).to(kind), minutes, real, 60)
        same(got, t((first + b) / 2), f"the loss of 3 stays ({kind} outcome)", mistakes=mistakes)


def loss_edges(answer: Callable, dtype: torch.dtype) -> None:
    """Extreme logits, weights that underflow, padding, no events: value, dtype and gradients."""

    def run(
        z: torch.Tensor, y: torch.Tensor, minutes: torch.Tensor, real: torch.Tensor, half: float
    ):
        z = z.to(dtype).requires_grad_()
        loss = call_alone(answer, z, y, minutes.to(dtype), real, half)
        require(torch.is_tensor(loss) and loss.dim() == 0, "Expected a 0-d tensor.")
        require(loss.dtype == dtype, f"Expected dtype {dtype}, got {loss.dtype}.")
        require(loss.requires_grad, "The loss has no gradient.", "was it built from a constant?")
        (gradient,) = torch.autograd.grad(loss, z, allow_unused=True)
        gradient = torch.zeros_like(z) if gradient is None else gradient
        return loss.detach(), gradient

    t = torch.tensor
    real = t([[True, True, False]])
    loss, gradient = run(t([[1000.0, -1000, 1000]]), t([0.0]), t([[0.0, 0, 0]]), real, 30.0)
    same(loss, t(500.0, dtype=dtype), "the loss at logits of ±1000", rtol=1e-5)
    require(bool(gradient.isfinite().all()), "Gradients at logits of ±1000 are not finite.")
    require(gradient[0, 2] == 0, "Padding has a gradient.", "leave padding out of the sum")
    loss, gradient = run(t([[1.0, 2.0, 3.0]]), t([1.0]), t([[1e6, 2e6, 0.0]]), real, 1.0)
    recent = F.softplus(t(-1.0, dtype=dtype))  # the other event lies a million half-lives before
    hint = "2^(−1,000,000) is 0, and 0/0 is not a number: measure the minutes from the latest event"
    require(bool(loss.isfinite()), f"The loss is {loss.item()} when every weight underflows.", hint)
    require(
        bool(gradient.isfinite().all()), "Gradients are not finite when weights underflow.", hint
    )
    same(loss, recent, "the loss when every weight underflows", mistakes={hint: loss})
    require(bool(gradient[0, 0] != 0), "No gradient when every weight underflows.", hint)
    beside = t([[True, True, False], [True, False, False]])
    loss, gradient = run(
        t([[1.0, 2.0, 3.0], [2.0, 0.0, 0.0]]),
        t([1.0, 0.0]),
        t([[1e6, 2e6, 0.0], [1.0, 0.0, 0.0]]),
        beside,
        1.0,
    )
    hint = "measure from the latest event of each stay, not of the whole batch"
    pair = (recent + F.softplus(t(2.0, dtype=dtype))) / 2
    same(loss, pair, "the loss of an old stay beside a recent one", mistakes={hint: loss})
    require(bool(gradient.isfinite().all()), "Gradients of an old stay are not finite.", hint)
    none = torch.zeros(1, 3, dtype=torch.bool)
    loss, gradient = run(t([[1.0, 2.0, 3.0]]), t([1.0]), t([[1.0, 2.0, 0.0]]), none, 10.0)
    same(loss, t(0.0, dtype=dtype), "the loss without any event")
    require(bool((gradient == 0).all()), "Without any event gradients are not 0.")
    one = run(t([[0.3, -0.7, 5.0]]), t([1.0]), t([[9.0, 4.0, 7.0]]), real, 10.0)
    hint = "select with torch.where or masked_fill before you sum; 0 × inf is not a number"
    for junk, minute in ((-1e4, -3e4), (1e30, -1e30), (torch.nan, torch.nan), (torch.inf, 1e30)):
        two = run(t([[0.3, -0.7, junk]]), t([1.0]), t([[9.0, 4.0, minute]]), real, 10.0)
        same(two[0], one[0], f"the loss with {junk:g} at padding", mistakes={hint: two[0]})
        require(bool((two[1][0, 2:] == 0).all()), "Padding has a gradient.", hint)
        same(two[1], one[1], f"the gradient with {junk:g} at padding", mistakes={hint: two[1]})


def loss_kinds(answer: Callable) -> None:
    """The loss has the dtype of the logits, whatever the other arguments are."""
    z, real = torch.tensor([[0.3, -0.7, 1.0]]), torch.tensor([[True, True, False]])
    want = F.softplus(torch.tensor([-0.3, 0.7])) * torch.tensor([0.5, 1.0])
    want = want.sum() / 1.5
    minutes = torch.tensor([[20, 10, 0]])
    for kind in (torch.float64, torch.int64, torch.float32):
        for of_outcome in (torch.uint8, torch.float64, torch.bool):
            outcome = torch.ones(1).to(of_outcome)
            got = call_alone(answer, z, outcome, minutes.to(kind), real, 10)
            same(got, want, f"the loss with {kind} minutes and {of_outcome} outcomes")
    for dtype in (torch.bfloat16, torch.float16):
        got = call_alone(answer, z.to(dtype), torch.ones(1), minutes.float(), real, 10.0)
        same(got, want.to(dtype), "the loss of logits in half precision", rtol=0.02, atol=0.01)


@NOTEBOOK.exercise(points=4)
def causal_by_time_mask(answer: Callable) -> str:
    """Compare with plain loops: ties, unsorted times, padding, every real dtype."""
    t = torch.tensor
    real = t([[True, True, True, True, False], [True, True, False, False, False]])
    minutes = t([[10.0, 10.0, 30.0, 45.0, 0.0], [7.0, 60.0, 0.0, 0.0, 0.0]])
    flow.time_mask_case(answer, minutes, real, "sorted, with a tie")
    minutes = t([[40.0, 10.0, 40.0, 25.0, 30.0], [7.0, -2.0, 0.0, 0.0, 0.0]])
    flow.time_mask_case(answer, minutes, real, "times not sorted")
    flow.time_mask_case(answer, t([[3.0]]), t([[True]]), "one event")
    flow.time_mask_case(answer, t([[3.0, 4.0]]), t([[False, False]]), "no event")
    flow.time_mask_kinds(answer)
    return "ties, order, padding of keys and queries, one event, none, every dtype, exactly"


@NOTEBOOK.exercise(points=6)
def evaluate_risk(answer: Callable) -> str:
    """Compare with scikit-learn and with what resampling must do."""
    risks.uses_n_boot(answer)
    outcome, risk = risks.drawn(3, 300, slope=1.5, shift=-1)
    risks.risk_matches(answer, outcome, risk)
    risks.risk_matches(answer, *risks.drawn(4, 120, slope=-1.0, shift=-0.5))
    for width, words in ((0.1, "logits in a narrow range"), (0.001, "logits in a tiny range")):
        outcome, risk = risks.drawn(5, 200, slope=1.2 / width, width=width)
        risks.slope_is(answer, outcome, risk, words)
    risks.interval_of_share(answer, n=400, share=0.3)
    risks.interval_of_one(answer)
    risks.resampled_rows(answer, n=60, share=0.3)
    risks.percentiles_of_two(answer, n=400, share=0.3)
    risks.slope_is(answer, *risks.drawn(25, 12, slope=0.6, width=2.0), "12 stays")
    risks.seeds(answer, outcome, risk)
    risks.defaults(answer)
    risks.nan_cases(answer)
    risks.left_out(answer)
    return "five measures, intervals, seeds, one class, constant, separable, ties, few stays"


@NOTEBOOK.exercise(points=8)
def explain_stay(answer: Callable) -> str:
    """Explain models whose Integrated Gradients are known in closed form."""
    why.explain_linear(answer, seed=1, n_events=4, n_padding=3)
    why.explain_product(answer, seed=2, n_events=3, n_padding=1)
    why.explain_power(answer, seed=3, n_steps=2)
    why.explain_dropout(answer, seed=4)
    why.explain_hole(answer, seed=5)
    why.explain_failure(answer, seed=6)
    return "events, static, padding, gaps; the logit; both inputs on one path; steps; gap; mode"


@NOTEBOOK.exercise(points=5, forbids=("rollout_scores",))
def attention_rollout(answer: Callable) -> str:
    """Compare with a worked case and with random attention, normalised or not."""
    flow.rollout_by_hand(answer)
    flow.rollout_case(answer, 1, b=3, t=5, heads=(2, 2), dtype=torch.float32)
    flow.rollout_case(answer, 2, b=2, t=4, heads=(1, 3, 2), dtype=torch.float64)
    flow.rollout_case(answer, 3, b=1, t=1, heads=(4,), dtype=torch.float32)
    flow.rollout_case(answer, 4, b=2, t=6, heads=(2, 2, 2), dtype=torch.bfloat16)
    return "residual path, heads, order of the layers, pooling, padding, one layer and many, dtypes"


@NOTEBOOK.exercise(points=5)
def deletion_curve(answer: Callable) -> str:
    """Follow a model whose risk after each removal is known."""
    removal.deletion_known(answer, seed=1, n_events=6, n_padding=2, steps=3)
    removal.deletion_known(answer, seed=2, n_events=3, n_padding=0, steps=7)
    removal.deletion_known(answer, seed=4, n_events=0, n_padding=2, steps=2)
    removal.deletion_random(answer, seed=3)
    removal.deletion_failure(answer, seed=5)
    return "rows, removal by the mask alone, sigmoid, random rankings, mode, gradients, seeds"
