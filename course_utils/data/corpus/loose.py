"""Sentences put together at random, for probing: only a cue and its reach tell the status."""

from __future__ import annotations

import numpy as np

from course_utils.data.corpus import templates as words
from course_utils.data.corpus.corpus import AssertionSentences
from course_utils.data.corpus.scope import KEPT_BACK, loose_name, sentence
from course_utils.data.corpus.writer import Writer

__all__ = ["make_loose_sentences"]

POSSIBLE = 0.1  # share of the clauses that call their names possible


def make_loose_sentences(
    n_samples: int, *, random_state: int | np.random.Generator
) -> AssertionSentences:
    """Write sentences of random words, each with one name to ask about.

    Half of the names are findings of the corpus, half were never read. Every sentence counts as a
    template of its own; ``finding`` is -1 for a name that was never read.

    Raises
    ------
    ValueError
        If ``n_samples`` is not a non-negative integer.
    """
    if isinstance(n_samples, bool) or not isinstance(n_samples, (int, np.integer)) or n_samples < 0:
        raise ValueError(f"n_samples must be a non-negative integer, got {n_samples!r}")
    writer = Writer(random_state)
    rows: list[tuple[str, str, int, int, int]] = []
    while len(rows) < n_samples:
        told: list[tuple[list[str], int]] = []
        numbers: dict[str, int] = {}
        for _ in range(1 + (writer.random() < 0.4) + (writer.random() < 0.2)):
            status = 2 if writer.random() < POSSIBLE else writer.below(2)
            names = []
            for _ in range(1 + (writer.random() < 0.3) * (1 + writer.below(3))):
                known = writer.below(len(words.FINDINGS)) if writer.random() < 0.5 else -1
                names.append(loose_name(writer) if known < 0 else writer.name(known))
                numbers[names[-1]] = known
            told.append((names, status))
        text = sentence(writer, told)
        names, status = told[writer.below(len(told))]
        name = writer.pick(names)
        if text.lower().count(name.lower()) == 1 and not KEPT_BACK.search(text):
            start = text.lower().index(name.lower())
            called = text[start : start + len(name)]
            rows.append((text, called, start, numbers[name], status))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    starts = np.array(columns[2], dtype=np.int64)
    return AssertionSentences(
        tuple(columns[0]),
        tuple(columns[1]),
        starts,
        starts + np.array([len(name) for name in columns[1]], dtype=np.int64),
        np.array(columns[3], dtype=np.int64),
        np.arange(len(rows)),
        np.array(columns[4], dtype=np.int64),
    )
