"""Visible checks of notebook 05: from events in SQL to explanations that can be scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.icu_mortality import models as small
from course_utils.checks.icu_mortality import tables as sql
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
    static = pd.DataFrame(
        {"unit": ["MICU", "CCU", "MICU"], "age": [50, 60, 70], "race": ["B", "A", "C"], "one": 1.0},
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
    fitted = call(answer, static, events)
    require(
        hasattr(fitted, "transform"),
        f"Expected an object with a method transform, got {type(fitted).__name__}.",
    )
    z = np.sqrt(1.5)
    want = np.array([[-z, 0, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0, 0], [z, 0, 0, 1, 0, 0, 1]])
    sample = {"the sample deviation was used (ddof=1); here it is the population's": _ddof1(want)}
    t = (np.array([0.0, 10, 20, 30]) - 15) / np.sqrt(125)
    want_events = np.array([[t[0], 1, 0], [t[1], 0, 1], [t[2], 1, 0], [t[3], 1, 0]])
    features(fitted, static, events, want, want_events, "the training stays", sample)
    new = pd.DataFrame(
        {"unit": ["SICU", "CCU"], "age": [90, 60], "race": ["A", "?"], "one": 1.0}, index=[1, 2]
    )
    new_events = events.iloc[[1, 3]].assign(
        event_type=["ingredient", "procedure"], minutes_since_admission=[15.0, 2000.0]
    )
    want = np.array([[3 * z, 0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0, 0]])
    late = (2000 - 15) / np.sqrt(125)
    refit = "was it fitted again in transform? only training patients may teach it anything"
    features(
        fitted,
        new,
        new_events,
        want,
        np.array([[0, 0, 0], [late, 0, 1]]),
        "new stays, with an unknown category",
        hint=refit,
    )
    return "order of the columns, scaling, unknown categories, a constant column, no refitting"


def _ddof1(want: np.ndarray) -> np.ndarray:
    out = want.copy()
    out[:, 0] *= np.sqrt(2 / 3)
    return out


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
    got = call(fitted.transform, static, events)
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
        require(
            array.shape == want.shape,
            f"Expected the {name} of {who} with shape {want.shape}, got {array.shape}.",
            hint,
        )
        if hint and not np.allclose(array, want, atol=1e-4):
            known[hint] = array
        same(array, want, f"the {name} of {who}", rtol=1e-4, atol=1e-5, mistakes=known)


@NOTEBOOK.exercise(points=4)
def collate_stays(answer: Callable) -> str:
    """Pad three stays, one of them without events and one with an all-zero event."""
    stays = [
        small.stay(11, 2, 3, seed=1),
        small.stay(12, 0, 3, seed=2),
        small.stay(13, 4, 3, seed=3),
    ]
    stays[0]["events"][1] = 0  # a real event whose numbers happen to be zero
    batch_matches(call(answer, stays), stays)
    batch_matches(call(answer, stays[:1]), stays[:1])
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
    require(not missing, f"Expected the keys {', '.join(keys)}.\nMissing: {', '.join(missing)}.")
    lengths = torch.tensor([len(s["events"]) for s in stays])
    width = int(lengths.max())
    same(batch["stay_id"], torch.tensor([s["stay_id"] for s in stays]), "stay_id")
    same(batch["lengths"], lengths, "lengths")
    mask = torch.stack([torch.arange(width) < n for n in lengths])
    flipped = {"True means a real event here, not padding": ~mask}
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
    got = call(answer, z, t([1.0]), minutes, real, 60.0)
    require(torch.is_tensor(got) and got.dim() == 0, "Expected a 0-d tensor.")
    same(got, want, "the loss of logits 2, −1 at 60 and 0 minutes, half_life 60", mistakes=mistakes)
    loss_of_two(answer, a, b)
    loss_edges(answer, torch.float32)
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
        got = call(answer, z, torch.ones(3).to(kind), minutes, real, 60)
        same(got, t((first + b) / 2), f"the loss of 3 stays ({kind} outcome)", mistakes=mistakes)


def loss_edges(answer: Callable, dtype: torch.dtype) -> None:
    """Extreme logits, weights that underflow, padding, no events: value, dtype and gradients."""

    def run(
        z: torch.Tensor, y: torch.Tensor, minutes: torch.Tensor, real: torch.Tensor, half: float
    ):
        z = z.to(dtype).requires_grad_()
        loss = call(answer, z, y, minutes.to(dtype), real, half)
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
    hint = "2^(−1,000,000) is 0, and 0/0 is not a number: measure the minutes from the latest event"
    require(bool(loss.isfinite()), f"The loss is {loss.item()} when every weight underflows.", hint)
    require(
        bool(gradient.isfinite().all()), "Gradients are not finite when weights underflow.", hint
    )
    none = torch.zeros(1, 3, dtype=torch.bool)
    loss, gradient = run(t([[1.0, 2.0, 3.0]]), t([1.0]), t([[1.0, 2.0, 0.0]]), none, 10.0)
    same(loss, t(0.0, dtype=dtype), "the loss without any event")
    require(bool((gradient == 0).all()), "Without any event gradients are not 0.")
    one = run(t([[0.3, -0.7, 5.0]]), t([1.0]), t([[9.0, 4.0, 7.0]]), real, 10.0)
    two = run(t([[0.3, -0.7, -1e4]]), t([1.0]), t([[9.0, 4.0, -3e4]]), real, 10.0)
    hint = "select with torch.where or masked_fill before you sum; 0 × inf is not a number"
    same(two[0], one[0], "the loss with other numbers at padding", mistakes={hint: two[0]})
    require(bool((two[1][0, 2:] == 0).all()), "Padding has a gradient.", hint)


@NOTEBOOK.exercise(points=6)
def evaluate_risk(answer: Callable) -> str:
    """Compare with scikit-learn and with what resampling must do."""
    rng = np.random.default_rng(3)
    logit = rng.normal(-1, 1.2, 300)
    outcome = (rng.random(300) < 1 / (1 + np.exp(-1.5 * logit))).astype(int)
    risk = 1 / (1 + np.exp(-logit))
    risk_matches(answer, outcome, risk)
    interval_of_share(answer, n=400, share=0.3)
    resampled_rows(answer, n=60, share=0.3)
    percentiles_of_two(answer, n=400, share=0.3)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    few = {"n_boot": 8}
    first = call(answer, outcome, risk, seed=1, **few)
    require(
        (np.random.get_state()[1] == state).all(),  # noqa: NPY002
        "NumPy's global random state was changed.",
        "np.random.default_rng(seed) is a generator of your own",
    )
    again = call(answer, outcome.tolist(), risk.tolist(), seed=1, **few)
    require(first == again, "The same seed gave other numbers the second time (or for lists).")
    require(
        first != call(answer, outcome, risk, seed=2, **few),
        "Another seed changed nothing.",
        "the intervals come from resampled rows",
    )
    nan_cases(answer)
    return "four measures against scikit-learn, intervals, seeds, one class, constant, separable"


def risk_matches(answer: Callable, outcome: np.ndarray, risk: np.ndarray) -> None:
    """Estimates equal scikit-learn's; each measure is a tuple (estimate, low, high)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    z = np.clip(risk, 1e-6, 1 - 1e-6)
    z = np.log(z / (1 - z))[:, None]
    slope = LogisticRegression(C=np.inf, tol=1e-9, max_iter=5000).fit(z, outcome).coef_[0, 0]
    ridge = LogisticRegression(max_iter=500).fit(z, outcome).coef_[0, 0]
    on_risk = LogisticRegression(C=np.inf, max_iter=5000).fit(risk[:, None], outcome).coef_[0, 0]
    got = call(answer, outcome, risk, n_boot=25)
    want = {
        "auroc": roc_auc_score(outcome, risk),
        "auprc": average_precision_score(outcome, risk),
        "brier": brier_score_loss(outcome, risk),
        "calibration_slope": slope,
    }
    hard = (risk > 0.5).astype(int)
    mistakes = {
        "auroc": {"the risks were cut at 0.5 first": roc_auc_score(outcome, hard)},
        "auprc": {"average precision is wanted, not the trapezoid": _trapezoid(outcome, risk)},
        "brier": {"squared differences are wanted": np.abs(risk - outcome).mean()},
        "calibration_slope": {
            "LogisticRegression penalises by default": ridge,
            "regress on the logit of the risk, not on the risk": on_risk,
        },
    }
    require(isinstance(got, dict), f"Expected a dict, got {type(got).__name__}.")
    for name, value in want.items():
        require(name in got, f"Expected the key {name!r}, got {', '.join(map(str, got))}.")
        require(
            isinstance(got[name], tuple) and len(got[name]) == 3,
            f"Expected {name} as a tuple (estimate, low, high), got {got[name]!r}.",
        )
        require(
            all(isinstance(v, float) for v in got[name]),
            f"Expected floats in {name}, got {[type(v).__name__ for v in got[name]]}.",
        )
        same(got[name][0], value, name, rtol=2e-3, atol=1e-5, mistakes=mistakes[name])
        low, high = got[name][1:]
        require(low < high, f"The interval of {name} is {low:.4g} to {high:.4g}.")
        require(
            low <= value <= high,
            f"{name} {value:.4g} is outside {low:.4g} to {high:.4g}.",
            "resample outcome and risk together, row by row",
        )


def _trapezoid(outcome: np.ndarray, risk: np.ndarray) -> float:
    from sklearn.metrics import auc, precision_recall_curve

    precision, recall, _ = precision_recall_curve(outcome, risk)
    return float(auc(recall, precision))


def interval_of_share(answer: Callable, n: int, share: float) -> None:
    """When nobody died and the risk is 0 or 1, the Brier score is a share: its interval is known.

    One class alone, so that 300 resamples cost little: the other measures do not exist here.
    """
    risk = np.zeros(n)
    risk[: round(n * share)] = 1
    got = call(answer, np.zeros(n, int), risk, n_boot=300)["brier"]
    half = 1.96 * np.sqrt(share * (1 - share) / n)
    width = got[2] - got[1]
    require(
        abs(width / (2 * half) - 1) < 0.2 and abs(got[1] - share + half) < 0.45 * half,
        f"With {n} survivors and risk 1 for {round(n * share)}, else 0, the Brier score is "
        f"{share:g}.\nIts 95 % interval should be near {share - half:.3f} to {share + half:.3f}, "
        f"got {got[1]:.3f} to {got[2]:.3f}.",
        "n rows drawn with replacement, whatever their outcome; percentiles 2.5 and 97.5",
    )


def resampled_rows(answer: Callable, n: int, share: float) -> None:
    """The number of deaths differs between resamples: rows are drawn whatever their outcome."""
    outcome = np.zeros(n, int)
    outcome[: round(n * share)] = 1
    low, high = call(answer, outcome, np.zeros(n), n_boot=12)["brier"][1:]
    half = 1.96 * np.sqrt(share * (1 - share) / n)
    require(
        high - low > 0.3 * half,
        f"With risk 0 for {n} stays and {round(n * share)} deaths the Brier score is {share:g}; "
        f"expected a 95 % interval about {2 * half:.2f} wide, got {low:.3f} to {high:.3f}.",
        "n rows drawn with replacement, whatever their outcome; percentiles 2.5 and 97.5",
    )


def percentiles_of_two(answer: Callable, n: int, share: float) -> None:
    """Of two resamples the percentiles are known: 2.5 % and 97.5 % of the way between them."""
    outcome = np.zeros(n, int)
    outcome[: round(n * share)] = 1
    for seed in range(6):
        _, low, high = call(answer, outcome, np.zeros(n), n_boot=2, seed=seed)["brier"]
        deaths = (high - low) * n  # a whole number d of deaths lies between two resamples
        if min(abs(deaths - round(deaths)), abs(deaths / 0.95 - round(deaths / 0.95))) > 1e-6:
            fail(
                f"With two resamples the interval should span 95 % of the way between them, got "
                f"{low:.5f} to {high:.5f} (risk 0 for {n} stays: whole numbers / {n}).",
                "a 95 % interval: percentiles 2.5 and 97.5 of the resampled values",
            )


def nan_cases(answer: Callable) -> None:
    """Measures that do not exist are nan, the others stay."""
    risk = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.9])
    mixed = np.array([0, 0, 1, 0, 1, 1])
    cases = (
        ("one class", np.zeros(6, int), risk, ("auroc", "auprc", "calibration_slope")),
        ("a constant risk", mixed, np.full(6, 0.4), ("calibration_slope",)),
        ("separable outcomes", np.array([0, 0, 0, 1, 1, 1]), risk, ("calibration_slope",)),
        (
            "outcomes separable the other way",
            np.array([1, 1, 1, 0, 0, 0]),
            risk,
            ("calibration_slope",),
        ),
    )
    for words, outcome, values, missing in cases:
        got = call(answer, outcome, values, n_boot=5)
        for name in ("auroc", "auprc", "brier", "calibration_slope"):
            isnan = bool(np.isnan(got[name][0]))
            if isnan != (name in missing):
                fail(
                    f"With {words}, expected {name} {'nan' if name in missing else 'finite'}, got "
                    f"{got[name][0]:.4g}.",
                    "say nan where a measure is not defined",
                )
    got = call(answer, [0, 1, 0, 1], [0.2, 0.1, 0.3, 0.4], n_boot=40)
    require(
        all(np.isfinite(got[name]).all() for name in ("auroc", "auprc", "brier")),
        f"With 4 stays an interval is {got['auroc'][1:]}.",
        "resamples in which a measure is undefined are left out",
    )


@NOTEBOOK.exercise(points=8)
def explain_stay(answer: Callable) -> str:
    """Explain models whose Integrated Gradients are known in closed form."""
    small.explain_linear(answer, seed=1, n_events=4, n_padding=3)
    small.explain_product(answer, seed=2, n_events=3, n_padding=1)
    small.explain_power(answer, seed=3, n_steps=2)
    small.explain_dropout(answer, seed=4)
    return "events, static and padding; the logit; both inputs on one path; steps; gap; mode"


@NOTEBOOK.exercise(points=5)
def deletion_curve(answer: Callable) -> str:
    """Follow a model whose risk after each removal is known."""
    small.deletion_known(answer, seed=1, n_events=6, n_padding=2, steps=3)
    small.deletion_known(answer, seed=2, n_events=3, n_padding=0, steps=7)
    small.deletion_clean(answer, seed=3)
    return "rows, removal by the mask alone, sigmoid, random rankings, mode, gradients, seeds"
