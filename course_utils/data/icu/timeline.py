"""What stays, rows and tables share: the drawn timeline and the effects planted in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.data.icu.catalogue import EFFECTS


@dataclass(frozen=True)
class Timeline:
    """Everything about the stays but their events; the first ``n_eligible`` are eligible."""

    n_eligible: int
    patient: np.ndarray  # (M,) index of the patient
    admission: np.ndarray  # (M,) index of the admission
    intime: np.ndarray  # (M,) datetime64[s]
    minutes: np.ndarray  # (M,) length of stay; for the odd one unknown: see ``open``
    open: np.ndarray  # (M,) bool: no outtime
    died: np.ndarray  # (M,) bool: in this admission
    minutes_to_death: np.ndarray  # (M,) from intime; meaningful where ``died``
    age: np.ndarray  # (M,)
    ids: dict[str, np.ndarray]  # subject_id (P,), hadm_id (A,), stay_id (M,)
    static: dict[str, np.ndarray]  # category numbers; gender and race by patient, others by stay


def planted_effects(planted: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What each planted event changes in the true log-odds of its stay, (N,) each."""
    here = {name: minutes >= 0 for name, minutes in planted.items()}
    both = here["high lactate"] & here["norepinephrine"]
    joint = EFFECTS["high lactate and norepinephrine"] * both
    bare = EFFECTS["resistant culture, no vancomycin"]
    treated = EFFECTS["resistant culture, vancomycin"]
    culture = here["resistant culture"]
    return {
        "high lactate": EFFECTS["high lactate"] * here["high lactate"] + joint,
        "norepinephrine": EFFECTS["norepinephrine"] * here["norepinephrine"] + joint,
        "late ventilation": EFFECTS["late ventilation"] * here["late ventilation"],
        "resistant culture": np.where(here["vancomycin"], treated, bare) * culture,
        "vancomycin": (treated - bare) * (culture & here["vancomycin"]),
        "dialysis": EFFECTS["dialysis"] * here["dialysis"],
        "enteral nutrition": EFFECTS["enteral nutrition"] * here["enteral nutrition"],
    }
