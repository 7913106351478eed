"""Data generators: samples a second, and NeuroKit2's time in units of ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


def seconds(make: Callable[[], object]) -> float:
    """Least CPU seconds of five calls after one that warms up."""
    make()
    times = []
    for _ in range(5):
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
    values = {
        "clinical notes, thousands a second": 20 / notes,
        "chest films, thousands a second": 1 / films,
    }
    for duration, records in ((10, 200), (60, 200), (10, 1)):
        make = partial(make_ecg, records, duration_s=duration, noise="ward", random_state=0)
        ecg = seconds(make)
        where = f"{duration} s at 250 Hz with all noise, {records} at once"
        values[f"ECG of {where}, thousands a second"] = 0.001 * records / ecg
        values |= neurokit_ratios(ecg / records, duration, where)
    return values


def neurokit_ratios(ecg: float, duration: int, where: str) -> dict[str, float]:
    """NeuroKit2's time for one signal in units of ours; empty where it is not installed."""
    try:
        from neurokit2 import ecg_simulate
    except ImportError:
        return {}
    ratios = {}
    for method in ("simple", "ecgsyn"):
        make = partial(
            ecg_simulate, duration=duration, sampling_rate=250, method=method, random_state=0
        )
        theirs = seconds(make)
        ratios[f"neurokit2.ecg_simulate({method!r}) / make_ecg, {where}"] = theirs / ecg
    return ratios
