"""The exercises of notebook 04, by name; each module of checks adds its own."""

from __future__ import annotations

from course_utils.checks.notebook import Notebook

__all__ = ["NOTEBOOK", "summary"]

NOTEBOOK = Notebook("04_clinicalbert_embeddings", written=5)
summary = NOTEBOOK.summary
