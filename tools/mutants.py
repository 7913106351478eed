"""Judge small wrong changes (mutants) of every model answer: the checks must reject them.

    make mutants [NB=01_self_attention] [EXERCISE=masked_mean_pool]     judge, show survivors
    python tools/mutants.py --survivors ...                             only what survived before
    python tools/mutants.py --equivalent NB EXERCISE "reason" KEY...    record: not a mistake
    python tools/mutants.py --table                                     write docs/checks.md

A mutant goes through the door that every answer takes (``classroom.judging.trial``). Results are
kept in ``build/mutants`` and hold for the checks and the answer they were made with, so a run that
was stopped goes on, and a changed check judges again. A survivor either breaks a sentence of the
exercise's text, and then its check is to be mended, or it is equivalent: its reason goes into
``tests/mutants/equivalent``, under a hash of the mutated code, so that a changed answer asks again.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import functools
import hashlib
import json
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that a plain `python tools/mutants.py` finds the course

from classroom.authoring.source import notebook_names, read_source  # noqa: E402
from classroom.judging.trial import Task, judge  # noqa: E402
from classroom.mutants import Mutant, mutants, pairs, solution_lines  # noqa: E402
from course_utils.checks import MODULES  # noqa: E402

SECONDS = 10  # of CPU for one mutant; a check takes less than two
PAIRS_PER_LINE = 3
RESULTS = ROOT / "build" / "mutants"
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent"


@dataclass(frozen=True)
class Subject:
    """A model answer with its mutants and what is known of them."""

    notebook: str
    exercise: str
    answer: str
    fingerprint: str  # of the checks that judge it
    mutants: dict[str, Mutant]  # by key
    equivalent: dict[str, dict[str, str]]  # by key: operator, what, reason

    @property
    def stale(self) -> dict[str, dict[str, str]]:
        """Recorded reasons whose mutant does not exist any more."""
        return {k: v for k, v in self.equivalent.items() if k not in self.mutants}


def subjects(notebook: str, exercise: str = "") -> Iterator[Subject]:
    """Yield the exercises of a notebook (or one) with all their mutants."""
    source = read_source(ROOT, notebook)
    reasons = _read_reasons(notebook)
    for e in source.exercises.values():
        if exercise in ("", e.name):
            lines = solution_lines(e.answer)
            found = [*mutants(e.answer, lines)]
            found += pairs(e.answer, lines, per_line=PAIRS_PER_LINE)
            print_of_checks = _fingerprint(notebook, json.dumps([e.checks, e.points]))
            by_key = {m.key: m for m in found}
            known = reasons.get(e.name, {})
            yield Subject(notebook, e.name, e.answer, print_of_checks, by_key, known)


def _fingerprint(notebook: str, text: str) -> str:
    """Hash of the check cells and of all definitions among the checks that they lead to."""
    known = _definitions(notebook)
    found, waiting = {"": text}, [text]
    while waiting:
        for name in known.keys() & set(re.findall(r"\w+", waiting.pop())) - found.keys():
            found[name] = known[name]
            waiting.append(known[name])
    return hashlib.sha256("\0".join(found[k] for k in sorted(found)).encode()).hexdigest()[:12]


@functools.cache
def _definitions(notebook: str) -> dict[str, str]:
    """Source of what the modules of the checks define, by name; equal names stand together."""
    place = ROOT / "course_utils" / "checks"
    known: dict[str, str] = {}
    for file in sorted([*place.glob("*.py"), *(place / MODULES[notebook]).glob("*.py")]):
        source = file.read_text("utf-8")
        for node in ast.parse(source).body:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            names = [getattr(node, "name", None), *(getattr(t, "id", None) for t in targets)]
            for name in filter(None, names):
                known[name] = known.get(name, "") + (ast.get_source_segment(source, node) or "")
    return known


def _read_reasons(notebook: str) -> dict[str, dict[str, dict[str, str]]]:
    path = EQUIVALENT / f"{notebook}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def record(notebook: str, exercise: str, reason: str, keys: list[str]) -> None:
    """Write down why survivors are equivalent, and forget reasons that fit no mutant any more."""
    (subject,) = subjects(notebook, exercise)
    unknown = [k for k in keys if k not in subject.mutants]
    if unknown:
        raise ValueError(f"no such mutants of {exercise}: {', '.join(unknown)}")
    kept = {k: v for k, v in subject.equivalent.items() if k in subject.mutants}
    for key in keys:
        mutant = subject.mutants[key]
        kept[key] = {"operator": mutant.operator, "what": mutant.what, "reason": reason}
    everything = _read_reasons(notebook) | {exercise: dict(sorted(kept.items()))}
    EQUIVALENT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(sorted(everything.items())), indent=1, ensure_ascii=False)
    (EQUIVALENT / f"{notebook}.json").write_text(text + "\n", encoding="utf-8")


def results(subject: Subject, *, older: bool = False) -> dict[str, dict[str, Any]]:
    """Latest result of every mutant by key, of the present checks (``older``: of any)."""
    path = RESULTS / f"{subject.notebook}.jsonl"
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
        row = json.loads(line)
        mine = row["exercise"] == subject.exercise and row["key"] in subject.mutants
        if mine and (older or row["fingerprint"] == subject.fingerprint):
            found[row["key"]] = row
    return found


def outcome(result: dict[str, Any]) -> str:
    """``survives``, ``raised`` (it merely crashes), ``named`` (with a likely cause) or ``seen``."""
    if result["status"] == "right" and result["points"] == result["max_points"]:
        return "survives"
    message = result["message"]
    crashed = ("It raised", "could not be run", "does not define", "Error: ", "Its process")
    if any(words in message for words in crashed) or "took too long" in message:
        return "raised"
    return "named" if "It looks like this" in message else "seen"


def run(notebook: str, exercise: str, *, only_survivors: bool, workers: int | None) -> None:
    """Judge what has no result yet and append the results as they come."""
    from tqdm import tqdm

    waiting: list[tuple[Subject, Mutant]] = []
    for subject in subjects(notebook, exercise):
        done = set(results(subject))
        if only_survivors:
            before = results(subject, older=True)
            done |= {k for k, row in before.items() if row["outcome"] != "survives"}
        waiting += [(subject, m) for k, m in subject.mutants.items() if k not in done]
    folder = RESULTS / notebook
    tasks = []
    for subject, mutant in waiting:
        path = folder / subject.exercise / f"{mutant.key}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(mutant.text, encoding="utf-8")
        tasks.append(Task(subject.exercise, path))
    if not tasks:
        return
    judged = judge(ROOT, notebook, tasks, seconds=SECONDS, workers=workers)
    bar = tqdm(judged, notebook, total=len(tasks), unit="mutant", mininterval=2)
    survivors, begin = 0, time.monotonic()
    with open(RESULTS / f"{notebook}.jsonl", "a", encoding="utf-8") as out:
        for (subject, mutant), result in zip(waiting, bar, strict=True):
            row = {"exercise": subject.exercise, "key": mutant.key, "outcome": outcome(result)}
            row |= {"fingerprint": subject.fingerprint, "message": result["message"]}
            row["seconds"] = round(time.monotonic() - begin, 3)
            begin = time.monotonic()
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            out.flush()
            survivors += row["outcome"] == "survives" and mutant.key not in subject.equivalent
            bar.set_postfix_str(f"{survivors} survive", refresh=False)


# ------------------------------------------------------------------------------------ what to show


def standing(subject: Subject) -> dict[str, dict[str, Any]]:
    """Results that hold: of the present checks, and of earlier ones what they rejected."""
    earlier = results(subject, older=True)
    rejected = {k: r for k, r in earlier.items() if r["outcome"] != "survives"}
    return rejected | results(subject)


def counts(subject: Subject, found: dict[str, dict[str, Any]]) -> dict[str, int]:
    """How the mutants of an exercise ended."""
    table = dict.fromkeys(
        ("mutants", "judged", "raised", "named", "seen", "equivalent", "survives"), 0
    )
    table["mutants"], table["judged"] = len(subject.mutants), len(found)
    for key, row in found.items():
        equivalent = row["outcome"] == "survives" and key in subject.equivalent
        table["equivalent" if equivalent else row["outcome"]] += 1
    return table


DOCUMENT = """# What the checks see

Written by `make mutants`. A mutant is a model answer with one small change, or with two in one
line: another operator, constant, dimension, default or function, an argument or a statement left
out, a gradient cut or halved, another precision, a piece of a text or an SQL statement. {judged} of
{mutants} were judged as a student's answer is, with {seconds} s of CPU for each, in {minutes:.0f}
minutes. When a check changes, what survived before is judged again, and what was rejected is not.

A mutant that passes is either a hole in a check or *equivalent*: nothing that the exercise's text
says tells it from the model answer. Equivalent ones are listed with the reason; a reason holds for
one mutated text, so a changed answer asks again. "With a likely cause": of those that run and are
rejected, how many get a message that names the mistake. A sample is judged in every `make test`.

{summary}
"""

HEAD = (
    "| exercise | mutants | equivalent | rejected | of them crash | with a likely cause "
    "| survive | rejected of what is not equivalent |\n| --- |" + " ---: |" * 7
)


def row(name: str, table: dict[str, int]) -> str:
    """One line of the table; the likely causes are counted among those that do not crash."""
    rejected = table["raised"] + table["named"] + table["seen"]
    counted = rejected + table["survives"]
    seen = table["named"] + table["seen"]
    cause = f"{table['named']} of {seen}"
    share = f"{100 * rejected / counted:.1f} %" if counted else "–"
    open_ = table["mutants"] - table["judged"]
    name += f" ({open_} not judged)" if open_ else ""
    cells = (table["judged"], table["equivalent"], rejected, table["raised"], cause)
    return f"| {name} | " + " | ".join(map(str, (*cells, table["survives"], share))) + " |"


def total(tables: list[dict[str, int]]) -> dict[str, int]:
    """Sum of several tables."""
    return {key: sum(t[key] for t in tables) for key in tables[0]}


def difference(subject: Subject, mutant: Mutant) -> str:
    """What the mutant changes, as a diff without its surroundings."""
    texts = (ast.unparse(ast.parse(subject.answer)), mutant.text)
    before, after = (text.replace("\\n", "\n").splitlines() for text in texts)  # lines of an SQL
    lines = difflib.unified_diff(before, after, n=0, lineterm="")
    return "\n".join(line for line in list(lines)[2:] if not line.startswith("@@"))


def show(subject: Subject, found: dict[str, dict[str, Any]]) -> int:
    """Print the survivors that nobody has explained; return their number."""
    earlier = {(v["operator"], v["what"]): v["reason"] for v in subject.stale.values()}
    survivors = [k for k, r in found.items() if r["outcome"] == "survives"]
    survivors = [k for k in survivors if k not in subject.equivalent]
    for key in survivors:
        mutant = subject.mutants[key]
        print(f"\n{subject.notebook} {subject.exercise} {key}: {mutant.operator}: {mutant.what}")
        print(textwrap.indent(difference(subject, mutant), "    "))
        reason = earlier.get((mutant.operator, mutant.what))
        if reason:
            print(f"    before the answer changed: {reason}")
    return len(survivors)


def document(names: list[str]) -> str:
    """Text of docs/checks.md from the results at hand; what has none is counted as not judged."""
    parts, every, seconds = [], [], 0.0
    for notebook in names:
        tables, reasons = [], []
        parts.append(f"\n## {notebook}\n")
        known = {subject.exercise: (subject, standing(subject)) for subject in subjects(notebook)}
        if not any(found for _, found in known.values()):
            open_ = sum(len(subject.mutants) for subject, _ in known.values())
            parts.append(f"None of its {open_} mutants were judged in this run.")
            every += [counts(subject, {}) for subject, _ in known.values()]
            continue
        parts.append(HEAD)
        for subject, found in known.values():
            table = counts(subject, found)
            tables.append(table)
            seconds += sum(r["seconds"] for r in found.values())
            parts.append(row(f"`{subject.exercise}`", table))
            reasons += _reasons(subject, found)
        parts.append(row("all", total(tables)))
        every += tables
        if reasons:
            parts.append("\nEquivalent, and why:\n\n" + "\n".join(reasons))
    summary = f"{HEAD}\n{row('all notebooks', total(every))}"
    judged, mutants = (total(every)[key] for key in ("judged", "mutants"))
    head = DOCUMENT.format(
        summary=summary, judged=judged, mutants=mutants, minutes=seconds / 60, seconds=SECONDS
    )
    return head + "\n".join(parts) + "\n"


def _reasons(subject: Subject, found: dict[str, Any]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for key, entry in subject.equivalent.items():
        if key in found and found[key]["outcome"] == "survives":
            by_reason.setdefault(entry["reason"], []).append(entry["what"])
    return [
        f"- `{subject.exercise}` ({len(changes)}): {reason}"
        for reason, changes in by_reason.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", nargs="?", default="")
    parser.add_argument("exercise", nargs="?", default="")
    parser.add_argument("--survivors", action="store_true", help="judge only what survived before")
    parser.add_argument("--table", action="store_true", help="write docs/checks.md, judge nothing")
    parser.add_argument("--equivalent", nargs="+", metavar="WORD", help="NB EXERCISE reason KEY…")
    parser.add_argument("--workers", type=int, help="mutants judged at the same time; all cores")
    options = parser.parse_args()
    names = [n for n in notebook_names(ROOT) if options.notebook in ("", n)]
    if not names:
        parser.error(f"notebook must be one of {notebook_names(ROOT)}, got {options.notebook!r}")
    if options.equivalent:
        notebook, exercise, reason, *keys = options.equivalent
        record(notebook, exercise, reason, keys)
        return
    if not options.table:
        workers = options.workers or len(os.sched_getaffinity(0))
        for name in names:
            run(name, options.exercise, only_survivors=options.survivors, workers=workers)
        left = 0
        print(HEAD)
        for name in names:
            tables = []
            for subject in subjects(name, options.exercise):
                found = standing(subject) if options.survivors else results(subject)
                tables.append(counts(subject, found))
                print(row(subject.exercise, tables[-1]))
            print(row(f"**{name}**", total(tables)))
        for name in names:
            for subject in subjects(name, options.exercise):
                left += show(subject, standing(subject) if options.survivors else results(subject))
        if left:
            sys.exit(f"\n{left} survivors without a reason")
    if options.table or not (options.notebook or options.exercise or options.survivors):
        (ROOT / "docs" / "checks.md").write_text(document(names), encoding="utf-8")


if __name__ == "__main__":
    main()
