"""Answers that are alike in rare parts, and how often chance alone makes a pair as alike.

What everybody may have is taken out first: parts of the release, the hints and the model answer,
and what more than a tenth of the class wrote. What is left is compared per exercise. A pair of
students is shown when it is alike in so much that classes with the answers shuffled among the
students hardly ever hold such a pair. That is a reason to talk, and no more.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classroom.authoring.preprocessors import cleared
from classroom.authoring.source import NotebookSource, read_source
from classroom.gradebook.parts import code_parts, prose_parts
from classroom.gradebook.results import Submission

__all__ = ["Group", "Lookalikes", "Pair", "class_look_alikes", "common_parts", "look_alikes"]

SHUFFLES = 200
SELDOM = 0.05  # share of shuffled classes that may hold a pair as alike as one that is shown
FEWEST = 6  # students below whom nothing is compared
COMMON, COMMON_SHARE = 5, 0.1  # a part of more students than this is common
PARTS = 4
Answers = Mapping[str, Mapping[str, str]]


@dataclass
class Pair:
    """Two students, the exercises that they are alike in, and the base rate.

    Attributes
    ----------
    students
        Their names.
    rate
        Share of shuffled classes in which some pair is at least as alike.
    evidence
        By exercise: the number of rare parts shared, of how many the shorter answer has, and the
        rarest of them with the number of students who have each.
    """

    students: tuple[str, str]
    rate: float
    evidence: list[tuple[str, int, int, list[tuple[str, int]]]]


@dataclass
class Group:
    """Students who are joined by pairs."""

    students: list[str]
    pairs: list[Pair]


@dataclass
class Lookalikes:
    """What was found, and how many students and shuffled classes it rests on."""

    groups: list[Group] = field(default_factory=list)
    students: int = 0
    exercises: int = 0
    shuffles: int = SHUFFLES
    seldom: float = SELDOM
    by_chance: float = 0.0  # mean number of pairs in a shuffled class that would be shown


def class_look_alikes(
    root: Path,
    assignment: str,
    submissions: Sequence[Submission],
    results: Sequence[Mapping[str, Any]],
) -> Lookalikes:
    """Compare the repaired notebooks of a class that were attempted; nothing runs."""
    source = read_source(root, assignment)
    names = {*source.exercises, *source.written}
    paths = {s.student: s.notebook for s in submissions if s.notebook is not None}
    right: dict[str, dict[str, bool]] = {}
    blank: dict[str, set[str]] = {}
    for result in results:
        entries = result["exercises"].items()
        right[result["student"]] = {n: e["status"] == "right" for n, e in entries}
        blank[result["student"]] = {n for n, e in entries if e["status"] == "not attempted"}
    answers = {
        student: {n: t for n, t in mine.items() if n not in blank.get(student, ())}
        for student, mine in _answers(paths, names).items()
    }
    return look_alikes(answers, common_parts(source), source.written, right)


def _answers(paths: Mapping[str, Path], names: Collection[str]) -> dict[str, dict[str, str]]:
    """Answers by student and grade id, of repaired notebooks; one that cannot be read has none."""
    found: dict[str, dict[str, str]] = {}
    for student, path in paths.items():
        found[student] = mine = {}
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            for cell in cells:
                key = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")
                if key in names:
                    mine[key] = "".join(cell["source"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def common_parts(source: NotebookSource) -> dict[str, set[str]]:
    """Parts by grade id that the course itself hands out: release, hints, model answers."""
    released = cleared(source.notebook)
    code: set[str] = set()
    prose: set[str] = set()
    for cell in [*source.notebook.cells, *released.cells]:
        if cell.cell_type == "code":
            code |= code_parts(cell.source).keys()
        else:
            prose |= prose_parts(cell.source).keys()
            for number, block in enumerate(cell.source.split("```")):
                if number % 2:
                    code |= code_parts(block.removeprefix("python")).keys()
    return dict.fromkeys(source.exercises, code) | dict.fromkeys(source.written, prose)


def look_alikes(
    answers: Answers,
    common: Mapping[str, Collection[str]],
    written: Collection[str] = (),
    right: Mapping[str, Mapping[str, bool]] | None = None,
    *,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Lookalikes:
    """Compare the answers of a class.

    Parameters
    ----------
    answers
        By student and exercise.
    common
        Parts by exercise that do not count (see :func:`common_parts`).
    written
        Exercises that are prose.
    right
        By student and exercise whether the answer is right: answers are shuffled among those of
        the same kind, so that who does well is alike in a shuffled class, too.
    """
    students = sorted(answers)
    count = len(students)
    made = Lookalikes(students=count, shuffles=shuffles)
    if count < FEWEST:
        return made
    names = sorted({name for mine in answers.values() for name in mine})
    items = [
        _Item(name, students, answers, set(common.get(name, ())), name in written) for name in names
    ]
    items = [item for item in items if len(item.surprise)]
    made.exercises = len(items)
    if not items:
        return made
    size = count * count
    total = np.zeros(size)
    for item in items:
        np.add.at(total, item.pairs, item.surprise)
    rng = np.random.default_rng(seed)
    strata = [_strata(item.name, students, answers, right or {}) for item in items]
    highest, sums = np.zeros(shuffles), []
    for turn in range(shuffles):
        shuffled = np.zeros(size)
        for item, groups in zip(items, strata, strict=True):
            place = np.arange(count)
            for group in groups:
                place[group] = rng.permutation(group)
            one, two = place[item.pairs // count], place[item.pairs % count]
            key = np.minimum(one, two) * count + np.maximum(one, two)
            np.add.at(shuffled, key, item.surprise)
        highest[turn] = shuffled.max()
        sums.append(np.sort(shuffled)[-50:])
    limit = float(np.quantile(highest, 1 - SELDOM))
    made.by_chance = float(np.mean([(s > limit).sum() for s in sums]))
    shown = [int(k) for k in np.flatnonzero(total > limit)]
    pairs = [
        Pair(
            (students[k // count], students[k % count]),
            float((highest >= total[k]).mean()),
            sorted((i.evidence(k) for i in items if k in i.shared), key=lambda e: -e[1]),
        )
        for k in sorted(shown, key=lambda k: -total[k])
    ]
    made.groups = _groups(pairs)
    return made


class _Item:
    """One exercise: the pairs that share rare parts, and how surprising each is here."""

    def __init__(
        self, name: str, students: Sequence[str], answers: Answers, common: set[str], prose: bool
    ) -> None:
        self.name, self.count = name, len(students)
        self.texts: dict[str, str] = {}
        self.sizes: list[int] = []
        owners: dict[str, list[int]] = defaultdict(list)
        parts_of = prose_parts if prose else code_parts
        for number, student in enumerate(students):
            parts = parts_of(answers[student].get(name, ""))
            kept = [key for key in parts if key not in common]
            self.sizes.append(len(kept))
            for key in kept:
                owners[key].append(number)
                self.texts.setdefault(key, parts[key])
        most = max(COMMON, int(COMMON_SHARE * self.count))
        self.owners = {k: o for k, o in owners.items() if 2 <= len(o) <= most}
        weight: Counter[int] = Counter()
        self.shared: dict[int, list[str]] = defaultdict(list)
        for key, who in self.owners.items():
            worth = math.log(self.count / len(who))
            for place, one in enumerate(who):
                for two in who[place + 1 :]:
                    weight[one * self.count + two] += worth  # type: ignore[assignment]
                    self.shared[one * self.count + two].append(key)
        self.pairs = np.array(sorted(weight), dtype=np.int64)
        values = np.array([weight[int(k)] for k in self.pairs])
        everybody = max(1, self.count * (self.count - 1) // 2)
        order = np.sort(values)
        at_least = len(values) - np.searchsorted(order, values - 1e-9)
        self.surprise = -np.log(at_least / everybody)

    def evidence(self, pair: int) -> tuple[str, int, int, list[tuple[str, int]]]:
        """What a pair shares here, the rarest and longest parts first, none inside another."""
        keys = sorted(self.shared[pair], key=lambda k: (len(self.owners[k]), -len(self.texts[k])))
        chosen: list[tuple[str, int]] = []
        for key in keys:
            text = self.texts[key]
            if not any(text in other for other, _ in chosen) and len(chosen) < PARTS:
                chosen.append((text, len(self.owners[key])))
        shorter = min(self.sizes[pair // self.count], self.sizes[pair % self.count])
        return self.name, len(keys), shorter, chosen


def _strata(
    name: str, students: Sequence[str], answers: Answers, right: Mapping[str, Mapping[str, bool]]
) -> list[np.ndarray]:
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, student in enumerate(students):
        if name in answers[student]:
            groups[right.get(student, {}).get(name)].append(number)
    return [np.array(group) for group in groups.values()]


def _groups(pairs: Sequence[Pair]) -> list[Group]:
    """Join the pairs that have a student in common."""
    groups: list[Group] = []
    for pair in pairs:
        mine = [g for g in groups if set(g.students) & set(pair.students)]
        joined = Group(sorted({*pair.students, *(s for g in mine for s in g.students)}), [])
        joined.pairs = [*(p for g in mine for p in g.pairs), pair]
        groups = [g for g in groups if g not in mine] + [joined]
    for group in groups:
        group.pairs.sort(key=lambda p: (p.rate, -sum(e[1] for e in p.evidence)))
    return groups
