"""Synthetic clinical notes in which findings are asserted or negated."""

from course_utils.data.notes.notes import (
    CLASS_NAMES,
    FINDINGS,
    FORMS,
    KINDS,
    SHIFTED_KINDS,
    ClinicalNotes,
    encode,
    make_clinical_notes,
)
from course_utils.data.notes.rules import rule_labels, rule_status

__all__ = [
    "CLASS_NAMES",
    "FINDINGS",
    "FORMS",
    "KINDS",
    "SHIFTED_KINDS",
    "ClinicalNotes",
    "encode",
    "make_clinical_notes",
    "rule_labels",
    "rule_status",
]
