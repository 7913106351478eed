"""Synthetic ECGs with their true R-peaks, and real records read the same way."""

from course_utils.data.ecg.ecg import (
    ECG,
    LEADS,
    NOISE_PRESETS,
    RATE_RANGES,
    RHYTHMS,
    WAVES,
    make_ecg,
    score_r_peaks,
)
from course_utils.data.ecg.hard import HARD_KINDS, make_hard_ecg
from course_utils.data.ecg.records import (
    BEAT_SYMBOLS,
    flutter_episodes,
    read_record,
    score_records,
)

__all__ = [
    "BEAT_SYMBOLS",
    "ECG",
    "HARD_KINDS",
    "LEADS",
    "NOISE_PRESETS",
    "RATE_RANGES",
    "RHYTHMS",
    "WAVES",
    "flutter_episodes",
    "make_ecg",
    "make_hard_ecg",
    "read_record",
    "score_r_peaks",
    "score_records",
]
