"""Patients with four modalities, and a label whose best possible accuracy is known.

Each patient has a table of bedside values, a chest film, an ECG and a text. Four hidden facts, each
yes or no, sit in them: unresolved shock (table: lactate), drug B instead of A (table), fluid (film:
effusion or cardiomegaly) and atrial fibrillation (ECG). The outcome is drawn from these facts
alone, so the accuracy that any model can reach, from any set of modalities, is a finite sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from course_utils.data.ecg import ECG, RHYTHMS, make_ecg
from course_utils.data.radiology import KINDS, ChestFilms, make_chest_films

__all__ = [
    "FACTS",
    "LABELS",
    "MODALITIES",
    "TABLE_COLUMNS",
    "Patients",
    "best_accuracy",
    "make_patients",
]

MODALITIES = ("table", "film", "ecg")
"""Order of the columns of `Patients.available`."""

FACTS = ("shock", "drug_b", "fluid", "fibrillation")
"""Hidden facts; `Patients.facts` has a column for each."""

TABLE_COLUMNS = ("age", "systolic_bp", "lactate", "creatinine", "haemoglobin", "sodium", "drug_b")
"""Years, mmHg, mmol/L, mg/dL, g/dL, mmol/L, and 1 for drug B."""

LABELS: dict[str, dict[tuple[str, ...], float]] = {
    "additive": {("shock",): 1.2, ("fluid",): 1.2, ("fibrillation",): 1.2},
    "interaction": {("drug_b", "fluid"): 2.2},
    "mixed": {
        ("shock",): 0.7,
        ("fluid",): 0.7,
        ("fibrillation",): 0.7,
        ("drug_b", "fluid"): 1.6,
    },
    "film_useless": {("shock",): 1.2, ("drug_b",): 1.2, ("fibrillation",): 1.2},
}
"""Log-odds of the outcome: weight of each product of facts, a fact counting +1 or -1."""

_SEEN_IN = {"shock": "table", "drug_b": "table", "fluid": "film", "fibrillation": "ecg"}
_FLUID_KINDS = tuple(KINDS.index(kind) for kind in ("effusion", "cardiomegaly"))
_P_FLUID = 0.5  # of chest films; a test compares it with the films


@dataclass(frozen=True)
class Patients:
    """`n` patients. A modality that was not asked for is None; a missing value is nan.

    Attributes
    ----------
    table : (n, 7) float32, columns `TABLE_COLUMNS`.
    films : (n, 1, size, size) float32, grey values.
    ecg : (n, T) float32, lead II in mV.
    texts : one line a patient, made only when asked for.
    available : (n, 3) bool, True where table, film and ECG are there.
    outcome : (n,) int64, 0 or 1.
    probability : (n,) float64, chance of outcome 1 given the facts.
    facts : (n, 4) bool, columns `FACTS`.
    film_truth, ecg_truth : what was drawn, with masks and R-peaks, also where it is missing.
    """

    table: NDArray[np.float32]
    films: NDArray[np.float32] | None
    ecg: NDArray[np.float32] | None
    texts: list[str] | None
    available: NDArray[np.bool_]
    outcome: NDArray[np.int64]
    probability: NDArray[np.float64]
    facts: NDArray[np.bool_]
    film_truth: ChestFilms
    ecg_truth: ECG | None

    def __len__(self) -> int:
        return len(self.outcome)


def make_patients(
    n_samples: int,
    *,
    label: str = "mixed",
    missing: float | Mapping[str, float] = 0.0,
    modalities: Iterable[str] = MODALITIES,
    with_text: bool = False,
    image_size: int = 64,
    duration_s: float = 10.0,
    sampling_rate: float = 125.0,
    random_state: int | np.random.Generator | None = None,
) -> Patients:
    """Make patients whose outcome depends on facts seen in different modalities.

    The same seed gives the same patients and signals whatever `label`, `missing` and `with_text`
    are, so one set of patients can be asked different questions.

    Parameters
    ----------
    n_samples : number of patients; 0 gives empty arrays.
    label : key of `LABELS`. "additive" sums one fact of each modality; "interaction" asks whether
        the drug fits the film, so neither says anything alone; "mixed" has both; in "film_useless"
        the film is irrelevant.
    missing : chance that a modality is missing, one number or one for each name in `MODALITIES`.
    modalities : which of "film" and "ecg" to draw; "table" is always made. Facts and labels
        do not depend on it.
    with_text : write a line of text about each patient.
    image_size, duration_s, sampling_rate : size of films (pixels) and ECGs (seconds, Hz).
    random_state : seed or generator.

    Raises
    ------
    ValueError
        For a negative number of patients, an unknown label or modality, or chances outside 0-1.
    """
    if isinstance(n_samples, bool) or int(n_samples) != n_samples or n_samples < 0:
        raise ValueError(f"n_samples={n_samples!r}: wanted an integer of at least 0")
    if label not in LABELS:
        raise ValueError(f"label={label!r}: wanted one of {', '.join(LABELS)}")
    wanted = set(modalities)
    if wanted - set(MODALITIES):
        raise ValueError(f"modalities={sorted(wanted)}: wanted any of {', '.join(MODALITIES)}")
    chances = _missing_chances(missing)
    n = int(n_samples)
    streams = np.random.default_rng(random_state).spawn(5)
    draw_table, draw_film, draw_ecg, draw_missing, draw_label = streams

    films = make_chest_films(n, image_size=image_size, random_state=draw_film)
    facts = np.zeros((n, len(FACTS)), dtype=bool)
    facts[:, [0, 1, 3]] = draw_table.random((n, 3)) < 0.5
    facts[:, 2] = films.present[:, _FLUID_KINDS].any(axis=1)
    table = _draw_table(facts, draw_table)
    ecg = None
    if "ecg" in wanted:
        rhythm = np.where(facts[:, 3], RHYTHMS.index("atrial_fibrillation"), 0)
        ecg = make_ecg(
            n,
            duration_s=duration_s,
            sampling_rate=sampling_rate,
            rhythm=rhythm,
            heart_rate=draw_ecg.uniform(65.0, 110.0, n),
            random_state=draw_ecg,
        )
    probability = _chance(facts, LABELS[label])
    outcome = (draw_label.random(n) < probability).astype(np.int64)
    available = draw_missing.random((n, len(MODALITIES))) >= chances
    return Patients(
        table=_hide(table, available[:, 0]),
        films=_hide(films.images, available[:, 1]) if "film" in wanted else None,
        ecg=None if ecg is None else _hide(ecg.signals[:, 0], available[:, 2]),
        texts=_write(facts, table, films, available) if with_text else None,
        available=available,
        outcome=outcome,
        probability=probability,
        facts=facts,
        film_truth=films,
        ecg_truth=ecg,
    )


def best_accuracy(label: str, modalities: Iterable[str] = MODALITIES) -> float:
    """Accuracy of the best possible rule that sees these modalities without any noise.

    The facts are independent and the chances known, so this is a sum over their 16 combinations:
    average the chance of the outcome over what is not seen, then take the likelier answer.

    Raises
    ------
    ValueError
        For an unknown label or modality.
    """
    if label not in LABELS:
        raise ValueError(f"label={label!r}: wanted one of {', '.join(LABELS)}")
    names = set(modalities)
    if names - set(MODALITIES):
        raise ValueError(f"modalities={sorted(names)}: wanted any of {', '.join(MODALITIES)}")
    facts = np.array(list(product([False, True], repeat=len(FACTS))))  # (16, 4)
    chance = _chance(facts, LABELS[label])
    weight = np.where(facts[:, 2], _P_FLUID, 1.0 - _P_FLUID) * 0.5**3
    seen = [i for i, fact in enumerate(FACTS) if _SEEN_IN[fact] in names]
    total = 0.0
    for pattern in product([False, True], repeat=len(seen)):
        rows = (facts[:, seen] == np.array(pattern, dtype=bool)).all(axis=1)
        positive = float((weight[rows] * chance[rows]).sum())
        total += max(positive, float(weight[rows].sum()) - positive)
    return total


def _missing_chances(missing: float | Mapping[str, float]) -> NDArray[np.float64]:
    if isinstance(missing, Mapping):
        unknown = [name for name in missing if name not in MODALITIES]
        if unknown:
            raise ValueError(f"missing names {unknown}: wanted any of {', '.join(MODALITIES)}")
        chances = np.array([missing.get(name, 0.0) for name in MODALITIES], dtype=np.float64)
    else:
        chances = np.full(len(MODALITIES), float(missing))
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(f"missing={missing!r}: wanted chances between 0 and 1")
    return chances


def _chance(
    facts: NDArray[np.bool_], weights: Mapping[tuple[str, ...], float]
) -> NDArray[np.float64]:
    sign = np.where(facts, 1.0, -1.0)
    log_odds = np.zeros(len(facts))
    for names, weight in weights.items():
        log_odds += weight * np.prod([sign[:, FACTS.index(name)] for name in names], axis=0)
    return 1.0 / (1.0 + np.exp(-log_odds))


def _draw_table(facts: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    n = len(facts)
    columns = {
        "age": rng.normal(66.0, 12.0, n).clip(18, 99).round(),
        "systolic_bp": rng.normal(112.0, 15.0, n).round(),
        "lactate": np.where(facts[:, 0], 3.6, 1.3) * np.exp(rng.normal(0.0, 0.18, n)),
        "creatinine": 1.1 * np.exp(rng.normal(0.0, 0.4, n)),
        "haemoglobin": rng.normal(11.5, 1.6, n),
        "sodium": rng.normal(139.0, 4.0, n).round(),
        "drug_b": facts[:, 1].astype(np.float64),
    }
    return np.stack([columns[name] for name in TABLE_COLUMNS], axis=1).astype(np.float32)


def _hide(values: NDArray[np.float32], there: NDArray[np.bool_]) -> NDArray[np.float32]:
    hidden = values.copy()
    hidden[~there] = np.nan
    return hidden


def _write(
    facts: NDArray[np.bool_],
    table: NDArray[np.float32],
    films: ChestFilms,
    available: NDArray[np.bool_],
) -> list[str]:
    """One line a patient, saying only what is there."""
    reports = films.texts()
    lines = []
    for i, row in enumerate(table):
        parts = []
        if available[i, 0]:
            values = dict(zip(TABLE_COLUMNS, row.tolist(), strict=True))
            drug = "B" if values["drug_b"] else "A"
            parts.append(
                f"{values['age']:.0f} years, on drug {drug}. lactate {values['lactate']:.1f}."
            )
        if available[i, 1]:
            parts.append(f"film: {reports[i]}")
        if available[i, 2]:
            parts.append("ecg: " + ("atrial fibrillation." if facts[i, 3] else "sinus rhythm."))
        lines.append(" ".join(parts))
    return lines
