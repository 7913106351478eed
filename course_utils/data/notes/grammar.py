"""How notes are put together: a grammar as data, and its phrases as arrays of tokens."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np

SORT_LETTERS = "SELD"  # symptom, bedside sign, laboratory value, diagnosis
FORMS = ("as written", "paraphrase", "misspelled")


@dataclasses.dataclass(frozen=True)
class Grammar:
    """What notes are made of; :mod:`course_utils.data.notes.phrases` says how it is written.

    Attributes
    ----------
    statements, weights
        Group -> sentences with slots for findings, and how often the group is drawn.
    kinds
        Names of the kinds of mention that the slots use.
    remarks, settings, closings, ages, patients, modifiers
        The other parts of a note. A note holds no remark twice, so their number must have no
        factor in common with 5, 7 and 11.
    forms
        Finding -> (paraphrases, misspellings); findings that are missing stay as they are.
    slots
        Findings a statement, at most.
    rewritten
        Chance of a paraphrase and of a misspelling of a finding.
    """

    statements: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, float]
    kinds: tuple[str, ...]
    remarks: tuple[str, ...]
    settings: tuple[str, ...]
    closings: tuple[str, ...]
    ages: tuple[str, ...]
    patients: tuple[str, ...]
    modifiers: tuple[str, ...]
    forms: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    slots: int
    rewritten: tuple[float, float] = (0.0, 0.0)

    @property
    def pieces(self) -> int:
        """Pieces of a statement: a text, then (modifier, finding, text) for every slot."""
        return 3 * self.slots + 1


class Tables:
    """Everything a note is made of, as arrays: phrases (rows of tokens) and statements.

    Parameters
    ----------
    grammar
        What to lay out.
    findings
        Diagnosis -> its findings, equally many each.
    sorts, graded
        Sorts of a finding (``D`` where missing), and the findings that may be mild or severe.
    known
        Words whose ids are taken already; new ones follow them.
    """

    def __init__(
        self,
        grammar: Grammar,
        findings: Mapping[str, Sequence[str]],
        sorts: Mapping[str, str],
        graded: frozenset[str],
        known: Sequence[str] = ("<pad>", "<unk>"),
    ) -> None:
        self.grammar = grammar
        self.vocabulary = tuple(known)
        self._ids = {word: i for i, word in enumerate(known)}
        self._phrases: dict[str, int] = {}
        self.phrase_tokens: list[list[int]] = []
        self.ages, self.patients = self.phrases(grammar.ages), self.phrases(grammar.patients)
        self.settings, self.remarks = self.phrases(grammar.settings), self.phrases(grammar.remarks)
        self.closings = self.phrases(grammar.closings)
        self.modifiers = self.phrases(grammar.modifiers)
        names = [name for group in findings.values() for name in group]
        self.classes, self.each = len(findings), len(names) // len(findings)
        self.forms = self._forms(names)  # (findings, forms, variants)
        self.graded = np.array([name in graded for name in names])
        letters = [sorts.get(name, "D") for name in names]
        self.sort_of = np.array([[s in given for s in SORT_LETTERS] for given in letters])
        self.empty = self._phrase("")
        self._lay_out_statements()
        self.phrase_length = np.array([len(p) for p in self.phrase_tokens], dtype=np.int32)
        self.phrase_first = np.cumsum(self.phrase_length, dtype=np.int32) - self.phrase_length
        self.flat = np.array([t for p in self.phrase_tokens for t in p])

    def _lay_out_statements(self) -> None:
        """Per statement: text pieces, and per slot kind, cue (piece, offset, length), findings."""
        groups = self.grammar.statements
        self.groups = tuple(groups)
        rows = [self._statement("")]
        rows += [self._statement(text) for group in groups.values() for text in group]
        self.group_size = np.array([len(group) for group in groups.values()])
        self.group_first = 1 + np.cumsum(self.group_size) - self.group_size
        self.texts, self.kind, sorts, self.cue_piece, self.cue_offset, self.cue_length = (
            np.array([row[i] for row in rows]) for i in range(6)
        )
        self.fits = (sorts[:, :, None, :] & self.sort_of).any(-1)  # (statements, slots, findings)

    def _forms(self, names: Sequence[str]) -> np.ndarray:
        """Phrases of every finding, (findings, forms, variants): repeated where there are fewer."""
        same = self.grammar.forms
        rows = [((name,), *same.get(name, ((name,), (name,)))) for name in names]
        most = max(len(texts) for row in rows for texts in row)
        return np.array(
            [
                [self.phrases([texts[i % len(texts)] for i in range(most)]) for texts in row]
                for row in rows
            ]
        )

    def _phrase(self, text: str) -> int:
        if text not in self._phrases:
            for word in text.split():
                if word not in self._ids:
                    self._ids[word] = len(self.vocabulary)
                    self.vocabulary += (word,)
            self._phrases[text] = len(self.phrase_tokens)
            self.phrase_tokens.append([self._ids[word] for word in text.split()])
        return self._phrases[text]

    def phrases(self, texts: Sequence[str]) -> np.ndarray:
        """Numbers of these phrases."""
        return np.array([self._phrase(text) for text in texts])

    def _statement(self, text: str) -> tuple[list, ...]:
        slots = self.grammar.slots
        parts = re.split(r"\{([^}]*)\}", text)
        pieces = parts[::2]
        cues = []  # (piece, offset in words, words)
        for number, piece in enumerate(pieces):
            for cue in re.finditer(r"\[([^]]*)\]", piece):
                before = re.sub(r"[\[\]]", "", piece[: cue.start()]).split()
                cues.append((number, len(before), len(cue[1].split())))
        kinds, deciding = [-1] * slots, [(0, 0, 0)] * slots
        sorts = [[True] * len(SORT_LETTERS)] * slots
        for i, slot in enumerate(parts[1::2]):
            name, which, letters = re.fullmatch(r"(\w+)(?::(\d))?(?:/(\w+))?", slot).groups()  # type: ignore[union-attr]
            kinds[i] = self.grammar.kinds.index(name)
            sorts[i] = [s in (letters or SORT_LETTERS) for s in SORT_LETTERS]
            if name != "plain":
                deciding[i] = cues[int(which or 0)]
        texts = [self._phrase(" ".join(re.sub(r"[\[\]]", "", p).split())) for p in pieces]
        texts += [self._phrase("")] * (slots + 1 - len(texts))
        return (texts, kinds, sorts, *map(list, zip(*deciding, strict=True)))
