"""Which findings a sentence may speak of, so that no sentence for probing or search is absurd.

No MRI shows hoarseness, nobody feels a nodule at night, nobody wakes up "a month ago". The notes
that the shipped model was trained on are older and more careless: they combine at random.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

from course_utils.data.corpus import templates as words

__all__ = ["GROUPS", "HELD_OUT_GROUPS", "STATUSES", "suits", "tests_for"]

STATUSES = ("asserted", "negated", "possible")
ALL = words.FINDINGS + words.HELD_OUT_FINDINGS
NUMBER = {names[0]: number for number, names in enumerate(ALL)}

IMAGING = ("CT", "MRI", "the scan")
CHEST = ("CT", "the chest film", "the scan")
BELLY = ("CT", "ultrasound", "the scan")
EXAM = ("physical exam",)
BLOOD = ("laboratory tests",)
TESTS: dict[str, tuple[str, ...]] = {
    "fever": EXAM,
    "swelling": (*EXAM, "ultrasound"),
    "bleeding": (*EXAM, *IMAGING),
    "hypertension": EXAM,
    "myocardial infarction": ("the ECG", *BLOOD),
    "hematuria": BLOOD,
    "weakness": EXAM,
    "confusion": EXAM,
    "rash": EXAM,
    "numbness": EXAM,
    "wheezing": EXAM,
    "pneumonia": CHEST,
    "effusion": (*CHEST, "ultrasound", *EXAM),
    "infection": (*BLOOD, *EXAM),
    "fracture": (*IMAGING, *EXAM),
    "diabetes": BLOOD,
    "stroke": IMAGING,
    "anemia": BLOOD,
    "ascites": (*BELLY, *EXAM),
    "jaundice": (*EXAM, *BLOOD),
    "tremor": EXAM,
    "pneumothorax": (*CHEST, "ultrasound", *EXAM),
    "thrombosis": ("CT", "ultrasound", "the scan"),
    "bruising": EXAM,
    "cyanosis": EXAM,
    "nodule": (*CHEST, "MRI", "ultrasound"),
}
# Found by doctors and tests, not felt.
SILENT = """hypertension|myocardial infarction|pneumonia|effusion|infection|fracture|diabetes|stroke
anemia|ascites|pneumothorax|thrombosis|nodule|cyanosis|jaundice|syncope|weight change"""
FELT = re.compile(
    r"\b(woke|felt|feels?|noticed|bothered|troubled|describe[sd]?|complain\w*|rested|relief)\b"
    r"|secondary to \{drug\}"
)
EXAMINED = re.compile(r"\b[Ee]xam\b")
MOMENT = re.compile(r"\b(woke|rested|never gets|gets)\b")  # of these, sensible once or not at all
HEDGED = re.compile(r"\b(likely|not been ruled out|not be ruled out)\b", re.I)

_POSSIBLE = words.sections("possible.txt")
# Templates by status, in the order of STATUSES; what is hedged is neither asserted nor negated.
GROUPS = (
    [line for line in words.ASSERTED if not HEDGED.search(line)],
    words.NEGATED,
    _POSSIBLE["POSSIBLE"],
)
HELD_OUT_GROUPS = (
    [line for line in words.HELD_OUT_ASSERTED if not HEDGED.search(line)],
    words.HELD_OUT_NEGATED,
    _POSSIBLE["HELD_OUT_POSSIBLE"],
)


def tests_for(findings: Collection[int]) -> list[str]:
    """Tests that can show every one of these findings."""
    shared = [set(TESTS.get(ALL[f][0], ())) for f in findings]
    return [test for test in words.SLOTS["test"] if all(test in tests for tests in shared)]


@functools.cache
def suits(template: str) -> frozenset[int]:
    """Findings (indices, those held out too) that the template may speak of."""
    numbers = set(range(len(ALL)))
    if "{test}" in template:
        numbers &= {NUMBER[name] for name in TESTS}
    if EXAMINED.search(template):
        numbers &= {NUMBER[name] for name, tests in TESTS.items() if "physical exam" in tests}
    if FELT.search(template):
        numbers -= {NUMBER[name] for name in re.split(r"[|\n]", SILENT)}
    if template.count("{f}") > 1 or (MOMENT.search(template) and "{time}" in template):
        numbers = set()  # two different findings, or a moment long ago
    return frozenset(numbers)
