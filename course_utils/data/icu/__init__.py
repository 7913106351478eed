"""Synthetic ICU stays in the tables of MIMIC-IV, the loader of real ones, and event sequences."""

from course_utils.data.icu.catalogue import EFFECTS, EVENT_TYPES, STATIC_CATEGORIES, WINDOW_MINUTES
from course_utils.data.icu.demo import DEMO_URL, fetch_mimic_demo
from course_utils.data.icu.mimic import SCHEMA, connect_mimic
from course_utils.data.icu.scores import sofa_like
from course_utils.data.icu.sequences import (
    STATIC_NAMES,
    TIME_NAMES,
    EventSequences,
    count_table,
    encode_static,
    lab_numbers,
    lab_values,
    make_sequences,
)
from course_utils.data.icu.stays import IcuStays, make_icu_stays
from course_utils.data.icu.tokens import event_tokens

__all__ = [
    "DEMO_URL",
    "EFFECTS",
    "EVENT_TYPES",
    "SCHEMA",
    "STATIC_CATEGORIES",
    "STATIC_NAMES",
    "TIME_NAMES",
    "WINDOW_MINUTES",
    "EventSequences",
    "IcuStays",
    "connect_mimic",
    "count_table",
    "encode_static",
    "event_tokens",
    "fetch_mimic_demo",
    "lab_numbers",
    "lab_values",
    "make_icu_stays",
    "make_sequences",
    "sofa_like",
]
