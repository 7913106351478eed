"""Synthetic clinical notes in which a finding may be asserted or negated.

A note is put together from statements such as ``denies chest pain but reports wheezing``. Every
statement knows which finding it asserts, which one it negates and which word decides that, so the
truth comes with the notes. The kinds of statement follow NegEx and ConText: cues before and after
the finding, lists under one cue, words that end a cue's reach, and phrases that only look like a
negation. Sentences without any finding carry the same cue words, so counting words is not enough.
A second, ``"shifted"`` grammar says the same things in phrases that the ordinary one never uses.

References
----------
Chapman et al. (2001), A simple algorithm for identifying negated findings and diseases in
discharge summaries. Harkema et al. (2009), ConText.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.data.notes.grammar import FORMS, Tables
from course_utils.data.notes.phrases import (
    CLASS_NAMES,
    FINDINGS,
    GRADED,
    KINDS,
    ORDINARY,
    SORTS,
)
from course_utils.data.notes.shifted import SHIFTED, SHIFTED_KINDS

__all__ = [
    "CLASS_NAMES",
    "FINDINGS",
    "FORMS",
    "KINDS",
    "SHIFTED_KINDS",
    "ClinicalNotes",
    "encode",
    "make_clinical_notes",
]

ASSERTED = np.array(
    [kind in ("plain", "ended", "pseudo", "history") for kind in SHIFTED_KINDS]
)  # KINDS come first


@dataclasses.dataclass(frozen=True)
class ClinicalNotes:
    """Notes as arrays, with the truth about every mention.

    Shapes: N notes, L longest note, C diagnoses, M places for mentions (class -1 where unused).

    Attributes
    ----------
    token_ids
        ``(N, L)`` int64, 0 behind the end of a note.
    lengths
        ``(N,)`` int64, words and punctuation marks of each note.
    labels
        ``(N, C)`` uint8, 1 when at least one finding of that diagnosis is asserted.
    mention_class
        ``(N, M)`` diagnosis of each mention, -1 where there is none.
    mention_finding
        ``(N, M)`` index into ``FINDINGS[class]``.
    mention_positions, mention_lengths
        ``(N, M)`` first token of the finding and how many it has.
    mention_asserted
        ``(N, M)`` bool.
    mention_kind
        ``(N, M)`` index into ``kind_names``.
    mention_form
        ``(N, M)`` index into ``FORMS``: written as in ``FINDINGS``, paraphrased or misspelled.
    cue_positions, cue_lengths
        ``(N, M)`` first token and number of tokens of the words that decide the status: the
        negation, the pseudo-negation, or the word that ends a negation's reach; -1 and 0 for
        ``plain``.
    vocabulary
        Word of every id; 0 is ``<pad>``, 1 is ``<unk>``.
    class_names
        Name of every diagnosis.
    kind_names
        Name of every kind of mention: ``KINDS``, or ``SHIFTED_KINDS``, which begin with them.
    """

    token_ids: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    mention_class: np.ndarray
    mention_finding: np.ndarray
    mention_positions: np.ndarray
    mention_lengths: np.ndarray
    mention_asserted: np.ndarray
    mention_kind: np.ndarray
    mention_form: np.ndarray
    cue_positions: np.ndarray
    cue_lengths: np.ndarray
    vocabulary: tuple[str, ...]
    class_names: tuple[str, ...] = CLASS_NAMES
    kind_names: tuple[str, ...] = KINDS

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def mentioned(self) -> np.ndarray:
        """``(N, C)`` bool: some finding of the diagnosis is mentioned, asserted or negated."""
        classes = np.arange(len(self.class_names))
        return (self.mention_class[:, :, None] == classes).any(axis=1)

    def take(self, index: np.ndarray | Sequence[int] | slice) -> ClinicalNotes:
        """Return the notes chosen by ``index`` (integers, a mask or a slice)."""
        index = index if isinstance(index, slice) else np.asarray(index)
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        arrays: dict[str, Any] = {
            k: v[index] for k, v in fields.items() if isinstance(v, np.ndarray)
        }
        return dataclasses.replace(self, **arrays)

    def words(self, i: int) -> list[str]:
        """Return the words of note ``i``, one for every token."""
        return [self.vocabulary[t] for t in self.token_ids[i, : self.lengths[i]]]

    def ids_in(self, vocabulary: Sequence[str]) -> np.ndarray:
        """Token ids ``(N, L)`` for a model of this vocabulary; words it lacks become ``<unk>``."""
        place = {word: i for i, word in enumerate(vocabulary)}
        return np.array([place.get(word, 1) for word in self.vocabulary])[self.token_ids]

    def texts(self, index: Iterable[int] | None = None) -> list[str]:
        """Write notes out: sentences start with a capital, punctuation touches its word."""
        rows = range(len(self)) if index is None else index
        return [_write(self.words(i)) for i in rows]


def _write(words: Sequence[str]) -> str:
    text = re.sub(r" ([.,:])", r"\1", " ".join(words))
    text = re.sub(r"\b(\d+) year old\b", r"\1-year-old", text)
    return re.sub(r"(^|\. )([a-z])", lambda m: m[1] + m[2].upper(), text)


def encode(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Turn texts of your own into token ids; words the ordinary notes never use become ``<unk>``.

    Returns
    -------
    token_ids, lengths
        ``(N, L)`` and ``(N,)`` int64, padded with 0 behind the end.
    """
    ids = {word: i for i, word in enumerate(phrase_tables("ordinary").vocabulary)}
    notes = [re.findall(r"[a-z]+|\d+|[.,:]", text.lower()) for text in texts]
    lengths = np.array([len(words) for words in notes], dtype=np.int64)
    token_ids = np.zeros((len(notes), max([0, *lengths])), dtype=np.int64)
    for row, words in zip(token_ids, notes, strict=True):
        row[: len(words)] = [ids.get(word, 1) for word in words]
    return token_ids, lengths


# -------------------------------------------------------------------------------- the generator


def make_clinical_notes(
    n_samples: int,
    *,
    random_state: int,
    max_statements: int = 3,
    kinds: Mapping[str, float] | None = None,
    remarks: float = 0.5,
    grammar: str = "ordinary",
) -> ClinicalNotes:
    """Make clinical notes with several diagnoses each, some asserted, some negated.

    Parameters
    ----------
    n_samples
        Number of notes; 0 works.
    random_state
        Seed of the generator; the same seed gives the same notes on every machine.
    max_statements
        A note holds 0 to this many statements about findings (few hold none).
    kinds
        Weights of the kinds of statement, e.g. ``{"plain": 1, "before": 1}``; possible are
        plain, before, list, after, mixed and pseudo, in the shifted grammar also uncertain, family
        and history. By default all of them.
    remarks
        Chance of a sentence without any finding at each of the places between statements.
    grammar
        ``"ordinary"``, or ``"shifted"``: the same findings in other people's words, with new cues,
        longer lists, paraphrases, misspellings, uncertainty, family and past. Its vocabulary
        begins with the ordinary one, so the ids of shared words agree.

    Raises
    ------
    ValueError
        If an argument is out of range, or ``kinds`` or ``grammar`` names something unknown.

    Examples
    --------
    >>> notes = make_clinical_notes(2, random_state=0)
    >>> notes.labels.shape
    (2, 4)
    """
    if n_samples < 0:
        raise ValueError(f"n_samples must not be negative, got {n_samples}")
    if not 1 <= max_statements <= 6:
        raise ValueError(f"max_statements must lie in 1..6, got {max_statements}")
    if not 0.0 <= remarks <= 1.0:
        raise ValueError(f"remarks must lie in 0..1, got {remarks}")
    tables = phrase_tables(grammar)
    weights = _weights(tables, kinds)
    rng = np.random.default_rng(random_state)
    sizes = [min(_BLOCK, n_samples - i) for i in range(0, max(n_samples, 1), _BLOCK)]
    blocks = [_block(tables, rng, size, max_statements, weights, remarks) for size in sizes]
    width = max(block["token_ids"].shape[1] for block in blocks)
    token_ids = np.zeros((n_samples, width), dtype=np.int64)
    for i, block in enumerate(blocks):
        part = block.pop("token_ids")
        token_ids[i * _BLOCK : i * _BLOCK + len(part), : part.shape[1]] = part
    arrays: dict[str, Any] = {
        name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]
    }
    return ClinicalNotes(
        token_ids=token_ids,
        vocabulary=tables.vocabulary,
        kind_names=tables.grammar.kinds,
        **arrays,
    )


_BLOCK = 8192  # notes made at once; a few megabytes that stay in the processor's cache


@functools.cache
def phrase_tables(grammar: str) -> Tables:
    """Tables of a grammar, made once."""
    if grammar == "ordinary":
        return Tables(ORDINARY, FINDINGS, SORTS, GRADED)
    if grammar == "shifted":
        return Tables(SHIFTED, FINDINGS, SORTS, GRADED, known=phrase_tables("ordinary").vocabulary)
    raise ValueError(f"grammar must be 'ordinary' or 'shifted', got {grammar!r}")


def _block(
    tables: Tables,
    rng: np.random.Generator,
    n: int,
    most: int,
    weights: np.ndarray,
    remarks: float,
) -> dict[str, np.ndarray]:
    """Make the arrays of ``n`` notes."""
    statement = _draw_statements(tables, rng, n, most, weights)
    kind = tables.kind[statement].reshape(n, most * tables.grammar.slots)
    chosen = _draw_findings(tables, rng, statement)
    form, phrase = _draw_forms(tables, rng, chosen)
    modifier = tables.modifiers[rng.integers(0, len(tables.modifiers), kind.shape)]
    pseudo = kind == KINDS.index("pseudo")
    modifier[~tables.graded[chosen] | (chosen < 0) | pseudo | (form > 0)] = tables.empty
    pieces = _assemble(tables, rng, statement, modifier, phrase, remarks)
    length = tables.phrase_length[pieces]
    end = np.cumsum(length, axis=1, dtype=np.int32)
    token_ids, lengths = _join(tables, pieces, length, end)
    mention_class = np.where(chosen < 0, -1, chosen // tables.each)
    return {
        "token_ids": token_ids,
        "lengths": lengths,
        "labels": _labels(mention_class, kind),
        "mention_class": mention_class.astype(np.int8),
        "mention_finding": np.where(chosen < 0, 0, chosen % tables.each).astype(np.int8),
        "mention_kind": kind.astype(np.int8),
        "mention_form": form,
        "mention_asserted": (chosen >= 0) & ASSERTED[kind],
        **_places(tables, statement, chosen >= 0, phrase, end - length),
    }


def _weights(tables: Tables, kinds: Mapping[str, float] | None) -> np.ndarray:
    kinds = tables.grammar.weights if kinds is None else kinds
    unknown = sorted(set(kinds) - set(tables.groups))
    if unknown:
        raise ValueError(f"kinds names {unknown}, known are {list(tables.groups)}")
    weights = np.array([float(kinds.get(group, 0.0)) for group in tables.groups])
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise ValueError(f"kinds needs weights >= 0 with a positive sum, got {dict(kinds)}")
    return weights / weights.sum()


def _draw_statements(
    tables: Tables, rng: np.random.Generator, n: int, most: int, weights: np.ndarray
) -> np.ndarray:
    """Draw the statements of every note, ``(n, most)``; 0 is no statement."""
    edges = np.cumsum(weights)[:-1]
    group = np.searchsorted(edges, rng.random((n, most)), side="right")
    within = (rng.random((n, most)) * tables.group_size[group]).astype(np.int64)
    count = np.where(rng.random(n) < 0.05, 0, rng.integers(1, most + 1, n))
    return np.where(np.arange(most) < count[:, None], tables.group_first[group] + within, 0)


def _draw_findings(tables: Tables, rng: np.random.Generator, statement: np.ndarray) -> np.ndarray:
    """Draw the finding of every slot, ``(n, M)``; -1 where the slot is unused.

    A finding makes sense in its sentence. Of the diagnoses that have one that does, the least named
    comes first, otherwise in an order drawn for the note; a note never names a finding twice.
    """
    n, classes, each = len(statement), tables.classes, tables.each
    used = tables.kind[statement].reshape(n, statement.shape[1] * tables.grammar.slots) >= 0
    order = 10.0 * rng.random((n, classes)).argsort(axis=1) + 1.0  # of the diagnoses
    score = np.repeat(order, each, axis=1) + rng.random((n, classes * each))
    chosen = np.full(used.shape, -1)
    for j in range(used.shape[1]):
        fits = tables.fits[statement[:, j // tables.grammar.slots], j % tables.grammar.slots]
        rows = np.flatnonzero(used[:, j])
        best = (score[rows] - 1e4 * ~fits[rows]).argmax(axis=1)
        chosen[rows, j] = best
        named = best // each
        for i in range(each):  # that diagnosis waits for the others now
            score[rows, named * each + i] -= 100.0
        score[rows, best] = -1e9
    return chosen


def _draw_forms(
    tables: Tables, rng: np.random.Generator, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw how every finding is written: form ``(n, M)``, and its phrase."""
    paraphrase, misspelling = tables.grammar.rewritten
    chance = rng.random(chosen.shape)
    form = np.where(chance < misspelling, 2, np.where(chance < misspelling + paraphrase, 1, 0))
    form[chosen < 0] = 0
    variant = rng.integers(0, tables.forms.shape[2], chosen.shape)
    phrase = np.where(chosen < 0, tables.empty, tables.forms[chosen, form, variant])
    return form.astype(np.int8), phrase


def _columns(statements: int, pieces: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of remarks ``(statements + 1,)`` and of pieces ``(statements, pieces)``."""
    remark = 3 + (1 + pieces) * np.arange(statements + 1)
    return remark, remark[:-1, None] + 1 + np.arange(pieces)


def _assemble(
    tables: Tables,
    rng: np.random.Generator,
    statement: np.ndarray,
    modifier: np.ndarray,
    phrase: np.ndarray,
    remarks: float,
) -> np.ndarray:
    """Lay out every note as a row of phrases: who, where, remarks and statements, closing."""
    n, most = statement.shape
    remark_at, piece_at = _columns(most, tables.grammar.pieces)
    pieces = np.empty((n, remark_at[-1] + 2), dtype=np.int32)
    opening = (tables.ages, tables.patients, tables.settings)
    for column, table in zip((0, 1, 2, -1), (*opening, tables.closings), strict=True):
        pieces[:, column] = table[rng.integers(0, len(table), n)]
    count = len(tables.remarks)
    first = rng.integers(0, count, (n, 1))
    stride = np.array([1, 5, 7, 11])[rng.integers(0, 4, (n, 1))]  # coprime: no remark twice
    remark = tables.remarks[(first + stride * np.arange(most + 1)) % count]
    keep = rng.random((n, most + 1)) < remarks
    pieces[:, remark_at] = np.where(keep, remark, tables.empty)
    pieces[:, piece_at[:, 0::3]] = tables.texts[statement]
    pieces[:, piece_at[:, 1::3].ravel()] = modifier
    pieces[:, piece_at[:, 2::3].ravel()] = phrase
    return pieces


def _join(
    tables: Tables, pieces: np.ndarray, length: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Write the words of the phrases one after another, padded behind."""
    lengths = end[:, -1]
    before = (np.cumsum(lengths) - lengths).astype(np.int32)  # words of all earlier notes
    shift = tables.phrase_first[pieces] - (end - length + before[:, None])
    counts = length.ravel()
    place = np.repeat(shift.ravel(), counts)
    place += np.arange(len(place), dtype=np.int32)
    token_ids = np.zeros((len(pieces), lengths.max(initial=0)), dtype=np.int64)
    token_ids[np.arange(token_ids.shape[1]) < lengths[:, None]] = tables.flat[place]
    return token_ids, lengths.astype(np.int64)


def _labels(mention_class: np.ndarray, kind: np.ndarray) -> np.ndarray:
    asserted = ASSERTED[kind]
    return np.stack(
        [((mention_class == c) & asserted).any(axis=1) for c in range(len(CLASS_NAMES))], axis=1
    ).astype(np.uint8)


def _places(
    tables: Tables, statement: np.ndarray, used: np.ndarray, phrase: np.ndarray, first: np.ndarray
) -> dict[str, np.ndarray]:
    """Where mentions and cues stand; ``first`` is the first token of every phrase of the note."""
    n, most = statement.shape
    slots = most * tables.grammar.slots
    _, piece_at = _columns(most, tables.grammar.pieces)
    # a cue lies in text piece number `cue_piece` of the same statement
    column = piece_at[:, :1] + 3 * tables.cue_piece[statement].reshape(
        n, most, tables.grammar.slots
    )
    cue = np.take_along_axis(first, column.reshape(n, slots), axis=1)
    cue_length = np.where(used, tables.cue_length[statement].reshape(n, slots), 0)
    cue = cue + tables.cue_offset[statement].reshape(n, slots)
    return {
        "mention_positions": np.where(used, first[:, piece_at[:, 2::3].ravel()], -1),
        "mention_lengths": np.where(used, tables.phrase_length[phrase], 0),
        "cue_positions": np.where(cue_length > 0, cue, -1),
        "cue_lengths": cue_length,
    }
