"""Repaired submissions of an assignment, and what the judge found: one JSON file each."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classroom.files import one_line, well_formed, write_whole
from classroom.intake.log import read_log

__all__ = [
    "Submission",
    "checked",
    "failed",
    "read_results",
    "read_submissions",
    "undecided",
    "unreadable",
    "write_result",
]

LATE = "The learning platform marks it as late."
STATUSES = ("graded", "flagged", "failed")
OUTCOMES = ("right", "wrong", "not attempted", "failed")


@dataclass(frozen=True)
class Submission:
    """One student's submission after collecting and repairing."""

    student: str
    notebook: Path | None  # None: it could not be read
    reason: str = ""  # why it could not
    repairs: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what the repair wants a person to look at
    timestamp: str | None = None

    def fingerprint(self, checks: str) -> str:
        """Digest of everything that the result depends on."""
        content = self.notebook.read_bytes() if self.notebook else self.reason.encode("utf-8")
        digest = hashlib.sha256(checks.encode() + content)
        digest.update(json.dumps([self.repairs, self.remarks]).encode())
        return digest.hexdigest()


def read_submissions(workspace: Path, assignment: str) -> list[Submission]:
    """List the repaired submissions, and those that could not be read, by student.

    Raises
    ------
    FileNotFoundError
        If nothing was collected for this assignment, or something was not repaired.
    """
    found = {}
    marked = _marked_late(workspace, assignment)
    for path in sorted((workspace / "repaired").glob(f"*/{assignment}/repair.json")):
        told = _read_repair(path)
        student = path.parts[-3]
        stamp = workspace / "submitted" / student / assignment / "timestamp.txt"
        notebook = path.with_name(f"{assignment}.ipynb")
        if told["status"] == "ok" and not notebook.is_file():
            told = {"status": "failed", "reason": f"{notebook.name} is gone: run `repair` again"}
        found[student] = Submission(
            student,
            notebook if told["status"] == "ok" else None,
            well_formed(told.get("reason", "")),
            well_formed(list(told.get("repairs", []))),
            well_formed(list(told.get("flags", []))) + [LATE] * (student in marked),
            stamp.read_text(encoding="utf-8").strip() if stamp.is_file() else None,
        )
    for path in sorted((workspace / "submitted").glob(f"*/{assignment}/{assignment}.ipynb")):
        if path.parts[-3] not in found:
            raise FileNotFoundError(
                f"the submission of {path.parts[-3]!r} is not repaired yet: run `repair` first"
            )
    if not found:
        raise FileNotFoundError(
            f"{workspace} holds no submission of {assignment}: run `collect` and `repair` first"
        )
    return sorted(found.values(), key=lambda s: s.student)


def _read_repair(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        told["status"]
    except (OSError, ValueError, TypeError, KeyError):
        return {"status": "failed", "reason": f"{path.name} is damaged: run `repair` again"}
    return dict(told)


def _marked_late(workspace: Path, assignment: str) -> set[str]:
    """Students whose submission the platform calls late without saying when it came."""
    records = read_log(workspace, assignment)
    return {r["student"] for r in records if r["status"] == "accepted" and r.get("late")}


def read_results(workspace: Path, assignment: str) -> dict[str, dict[str, Any]]:
    """Results of an assignment by student; a damaged file is none, so that it is made again."""
    found = {}
    for path in sorted((workspace / "results").glob(f"*/{assignment}.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            result["fingerprint"], result["status"]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        found[path.parent.name] = result
    return found


def unreadable(workspace: Path, assignment: str) -> set[str]:
    """Students whose file holds no answers that a person could grade."""
    results = read_results(workspace, assignment).items()
    return {student for student, result in results if not result.get("readable", True)}


def undecided(result: Mapping[str, Any]) -> dict[str, str]:
    """Exercises of a graded submission that have no result, and why; its total waits for them."""
    if result["status"] != "graded":
        return {}
    return {n: e["message"] for n, e in result["exercises"].items() if e["status"] == "failed"}


def write_result(workspace: Path, student: str, assignment: str, result: dict[str, Any]) -> None:
    """Write a result at once or not at all."""
    text = json.dumps(well_formed(result), ensure_ascii=False, indent=1)
    write_whole(workspace / "results" / student / f"{assignment}.json", text)


def failed(assignment: str, reason: str) -> dict[str, Any]:
    """Result of a submission that could not be graded, which is not zero points."""
    return {
        "assignment": assignment,
        "status": "failed",
        "reason": reason,
        "flags": [],
        "exercises": {},
        "seconds": {"start": 0.0, "cells": 0.0, "checks": 0.0, "total": 0.0},
        "peak_mib": 0.0,
    }


def checked(assignment: str, found: Any) -> dict[str, Any]:
    """What a judge gave back, with text that files take and finite numbers; else a failed result.

    Messages may hold anything that a student's code raised.
    """
    try:
        found = well_formed(found)
        exercises = {name: _exercise(entry) for name, entry in found["exercises"].items()}
        if found["status"] not in STATUSES:
            raise ValueError(f"status {found['status']!r}")
        return found | {
            "reason": str(found["reason"]),
            "flags": [str(flag) for flag in found["flags"]],
            "exercises": exercises,
            "seconds": {str(k): _number(v) for k, v in found["seconds"].items()},
            "peak_mib": _number(found["peak_mib"]),
        }
    except Exception as error:
        why = f"{type(error).__name__}: {one_line(error)}"
        return failed(assignment, f"The judge gave no usable result ({why}).") | {"fingerprint": ""}


def _exercise(entry: dict[str, Any]) -> dict[str, Any]:
    if entry["status"] not in OUTCOMES:
        raise ValueError(f"outcome {entry['status']!r}")
    parts = {key: _part(part) for key, part in entry["parts"].items()}
    return _part(entry) | {"parts": parts}


def _part(entry: dict[str, Any]) -> dict[str, Any]:
    most = max(0.0, _number(entry["max_points"]))
    points = min(max(_number(entry["points"]), 0.0), most)
    message = "" if entry["message"] is None else str(entry["message"])
    return entry | {"points": points, "max_points": most, "message": message}


def _number(value: Any) -> float:
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if math.isfinite(number) else 0.0
