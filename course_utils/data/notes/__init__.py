"""Synthetic clinical notes in which findings are asserted or negated."""

from course_utils.data.notes.notes import (
    CLASS_NAMES,
    FINDINGS,
    KINDS,
    ClinicalNotes,
    encode,
    make_clinical_notes,
)

__all__ = [
    "CLASS_NAMES",
    "FINDINGS",
    "KINDS",
    "ClinicalNotes",
    "encode",
    "make_clinical_notes",
]
