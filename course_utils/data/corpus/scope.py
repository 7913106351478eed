"""Sentences put together at random, in which only the cues and their scope tell what is denied.

Templates are few, and a model soon knows them by heart. Here almost everything is random: words
before, between and behind, names of one to four words, lists, headings, numbers. What stays is what
NegEx and ConText describe: cues before and behind a name, words that end their scope, and phrases
that only look like a negation. The sentences are not meant to make sense.

References
----------
Chapman et al. (2001), J Biomed Inform 34. Harkema et al. (2009), J Biomed Inform 42.
"""

from __future__ import annotations

import re

from course_utils.data.corpus import templates as words
from course_utils.data.corpus.writer import Writer

__all__ = ["KEPT_BACK", "loose_name", "sentence"]

_LISTS = words.sections("scope.txt")
CUES = set("not without possible likely unlikely denied negative absent positive".split())  # noqa: SIM905
ORDINARY = [word for word in " ".join(_LISTS["ORDINARY"]).split() if word not in CUES]
TERMS = [word for word in " ".join(_LISTS["TERMS"]).split() if word not in CUES]
BEFORE = (_LISTS["ASSERTED_BEFORE"], _LISTS["NEGATED_BEFORE"], _LISTS["POSSIBLE_BEFORE"])
BEHIND = (_LISTS["ASSERTED_AFTER"], _LISTS["NEGATED_AFTER"], _LISTS["POSSIBLE_AFTER"])
STARTS = "peri endo hyper hypo poly para dys micro pseudo".split()  # noqa: SIM905
KEPT_BACK = re.compile(
    rf"\b(?:{'|'.join(name for names in words.HELD_OUT_FINDINGS for name in names)})\b", re.I
)


def loose_words(writer: Writer, most: int) -> str:
    """Up to ``most`` ordinary words, now and then a number or a comma."""
    chosen = []
    for _ in range(writer.below(most + 1)):
        kind = writer.random()
        if kind < 0.06:
            chosen.append(str(writer.below(200)))
        elif kind < 0.2:
            chosen.append(writer.pick(TERMS))
        else:
            chosen.append(writer.pick(ORDINARY) + ("," if kind > 0.97 else ""))
    return " ".join(chosen)


def loose_name(writer: Writer) -> str:
    """A name nobody has read: one to four words, or a term put together from parts."""
    kind = writer.random()
    if kind < 0.15:
        return writer.pick(STARTS) + writer.term()
    count = 1 + writer.below(2) + (writer.random() < 0.3) + (writer.random() < 0.15)
    picked = [writer.pick(TERMS if writer.random() < 0.6 else ORDINARY) for _ in range(count)]
    return " ".join(picked)


def listing(writer: Writer, names: list[str], status: int) -> str:
    """Names in a row, each sometimes with words before it."""
    dressed = []
    for name in names:
        kind = writer.random()
        if kind < 0.15:
            name = f"{writer.pick(words.MODIFIERS)} {name}"
        elif kind < 0.25:
            name = f"{loose_words(writer, 2)} {name}".strip()
        dressed.append(name)
    if len(dressed) == 1:
        return dressed[0]
    last = ("and", "or", "or")[status] if writer.random() < 0.7 else writer.pick(("and", "or"))
    comma = "," if writer.random() < 0.5 else ""
    return f"{', '.join(dressed[:-1])}{comma} {last} {dressed[-1]}"


def clause(writer: Writer, names: list[str], status: int) -> str:
    """One clause on names of one status."""
    called = listing(writer, names, status)
    parts = [loose_words(writer, 7) if writer.random() < 0.7 else ""]
    kind = writer.random()
    if kind < (0.45, 0.78, 0.7)[status]:
        parts += [writer.pick(BEFORE[status])]
        if writer.random() < 0.35:
            parts += [writer.pick(_LISTS["GAP"])]
        if writer.random() < 0.2:
            parts += [loose_words(writer, 3)]
        parts += [called]
    elif status == 0 and kind < 0.55:
        parts += [writer.pick(_LISTS["PSEUDO_BEFORE"]), called]
    elif status or kind < 0.7:
        gap = loose_words(writer, 3) if writer.random() < 0.3 else ""
        parts += [called, gap, writer.pick(BEHIND[status])]
    else:
        parts += [called]
    parts += [loose_words(writer, 6) if writer.random() < 0.6 else ""]
    return " ".join(part for part in parts if part)


def decoy(writer: Writer) -> str:
    """A clause with a cue that speaks of ordinary words alone."""
    groups = (*BEFORE, *BEHIND)
    cue = writer.pick(groups[writer.below(len(groups))])
    return f"{loose_words(writer, 5)} {cue} {loose_words(writer, 5)}".strip()


def sentence(writer: Writer, told: list[tuple[list[str], int]]) -> str:
    """Clauses in a row; between two of different status stands what ends a scope."""
    text = writer.pick(_LISTS["HEADS"]) + " " if writer.random() < 0.15 else ""
    before = -1
    if writer.random() < 0.2:
        text += decoy(writer) + writer.pick(_LISTS["ENDERS"]) + " "
    for names, status in told:
        if before >= 0:
            glue = [", ", "; ", ". ", " and "] if before == 0 else []
            text += writer.pick(glue) if glue and writer.random() < 0.6 else _ender(writer)
        text += clause(writer, names, status)
        before = status
    if writer.random() < 0.2:
        text += _ender(writer) + decoy(writer)
    return f"{text[0].upper()}{text[1:]}."


def _ender(writer: Writer) -> str:
    return writer.pick(_LISTS["ENDERS"]) + " "
