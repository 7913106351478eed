"""The instructor's report of a graded class: one HTML file without outside resources.

Everything that a student may have written (names, messages, reasons) is escaped by the template.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from classroom.files import write_whole
from classroom.gradebook.export import grade_rows
from classroom.gradebook.items import FEWEST, analyse
from classroom.gradebook.lookalikes import Lookalikes, class_look_alikes
from classroom.gradebook.results import read_results, read_submissions, undecided, unreadable
from classroom.gradebook.workspace import Class
from classroom.pages import page

__all__ = ["class_report", "common_mistakes", "exercise_rows", "render"]

OUTCOMES = ("right", "partly right", "wrong", "not attempted", "failed")
STAGES = ("start", "cells", "checks", "other")
STATUSES = ("graded", "flagged", "failed")
HINT = "It looks like this:"
LISTED = 12


def class_report(
    root: Path,
    workspace: Path,
    assignment: str,
    *,
    db: str | None = None,
    lookalikes: bool = True,
) -> Path:
    """Write ``reports/<assignment>.html`` from the results and the gradebook.

    Parameters
    ----------
    lookalikes
        Compare the answers of the class with one another.

    Returns
    -------
    The file.

    Raises
    ------
    FileNotFoundError
        If nothing of this assignment was graded.
    """
    submissions = read_submissions(workspace, assignment)
    stamps = {s.student: s.timestamp for s in submissions}
    results = [r for s, r in read_results(workspace, assignment).items() if s in stamps]
    if not results:
        raise FileNotFoundError(f"{workspace} holds no graded {assignment}: run `autograde` first")
    with Class(root, workspace, db).gradebook() as book:
        unread = {assignment: unreadable(workspace, assignment)}
        grades = {row["student_id"]: row for row in grade_rows(book, [assignment], unread)}
    missing = sorted(stamps.keys() - {r["student"] for r in results})
    alike = class_look_alikes(root, assignment, submissions, results) if lookalikes else None
    text = render(assignment, results, grades, missing, alike)
    path = workspace / "reports" / f"{assignment}.html"
    write_whole(path, text)
    return path


def render(
    assignment: str,
    results: Sequence[Mapping[str, Any]],
    grades: Mapping[str, Mapping[str, Any]],
    missing: Sequence[str] = (),
    alike: Lookalikes | None = None,
) -> str:
    """Fill the template.

    Parameters
    ----------
    results
        One a student, as :func:`classroom.gradebook.autograde.autograde` returns them.
    grades
        Rows of :func:`classroom.gradebook.export.grade_rows` by student.
    missing
        Students whose submission has no result yet, because the run was interrupted.
    alike
        Answers that are alike; the section is left out without it.
    """
    students = [_student(r, grades.get(r["student"], {})) for r in results]
    analysis = analyse(results)
    return page(
        "report.html",
        assignment=assignment,
        missing=missing,
        students=sorted(students, key=lambda s: s["student"]),
        statuses={s: sum(r["status"] == s for r in results) for s in STATUSES},
        written=sum(int(g.get("waits") or 0) for g in grades.values()),
        late=[s for s in students if s["late"]],
        unscored=[s for s in students if s["status"] != "graded" or s["undecided"]],
        histogram=histogram([s["auto"] / s["auto_max"] for s in students if s["auto_max"]]),
        exercises=exercise_rows(results),
        outcomes=OUTCOMES,
        mistakes=common_mistakes(results)[:LISTED],
        repairs=_repairs(results),
        remarks=[r for r in results if r["remarks"]],
        time=_time(results),
        stages=STAGES,
        items=analysis.items,
        alpha=analysis.alpha,
        fewest=FEWEST,
        kinds=_kinds(results),
        alike=alike,
    )


def _student(result: Mapping[str, Any], grade: Mapping[str, Any]) -> dict[str, Any]:
    graded = result["status"] == "graded"
    exercises = result["exercises"]
    open_ = undecided(result)
    scored = graded and not open_
    return {
        "student": result["student"],
        "status": result["status"],
        "reason": result["reason"],
        "flags": result["flags"],
        "undecided": open_,
        "auto": sum(e["points"] for e in exercises.values()) if scored else None,
        "auto_max": sum(e["max_points"] for e in exercises.values()) if scored else 0,
        "right": sum(e["status"] == "right" for e in exercises.values()) if graded else None,
        "followed": [n for n, e in exercises.items() if e.get("follow_through")],
        "score": grade.get("score"),
        "max_score": grade.get("max_score"),
        "late": grade.get("late", False),
        "penalty": grade.get("late_submission_penalty"),
        "waits": grade.get("waits") or 0,
        "seconds": result["seconds"].get("total", 0.0),
        "peak_mib": result["peak_mib"],
    }


def histogram(shares: Sequence[float], bins: int = 10) -> dict[str, Any]:
    """Count shares of the points (0 to 1) in equal bins; full marks are in the last."""
    counts = [0] * bins
    for share in shares:
        counts[min(int(share * bins + 1e-9), bins - 1)] += 1
    return {
        "counts": counts,
        "highest": max([1, *counts]),
        "number": len(shares),
        "median": statistics.median(shares) if shares else None,
        "mean": statistics.fmean(shares) if shares else None,
    }


def exercise_rows(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Outcomes of every exercise over the graded submissions, in the notebook's order."""
    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        if result["status"] != "graded":
            continue
        for name, exercise in result["exercises"].items():
            row = rows.setdefault(
                name, {"name": name, "counts": Counter(), "points": [], "max": 0, "followed": 0}
            )
            outcome = exercise["status"]
            if outcome == "wrong" and exercise["points"] > 0:
                outcome = "partly right"
            row["counts"][outcome] += 1
            row["points"].append(exercise["points"])
            row["max"] = exercise["max_points"]
            row["followed"] += bool(exercise.get("follow_through"))
    for row in rows.values():
        row["number"] = sum(row["counts"].values())
        row["rate"] = row["counts"]["right"] / row["number"]
        row["mean"] = statistics.fmean(row["points"])
    return list(rows.values())


def common_mistakes(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Wrong-answer messages with the students who got them, the commonest first.

    Messages are one when the mistake that they name is the same or, where they name none, when
    they differ in numbers only.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for result in results:
        if result["status"] != "graded":
            continue
        for name, exercise in result["exercises"].items():
            if exercise["status"] != "wrong" or not exercise["message"]:
                continue
            title = _mistake(exercise["message"])
            key = name, re.sub(r"\d[\d.e+-]*", "#", title)
            entry = found.setdefault(
                key,
                {
                    "exercise": name,
                    "title": title,
                    "message": exercise["message"],
                    "students": [],
                },
            )
            entry["students"].append(result["student"])
    return sorted(found.values(), key=lambda e: (-len(e["students"]), e["exercise"], e["title"]))


def _kinds(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Wrong answers of each exercise by kind of mistake, the exercises in their order."""
    found: dict[str, list[tuple[str, int]]] = {}
    for entry in common_mistakes(results):
        rows = found.setdefault(entry["exercise"], [])
        rows.append((entry["title"], len(entry["students"])))
    order = list(dict.fromkeys(name for r in results for name in r["exercises"]))
    return sorted(found.items(), key=lambda item: order.index(item[0]))


def _mistake(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(HINT):
            return line.removeprefix(HINT).strip()
    return lines[1] if len(lines) > 1 else lines[0]


def _repairs(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Repairs with the students, the commonest first; those that differ in a name are one."""
    found: dict[str, dict[str, Any]] = {}
    names = {
        name
        for result in results
        for exercise, entry in result["exercises"].items()
        for name in (exercise, *entry["parts"])
    }
    named = "|".join(map(re.escape, sorted(names, key=len, reverse=True))) or "no name"
    varying = re.compile(
        rf"`[^`]*`|'[^']*'|\"[^\"]*\"| \(so too: [^)]*\)|\b(?:{named}|written_\d+)\b|\d+"
    )
    for result in results:
        for repair in dict.fromkeys(result["repairs"]):
            key = varying.sub(lambda m: "" if m[0].startswith(" (") else "#", repair)
            entry = found.setdefault(key, {"example": repair, "students": []})
            if result["student"] not in entry["students"]:
                entry["students"].append(result["student"])
    return sorted(found.values(), key=lambda e: (-len(e["students"]), e["example"]))


def _time(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where the time went: seconds by stage, the median submission and the slowest ones."""
    stages = dict.fromkeys(STAGES, 0.0)
    totals = []
    for result in results:
        spent = result["seconds"]
        total = spent.get("total", 0.0)
        if not total:
            continue
        totals.append((total, result["student"]))
        for stage in STAGES[:-1]:
            stages[stage] += spent.get(stage, 0.0)
        stages["other"] += max(0.0, total - sum(spent.get(s, 0.0) for s in STAGES[:-1]))
    return {
        "stages": stages,
        "sum": sum(stages.values()),
        "median": statistics.median(t for t, _ in totals) if totals else 0.0,
        "slowest": sorted(totals, reverse=True)[:5],
        "peak": max((r["peak_mib"] for r in results), default=0.0),
    }
