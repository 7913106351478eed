"""Numbers that notebooks report beside each other: intervals, and accuracy by assertion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

__all__ = [
    "alarms_at_sensitivity",
    "assertion_accuracy",
    "bootstrap_interval",
    "net_benefit",
    "spread",
    "wilson_interval",
]


def wilson_interval(hits: int, total: int, *, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson interval of a proportion (95 % by default).

    It stays inside 0..1 and is honest for proportions near 1; ``total=0`` gives (nan, nan).

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    if not 0 <= hits <= total:
        raise ValueError(f"hits={hits} must lie between 0 and total={total}")
    if total == 0:
        return float("nan"), float("nan")
    share = hits / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def bootstrap_interval(
    statistic: Callable[..., float],
    *arrays: np.ndarray,
    n_boot: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> tuple[float, float]:
    """Return the percentile interval of ``statistic(*arrays)`` over resampled rows.

    Parameters
    ----------
    statistic
        Takes the arrays, all with the same number of rows, and returns a number.

    Raises
    ------
    ValueError
        If the arrays differ in length or are empty.
    """
    arrays = tuple(np.asarray(a) for a in arrays)
    sizes = {len(a) for a in arrays}
    if len(sizes) != 1 or sizes == {0}:
        raise ValueError(f"arrays must have the same number of rows, at least 1; got {sizes}")
    rng = np.random.default_rng(random_state)
    (n,) = sizes
    rows = rng.integers(0, n, (n_boot, n))
    values = [statistic(*(a[row] for a in arrays)) for row in rows]
    low, high = np.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def net_benefit(outcome: np.ndarray, risk: np.ndarray, threshold: float) -> float:
    """True positives minus false ones at the threshold's exchange rate, per patient.

    Treating whoever has a risk of at least ``threshold`` gives
    ``TP / N - FP / N * threshold / (1 - threshold)``: who treats from 10 % on accepts nine false
    alarms for a true one.

    Raises
    ------
    ValueError
        If ``threshold`` is not in [0, 1) or the arrays differ in length.

    References
    ----------
    Vickers and Elkin, Decision curve analysis, Medical Decision Making, 2006.
    """
    outcome, risk = np.asarray(outcome) == 1, np.asarray(risk, dtype=float)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold={threshold} must be in [0, 1)")
    if outcome.shape != risk.shape:
        raise ValueError(f"outcome has shape {outcome.shape}, risk {risk.shape}")
    treated = risk >= threshold
    odds = threshold / (1 - threshold)
    return float(np.mean(treated & outcome) - odds * np.mean(treated & ~outcome))


def alarms_at_sensitivity(
    outcome: np.ndarray, risk: np.ndarray, sensitivity: float = 0.8
) -> dict[str, float]:
    """Alarms at the highest threshold that finds at least this share of the deaths.

    Returns
    -------
    dict
        ``threshold``, the ``sensitivity`` reached, ``alarm_share`` (alarms per patient) and
        ``alarms_per_true`` (alarms for one death found, 1 / positive predictive value).

    Raises
    ------
    ValueError
        If ``sensitivity`` is not in (0, 1] or nobody died.
    """
    outcome, risk = np.asarray(outcome) == 1, np.asarray(risk, dtype=float)
    if not 0 < sensitivity <= 1 or not outcome.any():
        raise ValueError(f"need deaths and a sensitivity in (0, 1], got {sensitivity}")
    of_deaths = np.sort(risk[outcome])[::-1]
    threshold = of_deaths[int(np.ceil(sensitivity * len(of_deaths) - 1e-9)) - 1]
    alarm = risk >= threshold
    found = int((alarm & outcome).sum())
    return {
        "threshold": float(threshold),
        "sensitivity": found / int(outcome.sum()),
        "alarm_share": float(alarm.mean()),
        "alarms_per_true": int(alarm.sum()) / found,
    }


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Describe numbers over seeds in one text: mean, smallest and largest."""
    if len(values) == 0:
        raise ValueError("values is empty")
    return f"{np.mean(values):.{digits}f} ({np.min(values):.{digits}f}-{np.max(values):.{digits}f})"


def assertion_accuracy(
    predictions: np.ndarray, labels: np.ndarray, mentioned: np.ndarray
) -> dict[str, float]:
    """Accuracy of the diagnoses of a note, told apart by what the note says about them.

    Parameters
    ----------
    predictions, labels
        0/1, ``(N, C)``.
    mentioned
        0/1, ``(N, C)``: a finding of this diagnosis is mentioned, asserted or negated.

    Returns
    -------
    dict
        ``asserted`` (mentioned, label 1), ``negated`` (mentioned, label 0), ``unmentioned``,
        ``both_kinds`` (all mentioned diagnoses of notes that hold an asserted and a negated
        one); nan where there is none.
    """
    predictions, labels, mentioned = (
        np.asarray(a).astype(bool) for a in (predictions, labels, mentioned)
    )
    if not predictions.shape == labels.shape == mentioned.shape or labels.ndim != 2:
        raise ValueError(
            "predictions, labels and mentioned must share a shape (N, C), got "
            f"{predictions.shape}, {labels.shape}, {mentioned.shape}"
        )
    right = predictions == labels
    asserted, negated = mentioned & labels, mentioned & ~labels
    both = asserted.any(1, keepdims=True) & negated.any(1, keepdims=True)
    groups = {
        "asserted": asserted,
        "negated": negated,
        "unmentioned": ~mentioned,
        "both_kinds": mentioned & both,
    }
    return {k: float(right[g].mean()) if g.any() else float("nan") for k, g in groups.items()}
