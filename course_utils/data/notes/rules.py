"""Labels by rule, in the manner of NegEx and ConText: cues, their reach, and what ends it.

References
----------
Chapman et al. (2001), A simple algorithm for identifying negated findings and diseases in discharge
summaries (NegEx: a cue reaches five words). Harkema et al. (2009), ConText (a cue reaches until a
termination term; also experiencer and time).
"""

from __future__ import annotations

import functools
import re

import numpy as np

from course_utils.data.notes.phrases import CLASS_NAMES, FINDINGS

__all__ = ["rule_labels", "rule_status"]

BEFORE = (
    *("denies", "no", "no evidence of", "no signs of", "negative for", "without", "free of"),
    *("ruled out", "fails to reveal", "never had"),
)
AFTER = ("ruled out", "unlikely", "excluded", "not seen", "not present", "negative")
ONLY_LOOKS_NEGATIVE = (
    *("no increase in", "no change in", "no interval change in", "not only"),
    *("without difficulty", "gram negative"),
)
TERMINATORS = ("but", "however", "although", "except")
# What longer lists, such as the published ones, add. They were chosen knowing the shifted grammar.
WIDER_BEFORE = (
    *("absence of", "not", "never", "lacks", "nothing to suggest", "declines", "rules out"),
    *("possible", "cannot exclude", "suspected", "may represent", "question of"),
    *("family history of", "mother", "father", "brother", "sister"),
)
WIDER_AFTER = ("absent", "not found", "cannot be excluded", "resolved")
WIDER_PSEUDO = (
    *("no further increase in", "no significant change in", "not just", "no doubt about"),
    *("without any difficulty", "not necessarily", "not certain if"),
)
WIDER_TERMINATORS = ("yet", "though", "still", "apart from", "aside from", "nevertheless")

# Of what is only possible, as in ConText's list.
HEDGES = (
    *("possible", "possibly", "probable", "suspected", "suspects", "likely", "may", "might"),
    *("question of", "questionable", "concern for", "rule out", "to be ruled out", "not clear"),
    *("not sure", "not certain", "could not", "cannot", "not been ruled out", "not been excluded"),
    *("not yet been excluded", "was not excluded", "was not ruled out"),
)


@functools.cache
def _words(phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(phrases, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(longest_first) + r")\b")


@functools.cache
def _class_of() -> dict[str, int]:
    return {finding: c for c, name in enumerate(CLASS_NAMES) for finding in FINDINGS[name]}


def rule_labels(text: str, reach: int | None = None, *, wider: bool = False) -> np.ndarray:
    """Labels of one note by rule: a finding counts unless a cue in its clause reaches it.

    Parameters
    ----------
    text
        The note.
    reach
        How many words a cue reaches, 5 in NegEx; None: until a terminator or the sentence's end,
        as in ConText.
    wider
        Whether to use longer lists, with cues and terminators such as the published systems have
        (also for uncertainty and for relatives). They were written by somebody who knows the
        shifted grammar, so they show the rule at its best there.

    Returns
    -------
    numpy.ndarray
        ``(C,)`` uint8.
    """
    ends = TERMINATORS + (WIDER_TERMINATORS if wider else ())
    pseudo = ONLY_LOOKS_NEGATIVE + (WIDER_PSEUDO if wider else ())
    before = BEFORE + (WIDER_BEFORE if wider else ())
    after = AFTER + (WIDER_AFTER if wider else ())
    labels = np.zeros(len(CLASS_NAMES), dtype=np.uint8)
    findings = _class_of()
    for sentence in text.lower().split("."):
        for part in _words(ends).split(sentence):
            clause = _words(pseudo).sub(" ", part)
            for match in _words(tuple(findings)).finditer(clause):
                left, right = clause[: match.start()].split(), clause[match.end() :].split()
                if reach is not None:
                    left, right = left[max(0, len(left) - reach) :], right[:reach]
                negated = _words(before).search(" ".join(left)) or _words(after).search(
                    " ".join(right)
                )
                labels[findings[match[0]]] |= not negated
    return labels


def rule_status(text: str, start: int, end: int) -> int:
    """Status of the finding at ``text[start:end]`` by the longer lists: its index in STATUSES.

    Returns
    -------
    int
        0 asserted, 1 negated, 2 possible; what is hedged is possible, whatever else is said of it.
    """
    before, after = text[:start].lower(), text[end:].lower()
    left = _words(TERMINATORS + WIDER_TERMINATORS).split(before.split(".")[-1])[-1]
    right = _words(TERMINATORS + WIDER_TERMINATORS).split(after.split(".")[0])[0]
    if _words(HEDGES).search(left) or _words(HEDGES).search(right):
        return 2
    left = _words(ONLY_LOOKS_NEGATIVE + WIDER_PSEUDO).sub(" ", left)
    return int(bool(_words(BEFORE + WIDER_BEFORE[:7]).search(left)
                    or _words(AFTER + WIDER_AFTER[:2]).search(right)))  # fmt: skip
