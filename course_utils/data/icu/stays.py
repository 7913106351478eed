"""Synthetic ICU stays with known causes of death, in the tables of MIMIC-IV.

:func:`make_icu_stays` draws the stays; :mod:`course_utils.data.icu.tables` writes them as tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from course_utils.data.icu.catalogue import (
    EFFECTS,
    FREQUENCIES,
    INTERCEPT,
    STATIC_CATEGORIES,
    WINDOW_MINUTES,
)
from course_utils.data.icu.timeline import Timeline, planted_effects

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_READMISSION = 0.25  # of the survivors


@dataclass(frozen=True)
class IcuStays:
    """Synthetic ICU stays with the truth behind them.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
        The ten MIMIC-IV tables.
    stay_id, subject_id, hadm_id : ndarray of int64, (N,)
        The eligible stays: at least 48 hours long.
    outcome : ndarray of int64, (N,)
        1 when the patient died in this hospital admission.
    risk, logit : ndarray of float64, (N,)
        The true probability that ``outcome`` was drawn from, and its log-odds.
    causes : pandas.DataFrame
        One row per planted cause: ``stay_id, cause, event_type, event_text,
        minutes_since_admission, effect``. ``effect`` is the change in the true log-odds that the
        event makes, all else as it is. Age has no event: its time is missing.
    """

    connection: duckdb.DuckDBPyConnection
    stay_id: np.ndarray
    subject_id: np.ndarray
    hadm_id: np.ndarray
    outcome: np.ndarray
    risk: np.ndarray
    logit: np.ndarray
    causes: pd.DataFrame
    _timeline: Timeline
    _rows: dict[str, np.ndarray]

    def events(self) -> pd.DataFrame:
        """Return what was known in each stay's first 48 hours, one row per event, in order.

        Columns ``stay_id, event_time, event_type, event_text, minutes_since_admission``.
        """
        from course_utils.data.icu.tables import window_events

        return window_events(self._timeline, self._rows)


def make_icu_stays(
    n_stays: int,
    *,
    random_state: int,
    events_per_stay: float = 80.0,
    short_fraction: float = 0.3,
    folder: str | Path | None = None,
    database: str | Path = ":memory:",
) -> IcuStays:
    """Draw ICU stays in which mortality has known causes.

    Parameters
    ----------
    n_stays : int
        Stays of 48 hours and more. Shorter ones come on top.
    random_state : int
        The same number gives the same stays.
    events_per_stay : float
        Mean number of events in the first 48 hours (laboratory values included).
    short_fraction : float
        Stays shorter than 48 hours, as a fraction of ``n_stays``.
    folder : str or Path, optional
        Also write ``hosp/*.csv.gz`` and ``icu/*.csv.gz`` there, as a MIMIC-IV export has them.
    database : str or Path
        ``":memory:"`` or a new DuckDB file.

    Returns
    -------
    IcuStays

    Raises
    ------
    ValueError
        For a negative ``n_stays`` or ``short_fraction``, or ``events_per_stay`` below 10.
    """
    from course_utils.data.icu.rows import draw_rows
    from course_utils.data.icu.tables import causes_table, write_tables

    if n_stays < 0 or int(n_stays) != n_stays:
        raise ValueError(f"n_stays={n_stays} must be a whole number, 0 or more")
    if not events_per_stay >= 10:
        raise ValueError(f"events_per_stay={events_per_stay} must be 10 or more")
    if not short_fraction >= 0:
        raise ValueError(f"short_fraction={short_fraction} must be 0 or more")
    rng = np.random.default_rng(random_state)
    planted = _draw_planted(int(n_stays), rng)
    timeline, logit = _draw_timeline(int(n_stays), short_fraction, planted, rng)
    rows = draw_rows(timeline, planted, events_per_stay, rng)
    connection = write_tables(timeline, rows, rng, database=database, folder=folder)
    n = timeline.n_eligible
    return IcuStays(
        connection=connection,
        stay_id=timeline.ids["stay_id"][:n],
        subject_id=timeline.ids["subject_id"][timeline.patient[:n]],
        hadm_id=timeline.ids["hadm_id"][timeline.admission[:n]],
        outcome=timeline.died[:n].astype(np.int64),
        risk=1 / (1 + np.exp(-logit)),
        logit=logit,
        causes=causes_table(timeline, planted, rows),
        _timeline=timeline,
        _rows=rows,
    )


def _draw_planted(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Minutes of each planted event since admission, -1 where it does not happen; (N,) each."""
    planted = {}
    for name, frequency in FREQUENCIES.items():
        low, high = {"early ventilation": (30, 1380), "late ventilation": (1500, 2820)}.get(
            name, (30, 2820)
        )
        minutes = rng.integers(low, high, n)
        planted[name] = np.where(rng.random(n) < frequency, minutes, -1)
    return planted


def _draw_timeline(
    n: int, short_fraction: float, planted: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[Timeline, np.ndarray]:
    """Patients, admissions, ages, outcomes and times; and the true log-odds, (N,)."""
    effects = planted_effects(planted)
    both = (planted["high lactate"] >= 0) & (planted["norepinephrine"] >= 0)
    logit: np.ndarray = INTERCEPT + np.sum(list(effects.values()), axis=0)
    logit = logit - EFFECTS["high lactate and norepinephrine"] * both  # counted at both events
    logit = logit - effects["vancomycin"]  # counted at the culture
    # Patients: a survivor may come back months later, older, with a risk of the new stay's own.
    age = np.clip(np.round(rng.normal(66, 15, n)), 18, 91).astype(np.int64)
    first = np.datetime64("2120-01-01T00:00:00") + rng.integers(0, 60 * 365 * 86400, n)
    gap, again, luck = rng.integers(60, 900, n), rng.random(n) < _READMISSION, rng.random(n)
    patient, intime = np.zeros(n, np.int64), first.astype("datetime64[s]")
    years = first.astype("datetime64[Y]").astype(np.int64)
    died = np.zeros(n, bool)
    for i in range(n):
        if i and again[i] and not died[i - 1]:
            patient[i] = patient[i - 1]
            intime[i] = intime[i - 1] + np.timedelta64(int(gap[i]), "D")
            years[i] = intime[i].astype("datetime64[Y]").astype(np.int64)
            age[i] = age[i - 1] + years[i] - years[i - 1]
        else:
            patient[i] = patient[i - 1] + 1 if i else 0
        logit[i] += EFFECTS["age"] * (age[i] - 65)
        died[i] = luck[i] < 1 / (1 + np.exp(-logit[i]))
    # Length of stay: the dying leave sooner. A quarter of them die on the ward, days later.
    in_unit = died & (rng.random(n) < 0.75)
    rest = np.exp(rng.normal(np.log(np.where(in_unit, 800, 4000)), 0.7, n))
    minutes = WINDOW_MINUTES + 20 + np.minimum(rest, 40 * 1440).astype(np.int64)
    later = np.where(in_unit, 0, rng.integers(120, 10 * 1440, n))
    eligible = (patient, intime, minutes, died, minutes + later, age)
    return _with_short_stays(eligible, short_fraction, rng), logit


def _with_short_stays(
    eligible: tuple[np.ndarray, ...], short_fraction: float, rng: np.random.Generator
) -> Timeline:
    """Add stays under 48 hours (new patients, or the same admission again) and draw the rest."""
    patient, intime, minutes, died, to_death, age = eligible
    n = len(patient)
    m = round(n * short_fraction)
    survivors = np.flatnonzero(~died)
    host = rng.permutation(survivors)[: min(len(survivors), round(0.4 * m))]
    k = len(host)  # the first k short stays happen later in the admission of an eligible one
    short = rng.integers(120, WINDOW_MINUTES - 5, m)
    new_patient = (patient.max(initial=-1) + 1) + np.arange(m - k)
    start = np.datetime64("2120-01-01T00:00:00") + rng.integers(0, 60 * 365 * 86400, m)
    again = intime[host] + (minutes[host] + rng.integers(1000, 4000, k)).astype("timedelta64[m]")
    lost = rng.random(m) < 0.1
    lost[:k] = False
    patient = np.concatenate([patient, patient[host], new_patient])
    admission = np.concatenate([np.arange(n), host, n + np.arange(m - k)])
    total, n_patients = n + m, int(patient.max(initial=-1)) + 1
    drawn = {
        name: rng.choice(len(values), n_patients if name in ("gender", "race") else total, p=p)
        for name, (values, p) in STATIC_CATEGORIES.items()
    }
    return Timeline(
        n_eligible=n,
        patient=patient,
        admission=admission,
        intime=np.concatenate([intime, again, start[k:].astype("datetime64[s]")]),
        minutes=np.concatenate([minutes, short]),
        open=np.concatenate([np.zeros(n, bool), rng.random(m) < 0.03]),
        died=np.concatenate([died, lost]),
        minutes_to_death=np.concatenate([to_death, short]),
        age=np.concatenate([age, age[host], rng.integers(18, 92, m - k)]),
        ids={
            "subject_id": 10_000_000 + rng.permutation(n_patients),
            "hadm_id": 20_000_000 + rng.permutation(total - k),
            "stay_id": 30_000_000 + rng.permutation(total),
        },
        static=drawn,
    )
