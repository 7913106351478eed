"""Repair the submissions of a whole class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from tqdm.auto import tqdm

from classroom.files import one_line, well_formed, write_whole
from classroom.intake.log import read_log
from classroom.intake.reading import NotANotebook
from classroom.intake.repair import repair_bytes

__all__ = ["describe", "repair_all"]


def repair_all(
    root: Path, workspace: Path, assignment: str, *, progress: bool = True
) -> list[dict[str, Any]]:
    """Repair every collected submission of an assignment; running it again changes nothing.

    Parameters
    ----------
    root
        The course, with the release in ``notebooks/``.
    workspace
        Reads ``submitted/``, writes ``repaired/<student>/<assignment>/`` with ``repair.json``.

    Returns
    -------
    A row for each student: ``student``, ``status`` (ok or failed), ``reason``, ``repairs`` and
    ``flags``. Students of whom nothing could be accepted are among the failed ones.

    Raises
    ------
    FileNotFoundError
        If the assignment has no release.
    """
    path = root / "notebooks" / assignment / f"{assignment}.ipynb"
    if not path.is_file():
        raise FileNotFoundError(f"assignment={assignment!r} has no release: {path} is not there")
    release = nbformat.read(path, as_version=4)
    found = sorted(workspace.glob(f"submitted/*/{assignment}/{assignment}.ipynb"))
    rows = []
    for file in tqdm(found, desc="repair", unit="notebook", disable=not progress):
        rows.append(_repair_one(file, release, workspace, assignment))
    have = {row["student"] for row in rows}
    for student, reason in sorted(_refused(workspace, assignment).items()):
        if student not in have:
            row = _row(student, "failed", reason)
            _write(workspace / "repaired" / student / assignment, assignment, row, None)
            rows.append(row)
    return rows


def _row(student: str, status: str, reason: str = "") -> dict[str, Any]:
    return {"student": student, "status": status, "reason": reason, "repairs": [], "flags": []}


def _repair_one(
    file: Path, release: NotebookNode, workspace: Path, assignment: str
) -> dict[str, Any]:
    student = file.parents[1].name
    made = None
    try:
        made = repair_bytes(file.read_bytes(), release)
        row = _row(student, "ok") | {"repairs": made.repairs, "flags": made.flags}
    except NotANotebook as error:
        row = _row(student, "failed", str(error))
    except Exception as error:  # one submission never stops the others
        why = f"{type(error).__name__}: {one_line(error)}"
        row = _row(student, "failed", f"could not be repaired ({why})")
    folder = workspace / "repaired" / student / assignment
    _write(folder, assignment, row, made.notebook if made else None)
    return row


def _refused(workspace: Path, assignment: str) -> dict[str, str]:
    """Students of whom nothing was accepted, with the reason for the last refusal."""
    records = read_log(workspace, assignment)
    good = {r["student"] for r in records if r["status"] == "accepted"}
    return {
        r["student"]: f"{r['file']}: {r['reason']}"
        for r in records
        if r["status"] == "refused" and r["student"] and r["student"] not in good
    }


def _write(
    folder: Path, assignment: str, row: dict[str, Any], notebook: NotebookNode | None
) -> None:
    """Notebook and report, each at once or not at all, and untouched where nothing changed."""
    folder.mkdir(parents=True, exist_ok=True)
    target, report = folder / f"{assignment}.ipynb", folder / "repair.json"
    if notebook is None:
        target.unlink(missing_ok=True)
    else:
        text = well_formed(nbformat.writes(notebook)) + "\n"
        if not target.is_file() or target.read_bytes() != text.encode("utf-8"):
            report.unlink(missing_ok=True)  # an interruption must not leave a report of the old one
            write_whole(target, text)
    kept = {key: value for key, value in row.items() if key != "student"}
    text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
    write_whole(report, text)


def describe(rows: list[dict[str, Any]]) -> str:
    """Summary of :func:`repair_all` for the terminal."""
    good = [row for row in rows if row["status"] == "ok"]
    touched = sum(bool(row["repairs"]) for row in good)
    lines = [f"{len(good)} of {len(rows)} submissions can be graded; {touched} were repaired."]
    for row in rows:
        if row["status"] != "ok":
            lines.append(f"  failed   {row['student']}: {row['reason']}")
        lines += [f"  look at  {row['student']}: {flag}" for flag in row["flags"]]
    return "\n".join(lines)
