"""Questions on one answer, made from what was measured; nothing is asked that was not run."""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from classroom.mutants import mutants
from classroom.viva.laboratory import Laboratory, Run
from classroom.viva.lines import Change, shown
from classroom.viva.mends import candidates
from classroom.viva.outcomes import differ, label, same

__all__ = ["KINDS", "Question", "Specimen", "ask", "mend", "specimen"]

KINDS = ("happens", "notices", "differ")
VARIANTS = 16
WIDEST = 110  # characters of a changed line
CHECKED = 6
NOBODY = "No check notices it: the answer still counts as right."
FURTHER = "The visible check passes, but one of the further cases of the grading fails."
Option = tuple[str, str]


@dataclass(frozen=True)
class Question:
    """One question with its key and the runs behind it.

    Attributes
    ----------
    kind
        ``happens``, ``notices``, ``differ`` or ``mend``.
    change
        The change asked about: ``where``, ``old``, ``new`` and ``single`` (one line); None for a
        mend, where it is the key.
    shown, shown_words
        Input, as lines of code, and the sentence before it.
    options, key
        Choices (words, code), and the number of the true one; none for an open question.
    answer
        The key in words.
    runs
        (program, outcome) of everything that the key and the false options rest on.
    """

    kind: str
    exercise: str
    change: dict[str, Any] | None
    prompt: str
    shown: Sequence[str] = ()
    shown_words: str = ""
    before: str = ""
    options: Sequence[Option] = ()
    key: int | None = None
    answer: str = ""
    runs: Sequence[tuple[str, str]] = ()
    number: int = 0

    @property
    def letter(self) -> str:
        """Letter of the true option."""
        return "" if self.key is None else "ABCDEF"[self.key]


@dataclass
class Specimen:
    """A student's right answer with variants of it and what each of them did; the first is it."""

    exercise: str
    source: str
    changes: list[Change]
    runs: list[Run]
    calls: list[dict[str, Any]]
    used: set[int] = field(default_factory=set)


def specimen(
    lab: Laboratory, notebook: NotebookNode, exercise: str, source: str, rng: random.Random
) -> Specimen | None:
    """Run a draw of an answer's mutants; None where the answer does not stand by itself here."""
    try:
        found = list(mutants(source))
    except (SyntaxError, ValueError, RecursionError):
        return None
    rng.shuffle(found)
    changes: list[Change] = []
    for mutant in found:
        change = shown(source, mutant)
        if change is not None and max(map(len, change.new.split("\n"))) <= WIDEST:
            changes.append(change)
        if len(changes) == VARIANTS:
            break
    calls = lab.calls.get(exercise, [])
    runs = lab.measure(
        notebook,
        exercise,
        [source, *(c.text for c in changes)],
        calls=range(len(calls)),
        check=range(CHECKED + 1),
    )
    if runs[0].broken or runs[0].check is None or runs[0].check["status"] != "right":
        return None
    return Specimen(exercise, source, changes, runs, calls)


def ask(one: Specimen, kind: str, rng: random.Random) -> Question | None:
    """Make a question of this kind, on a change that was not asked about; None where none fits."""
    made = {"happens": _happens, "notices": _notices, "differ": _differ}[kind]
    return made(one, rng)


# ---------------------------------------------------------------------- which of these happens?


def _happens(one: Specimen, rng: random.Random) -> Question | None:
    found: dict[str, list[tuple[int, int]]] = {}
    for number, run in enumerate(one.runs[1:], 1):
        for call, outcome in run.outcomes.items():
            before = one.runs[0].outcomes.get(call)
            if number in one.used or before is None or before["error"] or _dull(outcome):
                continue
            if not one.calls[call]["shown"] or not (
                same(outcome, before) or differ(outcome, before)
            ):
                continue
            group = "same" if same(outcome, before) else "error" if outcome["error"] else "value"
            found.setdefault(group, []).append((number, call))
    groups = [g for g in ("value", "value", "value", "error", "same") if g in found]
    for group in rng.sample(groups, len(groups)):
        for number, call in rng.sample(found[group], min(len(found[group]), 8)):
            question = _choice(one, number, call, rng)
            if question is not None:
                one.used.add(number)
                return question
    return None


def _dull(outcome: Mapping[str, Any]) -> bool:
    """Whether the outcome is a slip of the pen: a name that there is not."""
    return outcome["error"] in ("AttributeError", "NameError", "UnboundLocalError")


def _choice(one: Specimen, number: int, call: int, rng: random.Random) -> Question | None:
    before, outcome = one.runs[0].outcomes[call], one.runs[number].outcomes[call]
    true = label(outcome, before)
    others: dict[Option, tuple[str, Mapping[str, Any]]] = {}
    for other in rng.sample(range(len(one.runs)), len(one.runs)):
        its = one.runs[other].outcomes.get(call)
        if its is None or other == number or not differ(its, outcome) or _dull(its):
            continue
        if other and not (same(its, before) or differ(its, before)):
            continue
        option = label(its, before)
        program = _said(one.changes[other - 1]) if other else "unchanged"
        if option != true:
            others.setdefault(option, (program, its))
    # Options of the same sort as the truth are the harder ones.
    ordered = sorted(others, key=lambda o: (bool(o[1]) != bool(true[1]), rng.random()))
    if len(ordered) < 2:
        return None
    false = ordered[:2]
    options, key = _mixed(true, false, rng)
    here = one.changes[number - 1]
    runs = [("unchanged", _text(before)), (_said(here), _text(outcome))]
    runs += [(others[o][0], _text(others[o][1])) for o in false if others[o][0] != "unchanged"]
    return Question(
        "happens",
        one.exercise,
        _about(here),
        "Which of these happens on this input?",
        shown=one.calls[call]["shown"],
        shown_words=_call_words(one.calls[call]),
        before=_text(before),
        options=options,
        key=key,
        answer=" ".join(true[0].split()) if not true[1] else f"{true[0]} {true[1]}",
        runs=runs,
    )


def _mixed(true: Option, false: Sequence[Option], rng: random.Random) -> tuple[list[Option], int]:
    options = rng.sample([true, *false], 1 + len(false))
    return options, options.index(true)


def _call_words(call: Mapping[str, Any]) -> str:
    if call["init"]:
        return "The module is built (its weights drawn with seed 0) and called with:"
    return "It is called with:"


# ---------------------------------------------------------------------- which check notices it?


def _notices(one: Specimen, rng: random.Random) -> Question | None:
    verdicts = {
        n: _verdict(run.check) for n, run in enumerate(one.runs) if n and run.check is not None
    }
    waiting = [n for n in verdicts if n not in one.used]
    for number in rng.sample(waiting, len(waiting)):
        true = verdicts[number]
        others = {v: n for n, v in verdicts.items() if v != true}
        others |= {o: 0 for o in ((NOBODY, ""), (FURTHER, "")) if o not in others and o != true}
        false = rng.sample(sorted(others), len(others))
        false.sort(key=lambda o: not o[1])
        if len(false) < 2:
            continue
        one.used.add(number)
        options, key = _mixed(true, false[:2], rng)
        here = one.changes[number - 1]
        runs = [("unchanged", "every check passes"), (_said(here), " ".join(true).strip())]
        runs += [
            (_said(one.changes[others[o] - 1]), " ".join(o).strip()) for o in false[:2] if others[o]
        ]
        return Question(
            "notices",
            one.exercise,
            _about(here),
            "Which check notices it, and on what input?",
            options=options,
            key=key,
            answer=" ".join(true).strip(),
            runs=runs,
        )
    return None


def _verdict(check: Mapping[str, Any]) -> Option:
    if check["status"] == "right":
        return NOBODY, ""
    if not check["visible"]:
        return FURTHER, ""
    lines = [line.strip() for line in check["visible"].splitlines()]
    kept = [line for line in lines[1:] if not line.startswith("It looks like this")]
    return "The visible check says:", "\n".join((kept or lines)[:4])


# ---------------------------------------------------------------------- on what do the two differ?


def _differ(one: Specimen, rng: random.Random) -> Question | None:
    waiting = [n for n in range(1, len(one.runs)) if n not in one.used]
    found: list[tuple[bool, int, int, int | None]] = []
    for number in rng.sample(waiting, len(waiting)):
        apart, alike = [], []
        for call, outcome in one.runs[number].outcomes.items():
            before = one.runs[0].outcomes.get(call)
            if before is None or before["error"] or not one.calls[call]["shown"]:
                continue
            if differ(outcome, before) and _text(outcome) != _text(before):  # and the key shows it
                apart.append(call)
            elif same(outcome, before):
                alike.append(call)
        if apart:
            found.append((not alike, number, rng.choice(apart), rng.choice([*alike, None])))
    if not found:
        return None
    _, number, apart_on, alike_on = min(found, key=lambda f: f[0])
    one.used.add(number)
    here, before = one.changes[number - 1], one.runs[0].outcomes[apart_on]
    example = "\n".join(one.calls[apart_on]["shown"])
    runs = [("unchanged", f"{example}\n→ {_text(before)}")]
    runs.append((_said(here), f"{example}\n→ {_text(one.runs[number].outcomes[apart_on])}"))
    prompt = "Give an input on which your code and the changed one differ, and say what each gives."
    shown_lines: Sequence[str] = ()
    if alike_on is not None:
        shown_lines = one.calls[alike_on]["shown"]
        prompt = "Give an input on which the two differ, and say what each gives."
    return Question(
        "differ",
        one.exercise,
        _about(here),
        prompt,
        shown=shown_lines,
        shown_words="On this input both give the same:" if shown_lines else "",
        answer="For example the input under “What was run”; there the two differ. Others may, too.",
        runs=runs,
    )


# ---------------------------------------------------------------------- wrong answers


def mend(
    lab: Laboratory,
    notebook: NotebookNode,
    exercise: str,
    source: str,
    rights: Sequence[str],
    expected: Mapping[int, Mapping[str, Any]],
) -> Question | None:
    """Ask for the smallest mend of a wrong answer; None where no change of one statement mends it.

    Parameters
    ----------
    rights
        Right answers to learn from.
    expected
        What the model answer gives, by call.
    """
    for changes in candidates(source, rights) if _parses(source) else ():
        question = _mended(lab, notebook, exercise, source, changes, expected)
        if question is not None:
            return question
    return None


def _mended(
    lab: Laboratory,
    notebook: NotebookNode,
    exercise: str,
    source: str,
    changes: Sequence[Change],
    expected: Mapping[int, Mapping[str, Any]],
) -> Question | None:
    """Run changes on the small inputs, then the checks on those that do as the model does."""
    calls = [c for c, outcome in expected.items() if not outcome["error"]]
    good = list(range(len(changes)))
    if calls:
        runs = lab.measure(notebook, exercise, [source, *(c.text for c in changes)], calls=calls)
        good = [
            n
            for n, run in enumerate(runs[1:])
            if not run.broken
            and all(c in run.outcomes and same(run.outcomes[c], expected[c]) for c in calls)
        ]
    good = sorted(good, key=lambda n: _size(changes[n]))[:CHECKED]
    if not good:
        return None
    texts = [source, *(changes[n].text for n in good)]
    runs = lab.measure(notebook, exercise, texts, calls=[], check=range(len(texts)))
    if runs[0].check is None or runs[0].check["status"] == "right":
        return None
    for n, run in zip(good, runs[1:], strict=True):
        if run.check is not None and run.check["status"] == "right":
            told = "\n".join(_verdict(runs[0].check)).strip()
            said = _said(changes[n])
            return Question(
                "mend",
                exercise,
                None,
                "One change in one place makes every check pass. Which line, how does it have to "
                "read, and why?",
                shown=told.splitlines(),
                shown_words="It is not right yet:",
                answer=f"{said}. Another change may do, too: run it.",
                runs=[("as handed in", told), (said, "every check passes")],
            )
    return None


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _size(change: Change) -> tuple[int, int]:
    return change.last - change.first, abs(len(change.new) - len(change.old))


# ---------------------------------------------------------------------- words


def _about(change: Change) -> dict[str, Any]:
    return {
        "where": _where(change),
        "old": change.old.strip("\n"),
        "new": change.new.strip("\n"),
        "single": change.first == change.last,
    }


def _where(change: Change) -> str:
    if change.first == change.last:
        return f"Line {change.first}"
    return f"Lines {change.first} to {change.last}"


def _said(change: Change) -> str:
    new = " ".join(change.new.split())
    return f"{_where(change)}: {new}" if new else f"{_where(change)} taken out"


def _text(outcome: Mapping[str, Any]) -> str:
    """An outcome on a sheet: an error's name, the values where they are few, else the shapes."""
    if outcome["error"]:
        return f"{outcome['error']}: {outcome['text']}"
    lines = [
        f"{leaf['path']} {leaf['text'] or leaf['kind']}".strip()
        for leaf in outcome["leaves"]
        if leaf["text"] or leaf["numbers"] or len(outcome["leaves"]) == 1
    ][:8]
    return "\n".join(lines)
