"""Results as a judge would give them, and a workspace as `repair` leaves it; nothing runs."""

import json

import nbformat

from classroom.authoring.source import read_source

STAMP = "2026-11-20 12:00:00 UTC"


def result(source, outcomes=None, *, status="graded", reason="", flags=(), message=None, **more):
    """A result; ``outcomes`` maps an exercise to a status or to the share of its points."""
    exercises = {}
    for name, exercise in source.exercises.items():
        outcome = (outcomes or {}).get(name, "right" if outcomes is None else "not attempted")
        kind = outcome if isinstance(outcome, str) else "wrong"
        share = 1.0 if outcome == "right" else 0.0 if isinstance(outcome, str) else outcome
        text = (
            message
            or f"{name}: {kind}.\n  Expected 1.0, got 0.5.\n  It looks like this: {name} again"
        )
        parts = {
            key: {"status": kind, "points": share * most, "max_points": most, "message": text}
            for key, most in exercise.points.items()
        }
        exercises[name] = {
            "status": kind,
            "points": sum(p["points"] for p in parts.values()),
            "max_points": sum(exercise.points.values()),
            "message": text,
            "seconds": 0.2,
            "follow_through": False,
            "parts": parts,
        }
    made = {
        "assignment": source.name,
        "status": status,
        "reason": reason,
        "flags": list(flags),
        "exercises": exercises if status != "failed" else {},
        "seconds": {"start": 1.0, "cells": 0.5, "checks": 2.0, "total": 4.0},
        "peak_mib": 400.0,
    }
    return made | more


def put(workspace, student, assignment, notebook=None, *, reason="", repairs=(), stamp=STAMP):
    """Put one repaired submission into a workspace; one without a notebook could not be read."""
    folder = workspace / "repaired" / student / assignment
    folder.mkdir(parents=True, exist_ok=True)
    status = "ok" if notebook is not None else "failed"
    told = {"status": status, "reason": reason, "repairs": list(repairs), "flags": []}
    (folder / "repair.json").write_text(json.dumps(told))
    if notebook is None:
        return
    nbformat.write(notebook, folder / f"{assignment}.ipynb")
    submitted = workspace / "submitted" / student / assignment
    submitted.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submitted / f"{assignment}.ipynb")
    (submitted / "timestamp.txt").write_text(stamp)


def scores(klass, assignment):
    """student -> grade id -> (automatic, manual, waits for a person), and the late penalties."""
    with klass.gradebook() as book:
        return {
            s.student.id: {
                g.name: (g.auto_score, g.manual_score, g.needs_manual_grade)
                for g in s.notebooks[0].grades
            }
            | {"late": s.late_submission_penalty, "timestamp": str(s.timestamp)}
            for s in book.assignment_submissions(assignment)
        }


class CannedJudge:
    """Finds what the notebook's metadata say, in place of running its cells."""

    def __init__(self, root, assignment, *, unsafe=False):
        self.source = read_source(root, assignment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def gate(self):
        pass

    def judge(self, notebook):
        import time

        told = nbformat.read(notebook, as_version=4).metadata["canned"]
        time.sleep(told.get("sleep", 0))
        if told.get("raise"):
            raise OSError("no space left")
        return result(self.source, told.get("outcomes"))
