"""Data generators: samples a second, and NeuroKit2's time in units of ours."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def seconds(make: Callable[[], object]) -> float:
    """Least CPU seconds of three calls after one that warms up."""
    make()
    times = []
    for _ in range(3):
        start = time.process_time()
        make()
        times.append(time.process_time() - start)
    return min(times)


def measure() -> dict[str, float]:
    """Thousands of samples a second by generator, and ratios against NeuroKit2."""
    from course_utils.data.ecg import make_ecg
    from course_utils.data.notes import make_clinical_notes
    from course_utils.data.radiology import make_chest_films

    notes = seconds(lambda: make_clinical_notes(20_000, random_state=0))
    films = seconds(lambda: make_chest_films(1_000, random_state=0))
    ecg = seconds(lambda: make_ecg(200, duration_s=10, sampling_rate=250, random_state=0)) / 200
    values = {
        "clinical notes, thousands a second": 20 / notes,
        "chest films, thousands a second": 1 / films,
        "ECG of 10 s at 250 Hz, thousands a second": 0.001 / ecg,
    }
    return values | neurokit_ratios(ecg)


def neurokit_ratios(ecg: float) -> dict[str, float]:
    """NeuroKit2's time for one signal in units of ours; empty where it is not installed."""
    try:
        from neurokit2 import ecg_simulate
    except ImportError:
        return {}
    ratios = {}
    for method in ("simple", "ecgsyn"):
        rng = np.random.default_rng(0)
        theirs = seconds(
            lambda method=method, rng=rng: ecg_simulate(
                duration=10, sampling_rate=250, method=method, random_state=int(rng.integers(99))
            )
        )
        ratios[f"neurokit2.ecg_simulate({method!r}) / make_ecg, one signal"] = theirs / ecg
    return ratios
