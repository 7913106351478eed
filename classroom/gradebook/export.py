"""Grades as CSV for nbgrader, Canvas and Moodle, and the course grade.

A submission that failed or was flagged has no score here, an empty cell instead of a zero, until a
person has given one in nbgrader's formgrader or the next run has.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry, Student, SubmittedAssignment
from nbgrader.plugins import ExportPlugin

from classroom.files import write_whole
from classroom.gradebook.results import unreadable
from classroom.gradebook.workspace import Class

__all__ = ["CsvExport", "export", "read_roster", "safe", "score_of", "waits"]

NBGRADER = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)
ROSTER = ("first_name", "last_name", "email", "canvas_id", "sis_user_id", "section", "moodle_id")
Row = dict[str, Any]


def score_of(submission: SubmittedAssignment) -> float | None:
    """Score before a late penalty; None while a check has neither an automatic nor a manual score.

    Written answers that wait for a person count nothing yet, as in nbgrader.
    """
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            unknown = grade.auto_score is None and grade.manual_score is None
            if unknown and grade.cell.cell_type == "code":
                return None
    return float(submission.score)


def waits(submission: SubmittedAssignment) -> int:
    """Count the written answers that wait for a person."""
    return sum(
        grade.needs_manual_grade and grade.cell.cell_type != "code"
        for notebook in submission.notebooks
        for grade in notebook.grades
    )


def grade_rows(
    book: Gradebook,
    assignments: Sequence[str] = (),
    unread: Mapping[str, Collection[str]] | None = None,
) -> list[Row]:
    """One row an assignment and student in nbgrader's columns; None where there is no score.

    ``unread`` has by assignment the students whose file could not be read: no written answers of
    theirs wait for a person.
    """
    rows = []
    for assignment in sorted(book.assignments, key=lambda a: a.name):
        if assignments and assignment.name not in assignments:
            continue
        for student in sorted(book.students, key=_by_name):
            row: Row = dict.fromkeys(NBGRADER)
            row |= {"assignment": assignment.name, "duedate": assignment.duedate}
            row |= {"student_id": student.id, "last_name": student.last_name}
            row |= {"first_name": student.first_name, "email": student.email}
            row["max_score"] = float(assignment.max_score)
            row["submitted"] = False
            try:
                submission = book.find_submission(assignment.name, student.id)
            except MissingEntry:
                rows.append(row)
                continue
            row |= {"submitted": True, "timestamp": submission.timestamp}
            nothing = student.id in (unread or {}).get(assignment.name, ())
            row |= {"waits": 0 if nothing else waits(submission)}
            row["late"] = submission.total_seconds_late > 0
            raw = score_of(submission)
            if raw is not None:
                penalty = float(submission.late_submission_penalty or 0)
                row |= {"raw_score": raw, "late_submission_penalty": penalty}
                row["score"] = max(0.0, raw - penalty)
            rows.append(row)
    return rows


def _by_name(student: Student) -> tuple[str, str, str]:
    return student.last_name or "", student.first_name or "", student.id


class CsvExport(ExportPlugin):
    """``nbgrader export``: nbgrader's layout, with an empty score where there is none."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the grades to ``--to``, by default ``grades.csv``."""
        students = {str(student) for student in self.student}
        rows = grade_rows(gradebook, [str(a) for a in self.assignment])
        kept = [row for row in rows if not students or row["student_id"] in students]
        write_csv(Path(self.to or "grades.csv"), NBGRADER, kept)


def export(
    root: Path,
    workspace: Path,
    assignment: str | None = None,
    *,
    db: str | None = None,
    roster: Path | None = None,
) -> list[Path]:
    """Write ``grades.csv``, ``grades_canvas.csv``, ``grades_moodle.csv`` and ``grades_course.csv``.

    Parameters
    ----------
    assignment
        Only this one; all in the gradebook by default. The course grade always takes all.
    roster
        CSV with ``student_id`` and any of ``first_name``, ``last_name``, ``email``, ``canvas_id``,
        ``sis_user_id``, ``section`` and ``moodle_id``. Its names go into the gradebook, and
        students who handed nothing in get a row.

    Returns
    -------
    The files written.
    """
    known = read_roster(roster) if roster else {}
    with Class(root, workspace, db).gradebook() as book:
        for student, entry in known.items():
            names = {k: entry[k] for k in ("first_name", "last_name", "email") if entry[k]}
            book.update_or_create_student(student, **names)
        titles = [a.name for a in book.assignments]
        rows = grade_rows(book, unread={title: unreadable(workspace, title) for title in titles})
    chosen = [row for row in rows if assignment in (None, row["assignment"])]
    if not chosen:
        raise FileNotFoundError(f"the gradebook holds no grades of {assignment or 'any notebook'}")
    write_csv(workspace / "grades.csv", NBGRADER, chosen)
    _write_canvas(workspace / "grades_canvas.csv", chosen, known)
    _write_moodle(workspace / "grades_moodle.csv", chosen, known)
    _write_course(workspace / "grades_course.csv", rows)
    files = ("grades", "grades_canvas", "grades_moodle", "grades_course")
    return [workspace / f"{name}.csv" for name in files]


def read_roster(path: Path) -> dict[str, dict[str, str]]:
    """Read a roster by student id.

    Raises
    ------
    ValueError
        If the column ``student_id`` is missing or an id occurs twice.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        if "student_id" not in (table.fieldnames or ()):
            raise ValueError(f"roster {path} needs a column student_id, has {table.fieldnames}")
        known: dict[str, dict[str, str]] = {}
        for row in table:
            student = (row["student_id"] or "").strip()
            if student in known:
                raise ValueError(f"roster {path} holds the student_id {student!r} twice")
            if student:
                known[student] = {name: (row.get(name) or "").strip() for name in ROSTER}
    return known


def safe(value: object) -> str:
    """Text of a CSV cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{round(value, 4):g}"
    text = str(value).replace("\x00", "")
    risky = text.lstrip().startswith(tuple("=+-@")) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if risky else text


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows at once or not at all."""
    columns = list(columns)
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow([safe(name) for name in columns])
    table.writerows([safe(row.get(name)) for name in columns] for row in rows)
    write_whole(path, text.getvalue())


def _full_name(row: Row) -> str:
    """Name as Canvas and Moodle write it; the id where the name is unknown."""
    last, first = row["last_name"] or "", row["first_name"] or ""
    return ", ".join(part for part in (last, first) if part) or row["student_id"]


def _wide(rows: list[Row]) -> tuple[list[str], dict[str, dict[str, Row]]]:
    """Assignments in order, and per student its row of each."""
    by_student: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_student.setdefault(row["student_id"], {})[row["assignment"]] = row
    return sorted({row["assignment"] for row in rows}), by_student


def _write_canvas(path: Path, rows: list[Row], known: Mapping[str, dict[str, str]]) -> None:
    """Canvas's gradebook import: a row of maxima, then one row a student."""
    assignments, by_student = _wide(rows)
    most = {row["assignment"]: row["max_score"] for row in rows}
    table: list[dict[str, Any]] = [{"Student": "Points Possible"} | most]
    for student, mine in by_student.items():
        entry = known.get(student) or dict.fromkeys(ROSTER, "")
        first = next(iter(mine.values()))
        table.append(
            {
                "Student": _full_name(first),
                "ID": entry["canvas_id"],
                "SIS User ID": entry["sis_user_id"],
                "SIS Login ID": student,
                "Section": entry["section"],
            }
            | {name: row["score"] for name, row in mine.items()}
        )
    columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *assignments]
    write_csv(path, columns, table)


def _write_moodle(path: Path, rows: list[Row], known: Mapping[str, dict[str, str]]) -> None:
    """Moodle's grade import: there you choose which column names the student."""
    assignments, by_student = _wide(rows)
    table = []
    for student, mine in by_student.items():
        first = next(iter(mine.values()))
        table.append(
            {
                "First name": first["first_name"],
                "Last name": first["last_name"],
                "ID number": known.get(student, {}).get("moodle_id") or student,
                "Username": student,
                "Email address": first["email"],
            }
            | {f"{name} (Real)": row["score"] for name, row in mine.items()}
        )
    columns = ["First name", "Last name", "ID number", "Username", "Email address"]
    write_csv(path, [*columns, *(f"{name} (Real)" for name in assignments)], table)


def _write_course(path: Path, rows: list[Row]) -> None:
    """Per cent by notebook and their mean: notebooks weigh equally, however many points they have.

    A notebook that was not handed in counts as zero; while one that was has no score yet, there is
    no course grade either.
    """
    assignments, by_student = _wide([row for row in rows if row["max_score"] > 0])
    table = []
    for student, mine in by_student.items():
        percent: dict[str, float | None] = {}
        for name, row in mine.items():
            score = row["score"]
            percent[name] = None if score is None else 100 * score / row["max_score"]
        open_ones = [n for n, row in mine.items() if row["submitted"] and row["score"] is None]
        counted = [percent[name] or 0.0 for name in assignments]
        table.append(
            {
                "student_id": student,
                "course_percent": None if open_ones else sum(counted) / len(counted),
                "without_score": " ".join(open_ones),
                "not_submitted": " ".join(n for n, row in mine.items() if not row["submitted"]),
                "written_answers_to_grade": sum(row.get("waits", 0) for row in mine.values()),
            }
            | percent
        )
    columns = ["student_id", "course_percent", *assignments, "without_score", "not_submitted"]
    write_csv(path, [*columns, "written_answers_to_grade"], table)
