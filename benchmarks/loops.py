"""Generators against a loop over samples: what drawing all samples at once is worth."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_seconds(make: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    make()
    return time.process_time() - start


def measure(n: int = 100) -> dict[str, float]:
    """Time of ``n`` calls for one sample each, in units of one call for ``n`` samples."""
    from course_utils.data.ecg import make_ecg
    from course_utils.data.icu import make_icu_stays
    from course_utils.data.notes import make_clinical_notes
    from course_utils.data.patients import make_patients
    from course_utils.data.radiology import make_chest_films

    generators: dict[str, Callable[[int, int], object]] = {
        "make_clinical_notes": lambda n, seed: make_clinical_notes(n, random_state=seed),
        "make_chest_films": lambda n, seed: make_chest_films(n, random_state=seed),
        "make_ecg": lambda n, seed: make_ecg(n, random_state=seed),
        "make_patients": lambda n, seed: make_patients(n, random_state=seed),
        "make_icu_stays": lambda n, seed: make_icu_stays(n, random_state=seed),
    }
    ratios = {}
    for name, make in generators.items():
        make(1, 0)  # warms up
        together = min(cpu_seconds(lambda make=make: make(n, 0)) for _ in range(3))
        apart = sum(cpu_seconds(lambda make=make, i=i: make(1, i)) for i in range(n))
        ratios[f"{name}: {n} calls for one / one call for {n}"] = apart / together
    return ratios
