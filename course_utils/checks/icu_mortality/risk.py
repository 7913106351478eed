"""What five measures of a risk have to be, and what resampling has to do to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.icu_mortality.alone import call_alone

MEASURES = ("auroc", "auprc", "brier", "calibration_slope", "o_e_ratio")
STATED = {"n_boot": 1000, "seed": 0}
_LEFT_OUT = "a resample in which a measure is undefined is left out for that measure alone"


def drawn(seed: int, n: int, slope: float, shift: float = 0.0, width: float = 1.2) -> tuple:
    """Draw outcomes (n,) and risks (n,) with a true calibration slope of about ``slope``."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(shift, width, n)
    outcome = (rng.random(n) < 1 / (1 + np.exp(-slope * logit - 0.3))).astype(int)
    return outcome, 1 / (1 + np.exp(-logit))


def uses_n_boot(answer: Callable) -> None:
    """One resample has one value: both ends of the interval are equal."""
    data = np.zeros(9, int), np.linspace(0, 1, 9)
    got = call_alone(answer, *data, n_boot=1)
    form(got)
    low, high = got["brier"][1:]
    if low != high and call_alone(answer, *data, n_boot=2)["brier"] == got["brier"]:
        fail(
            f"With n_boot=1 there is one resample and one value, but the interval of brier is "
            f"{low:.4g} to {high:.4g}, as with n_boot=2.",
            "draw n_boot resamples, not a number of your own",
        )


def form(got: Any) -> None:
    """A dict whose five values are tuples of three floats."""
    require(isinstance(got, dict), f"Expected a dict, got {type(got).__name__}.")
    for name in MEASURES:
        require(
            name in got,
            f"Expected the key {name!r}, got {', '.join(map(str, got))}.",
            "all five measures have a key, spelt exactly so",
        )
        require(
            isinstance(got[name], tuple) and len(got[name]) == 3,
            f"Expected {name} as a tuple (estimate, low, high), got {got[name]!r}.",
            "the estimate from all rows, then both percentiles of the resampled values",
        )
        require(
            all(isinstance(v, float) for v in got[name]),
            f"Expected floats in {name}, got {[type(v).__name__ for v in got[name]]}.",
        )


def reference(outcome: np.ndarray, risk: np.ndarray) -> dict[str, float]:
    """Estimates by scikit-learn; the slope is fitted on standardised logits and scaled back."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    x = _logit(risk)
    z = ((x - x.mean()) / x.std())[:, None]
    exact = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-9)
    return {
        "auroc": roc_auc_score(outcome, risk),
        "auprc": average_precision_score(outcome, risk),
        "brier": brier_score_loss(outcome, risk),
        "calibration_slope": exact.fit(z, outcome).coef_[0, 0] / x.std(),
        "o_e_ratio": outcome.sum() / risk.sum(),
    }


def _logit(risk: np.ndarray) -> np.ndarray:
    p = np.clip(np.asarray(risk, dtype=float), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def risk_matches(answer: Callable, outcome: np.ndarray, risk: np.ndarray, n_boot: int = 8) -> None:
    """Estimates equal the references; each measure is a tuple (estimate, low, high)."""
    got = call_alone(answer, outcome, risk, n_boot=n_boot)
    form(got)
    outcome, risk = np.asarray(outcome).astype(int), np.asarray(risk, dtype=float)
    want = reference(outcome, risk)
    mistakes = _mistakes(outcome, risk, want)
    unfinished = "the unpenalised fit is wanted; a fit of your own must have converged"
    mistakes["calibration_slope"][unfinished] = got["calibration_slope"][0]
    for name, value in want.items():
        same(got[name][0], value, name, rtol=5e-3, atol=1e-5, mistakes=mistakes[name])
        low, high = got[name][1:]
        require(
            low < high,
            f"The interval of {name} is {low:.4g} to {high:.4g}.",
            "the 2.5 percentile comes first, then the 97.5 one",
        )
        width = high - low  # a dozen resamples may all lie to one side, but not far away
        require(
            low - width <= value <= high + width,
            f"{name} {value:.4g} is far outside {low:.4g} to {high:.4g}.",
            "resample outcome and risk together, row by row",
        )


def _mistakes(outcome: np.ndarray, risk: np.ndarray, want: dict[str, float]) -> dict[str, dict]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    ridge = LogisticRegression(max_iter=500).fit(_logit(risk)[:, None], outcome).coef_[0, 0]
    on_risk = LogisticRegression(C=np.inf, max_iter=5000).fit(risk[:, None], outcome).coef_[0, 0]
    return {
        "auroc": {
            "the risks were cut at 0.5 first": roc_auc_score(outcome, (risk > 0.5).astype(int)),
            "a risk that ranks backwards has an AUROC below 0.5; it is not turned round": 1
            - want["auroc"],
        },
        "auprc": {"average precision is wanted, not the trapezoid": _trapezoid(outcome, risk)},
        "brier": {"squared differences are wanted": np.abs(risk - outcome).mean()},
        "calibration_slope": {
            "LogisticRegression penalises by default": ridge,
            "regress on the logit of the risk, not on the risk": on_risk,
        },
        "o_e_ratio": {
            "observed over expected: deaths divided by the sum of the risks": 1 / want["o_e_ratio"],
            "observed minus expected; the ratio is wanted": outcome.sum() - risk.sum(),
        },
    }


def _trapezoid(outcome: np.ndarray, risk: np.ndarray) -> float:
    from sklearn.metrics import auc, precision_recall_curve

    precision, recall, _ = precision_recall_curve(outcome, risk)
    return float(auc(recall, precision))


def slope_is(answer: Callable, outcome: np.ndarray, risk: np.ndarray, words: str) -> None:
    """The calibration slope is the unpenalised fit, however large, flat or negative it is."""
    got = call_alone(answer, outcome, risk, n_boot=1)["calibration_slope"][0]
    want = reference(outcome, risk)["calibration_slope"]
    if not np.isfinite(got) or abs(got - want) > 5e-3 * abs(want):
        fail(
            f"With {words} the calibration slope is {want:.5g}, got {got:.5g}.",
            "the unpenalised fit, however large; a fit of your own must have converged",
        )


def interval_of_share(answer: Callable, n: int, share: float) -> None:
    """When nobody died and the risk is 0 or 1, the Brier score is a share: its interval is known.

    One class alone, so that 300 resamples cost little: the other measures do not exist here.
    """
    risk = np.zeros(n)
    risk[: round(n * share)] = 1
    got = call_alone(answer, np.zeros(n, int), risk, n_boot=300)["brier"]
    half = 1.96 * np.sqrt(share * (1 - share) / n)
    width = got[2] - got[1]
    require(
        abs(width / (2 * half) - 1) < 0.2 and abs(got[1] - share + half) < 0.45 * half,
        f"With {n} survivors and risk 1 for {round(n * share)}, else 0, the Brier score is "
        f"{share:g}.\nIts 95 % interval should be near {share - half:.3f} to {share + half:.3f}, "
        f"got {got[1]:.3f} to {got[2]:.3f}.",
        "n rows drawn with replacement, whatever their outcome; percentiles 2.5 and 97.5",
    )


def interval_of_one(answer: Callable, n: int = 20) -> None:
    """One row alone has risk 1: how often a resample holds it is known, and is lopsided."""
    for row in (0, n - 1):
        risk = np.zeros(n)
        risk[row] = 1
        _, low, high = call_alone(answer, np.zeros(n, int), risk, n_boot=400)["brier"]
        which = "first" if row == 0 else "last"
        require(
            high > 0,
            f"{n} survivors, risk 1 for the {which} alone: no resample ever holds it.",
            "every row can be drawn: rng.integers(0, N, N) goes up to N − 1",
        )
        require(
            low >= 0,
            f"{n} survivors, risk 1 for the {which} alone: the interval of brier starts at "
            f"{low:.3f}; no resample can give less than 0.",
            "the percentiles of the resampled values themselves, not mirrored at the estimate",
        )
        require(
            low == 0 and 3 / n - 1e-9 <= high <= 4 / n + 1e-9,
            f"{n} survivors, risk 1 for the {which} alone: expected an interval of brier of 0 to "
            f"{3 / n:g} or {4 / n:g}, got {low:.3f} to {high:.3f}.",
            "n rows drawn with replacement; percentiles 2.5 and 97.5",
        )


def resampled_rows(answer: Callable, n: int, share: float) -> None:
    """The number of deaths differs between resamples: rows are drawn whatever their outcome."""
    outcome = np.zeros(n, int)
    outcome[: round(n * share)] = 1
    low, high = call_alone(answer, outcome, np.zeros(n), n_boot=12)["brier"][1:]
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
        _, low, high = call_alone(answer, outcome, np.zeros(n), n_boot=2, seed=seed)["brier"]
        deaths = (high - low) * n  # a whole number d of deaths lies between two resamples
        if min(abs(deaths - round(deaths)), abs(deaths / 0.95 - round(deaths / 0.95))) > 1e-6:
            fail(
                f"With two resamples the interval should span 95 % of the way between them, got "
                f"{low:.5f} to {high:.5f} (risk 0 for {n} stays: whole numbers / {n}).",
                "a 95 % interval: percentiles 2.5 and 97.5 of the resampled values",
            )


def defaults(answer: Callable) -> None:
    """Without them, n_boot is 1000 and seed 0; one class alone, so that it costs little."""
    data = np.zeros(9, int), np.linspace(0, 1, 9)
    got, want = (call_alone(answer, *data, **given)["brier"] for given in ({}, STATED))
    require(
        got == want,
        f"The interval of brier is {got[1]:.5g} to {got[2]:.5g} without n_boot and seed, and "
        f"{want[1]:.5g} to {want[2]:.5g} with n_boot=1000, seed=0.",
        "these are the defaults of the signature",
    )


def seeds(answer: Callable, outcome: np.ndarray, risk: np.ndarray) -> None:
    """The same seed gives the same numbers, for lists too; another seed gives others."""
    first = call_alone(answer, outcome, risk, n_boot=6, seed=1)
    again = call_alone(answer, outcome.tolist(), risk.tolist(), n_boot=6, seed=1)
    require(
        first == again,
        "The same seed gave other numbers the second time (or for lists).",
        "a generator of its own, made from `seed` in every call",
    )
    require(
        first != call_alone(answer, outcome, risk, n_boot=6, seed=2),
        "Another seed changed nothing.",
        "the intervals come from resampled rows",
    )


def nan_cases(answer: Callable) -> None:
    """Measures that do not exist are nan, the others stay."""
    risk = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.9])
    mixed, apart = np.array([0, 0, 1, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    tie = np.array([0.1, 0.2, 0.4, 0.4, 0.6, 0.9])
    slope = ("calibration_slope",)
    cases: list[tuple[str, np.ndarray, np.ndarray, tuple[str, ...]]] = [
        ("one class", np.zeros(6, int), risk, ("auroc", "auprc", "calibration_slope")),
        ("one death", np.array([0, 0, 1, 0, 0, 0]), risk, ()),
        ("one survivor", np.array([1, 1, 1, 0, 1, 1]), risk, ()),
        ("a constant risk", mixed, np.full(6, 0.4), slope),
        ("risks that are equal after clipping", mixed, np.array([1, 2, 3, 4, 5, 6]) * 1e-8, slope),
        ("separable outcomes", apart, risk, slope),
        ("outcomes separable the other way", 1 - apart, risk, slope),
        ("outcomes separable but for a tie at the border", apart, tie, slope),
        ("outcomes separable the other way but for a tie", 1 - apart, tie, slope),
        ("risks that are all 0", mixed, np.zeros(6), ("calibration_slope", "o_e_ratio")),
    ]
    for words, outcome, values, missing in cases:
        got = call_alone(answer, outcome, values, n_boot=5)
        form(got)
        for name in MEASURES:
            if bool(np.isnan(got[name][0])) != (name in missing):
                fail(
                    f"With {words}, expected {name} {'nan' if name in missing else 'finite'}, got "
                    f"{got[name][0]:.4g}.",
                    _why_nan(words, name),
                )
        if words == "risks that are equal after clipping":
            same(
                got["o_e_ratio"][0],
                outcome.sum() / values.sum(),
                "o_e_ratio of risks far below 1e-6",
                rtol=1e-6,
                mistakes={"clipping is for the slope alone": outcome.sum() / 6e-6},
            )
    some = "separable alone is not enough: a tie inside both classes leaves a finite fit"
    got = call_alone(answer, [1, 0, 0, 1], [0.2, 0.4, 0.4, 0.6], n_boot=1)["calibration_slope"]
    require(np.isfinite(got[0]), f"The slope of overlapping outcomes is {got[0]}.", some)


def _why_nan(words: str, name: str) -> str:
    if name == "o_e_ratio":
        return "deaths / sum of the risks; nan when that sum is 0"
    if words in ("one death", "one survivor"):
        return "one stay of a class is enough: nan is for one class alone"
    if "tie" in words:
        return "equal logits at the border leave no finite fit either: compare with >= and <="
    return "say nan where a measure is not defined"


def left_out(answer: Callable) -> None:
    """A resample is left out for the measure that it leaves undefined, and for no other."""
    got = call_alone(answer, [0, 1, 0, 1], [0.2, 0.1, 0.3, 0.4], n_boot=40)
    for name in ("auroc", "auprc", "brier", "o_e_ratio"):
        require(
            bool(np.isfinite(got[name]).all()),
            f"With 4 stays the interval of {name} is {got[name][1:]}.",
            "resamples in which a measure is undefined are left out",
        )
    _interval(got, "auroc", (0, 1), "4 stays, some resamples of which are separable")
    got = call_alone(answer, [0, 1], [0.5, 0.5], n_boot=40)
    for name, ends in (("brier", (0.25, 0.25)), ("o_e_ratio", (0, 2)), ("auroc", (0.5, 0.5))):
        _interval(got, name, ends, "2 stays, half of whose resamples have one class")
    got = call_alone(answer, [0, 1], [0.0, 0.0], n_boot=40)
    _interval(got, "brier", (0, 1), "2 stays of risk 0, half of whose resamples have one class")
    got = call_alone(answer, [0, 1], [0.0, 0.5], n_boot=40)
    _interval(got, "o_e_ratio", (2, 2), "2 stays, one of them of risk 0")


def _interval(got: dict, name: str, ends: Sequence[float], words: str) -> None:
    low, high = got[name][1:]
    require(
        bool(np.allclose((low, high), ends, atol=1e-9)),
        f"{words}: expected the interval of {name} to be {ends[0]:g} to {ends[1]:g}, got {low:.4g} "
        f"to {high:.4g}.",
        _LEFT_OUT,
    )
