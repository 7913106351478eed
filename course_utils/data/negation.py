"""Reads sentences with a concept and its status, as in the test set of NegEx.

The table has a row a sentence: the concept, the sentence (the concept in capitals in it), and
*Affirmed* or *Negated*, with tabs between. ``github.com/chapmanbe/negex`` has such a table.

References
----------
Chapman et al. (2001), A simple algorithm for identifying negated findings and diseases in discharge
summaries, J Biomed Inform 34.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["RealSentences", "around", "read_negation"]

COLUMNS = ("Concept", "Sentence", "Negation")
MARK = re.compile(r"\*\*(\w+?)(\[[^\]]*\])?(?=\W|$)")  # where something was taken out, **NAME[...]


@dataclass(frozen=True)
class RealSentences:
    """Sentences, where their concept stands, and whether it is denied.

    Attributes
    ----------
    texts : tuple of str (N,), white space made one and the concept in small letters
    start, end : int arrays (N,), character span of the concept
    negated : bool array (N,)
    left_out : number of rows whose sentence does not hold the concept, or not whole
    """

    texts: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    negated: np.ndarray
    left_out: int


def read_negation(path: str | Path) -> RealSentences:
    """Read a table of real sentences; marks of de-identification become plain words.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a column is missing or a status is neither *Affirmed* nor *Negated*.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no table of sentences at {path}")
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t")
        missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
        if missing:
            raise ValueError(f"{path.name} lacks the columns {', '.join(missing)}")
        lines = [[line[name] or "" for name in COLUMNS] for line in table]
    rows = []
    for number, (concept, sentence, status) in enumerate(lines, 2):
        if status.strip() not in ("Affirmed", "Negated"):
            raise ValueError(f"{path.name}, row {number}: status {status!r}, not Affirmed, Negated")
        text = " ".join(MARK.sub(lambda match: match[1].lower(), sentence).split())
        concept = " ".join(concept.split())
        place = re.compile(rf"(?<!\w){re.escape(concept)}(?!\w)", re.IGNORECASE)
        places = list(place.finditer(text)) if concept else []
        if places:
            spot = next((p for p in places if p[0].isupper()), places[0])
            text = text[: spot.start()] + concept.lower() + text[spot.end() :]
            rows.append((text, *spot.span(), status.strip() == "Negated"))
    texts, start, end, negated = zip(*rows, strict=True) if rows else ((), (), (), ())
    return RealSentences(
        tuple(texts),
        np.array(start, dtype=np.int64),
        np.array(end, dtype=np.int64),
        np.array(negated, dtype=bool),
        len(lines) - len(rows),
    )


def around(text: str, start: int, end: int, fits: Callable[[str], bool]) -> tuple[str, int, int]:
    """As many words around ``text[start:end]`` as ``fits`` allows, and the span in what is left.

    Raises
    ------
    ValueError
        If not even the span alone fits.
    """
    left, right = text[:start].split(" "), text[end:].split(" ")
    for words in range(30, -1, -3):
        before = " ".join(left[-1 - words :]) if words else ""
        after = " ".join(right[: 1 + words]) if words else ""
        part = before + text[start:end] + after
        if fits(part):
            return part, len(before), len(before) + end - start
    raise ValueError(f"{text[start:end]!r} alone is too long")
