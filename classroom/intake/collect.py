"""Collect submissions from a learning platform's folder or zip.

Canvas, Moodle, Google Classroom, Blackboard, Brightspace, Gradescope, PrairieLearn, nbgrader's own
tree, and one folder (or file) a student. A file is known by its content, never by its name.
Notebooks are kept in ``collected/``; the latest valid attempt goes to ``submitted/``;
``log.jsonl`` has a line a file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from classroom.authoring.source import course_root
from classroom.files import copy_whole, one_line, well_formed, write_whole
from classroom.intake.archives import METADATA, Found, walk
from classroom.intake.attempts import choose, order_of
from classroom.intake.exchange import keep_exchange_files
from classroom.intake.log import Record, read_log, write_log
from classroom.intake.platforms import Owner, gradescope_people
from classroom.intake.reading import NotANotebook, read_bytes
from classroom.intake.recognise import Recogniser
from classroom.intake.students import Registry, owners

__all__ = ["CollectSummary", "collect", "describe"]

NAME_BYTES = 150
STAGING = ".collecting-"


@dataclass
class CollectSummary:
    """Students with a submission that can be graded, and a record of every file ever seen."""

    students: list[str]
    records: list[Record]


def collect(
    source: Path,
    assignment: str,
    workspace: Path,
    *,
    progress: bool = True,
    root: Path | None = None,
) -> CollectSummary:
    """Take the submissions of one assignment from a folder or zip into the workspace.

    Running it again changes nothing; new files are added to what is there. A run that is
    interrupted leaves complete files only, and the next one goes on.

    Parameters
    ----------
    source
        Folder or zip as the learning platform gave it. It is only read.
    assignment
        Name of a released notebook.
    workspace
        Gets ``collected/<assignment>/<student>/``, ``collected/<assignment>/log.jsonl``,
        ``collected/students.json`` and ``submitted/<student>/<assignment>/``.
    root
        The course; by default the one around the workspace.

    Raises
    ------
    ValueError
        If ``source`` is neither a folder nor a zip, or ``assignment`` has no release.
    """
    source, workspace = Path(source), Path(workspace)
    recogniser = Recogniser(root or course_root(workspace))
    if assignment not in recogniser.releases:
        known = sorted(recogniser.releases)
        raise ValueError(f"assignment must be one of {known}, got {assignment!r}")
    kept = workspace / "collected" / assignment
    kept.mkdir(parents=True, exist_ok=True)
    for left in kept.glob(f"{STAGING}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=STAGING, dir=kept) as staging:
        seen, people = _look(source, assignment, recogniser, Path(staging), progress)
        registry = _name_students(seen, people, recogniser, assignment, workspace)
        records = _merge(read_log(workspace, assignment), seen)
        choose(records)
        _keep(records, kept, Path(staging))
    students = _submit(records, kept, workspace, assignment)
    keep_exchange_files(source, assignment, workspace)
    write_whole(workspace / "collected" / "students.json", _dump(registry.entries, indent=1) + "\n")
    shown = [{k: v for k, v in r.items() if not k.startswith("_")} for r in records]
    write_log(workspace, assignment, shown)
    return CollectSummary(students, read_log(workspace, assignment))


# ---- looking at every file


def _look(
    source: Path, assignment: str, recogniser: Recogniser, staging: Path, progress: bool
) -> tuple[list[Record], dict[Path, dict[str, Owner]]]:
    """A record of each file; contents wait in ``staging`` under their checksum.

    And Gradescope's lists of people, by the folder in which they are.
    """
    records, people = [], {}
    for found in tqdm(walk(source), desc="collect", unit="file", disable=not progress):
        record = _judge(found, assignment, recogniser)
        if found.data is not None and found.parts[-1].lower() == METADATA:
            people[Path(*found.parts[:-1])] = gradescope_people(found.data)
        elif found.data is not None:
            (staging / record["sha256"]).write_bytes(found.data)
        records.append(record)
    return records, people


def _judge(found: Found, assignment: str, recogniser: Recogniser) -> Record:
    status, reason = "valid", ""
    if found.ignored:
        status, reason = "ignored", found.ignored
    elif found.data is None:
        status, reason = "refused", found.refused
    else:
        try:
            reason = recogniser.objection(read_bytes(found.data).cells, assignment)
        except NotANotebook as error:
            reason = str(error)
        except Exception as error:  # whatever is in a file, the others are collected
            reason = f"cannot be read ({type(error).__name__})"
        status = "refused" if reason else "valid"
        if reason.endswith(f"this is {'/'.join(found.parts[-2:-1])}") and len(found.parts) > 1:
            status, reason = "ignored", f"{reason}, in its own folder"
    kept = found.data if not found.ignored else None
    record: Record = {
        "file": "/".join(found.parts),
        "student": "",
        "status": status,
        "reason": one_line(reason, 1000),
        "sha256": hashlib.sha256(kept).hexdigest() if kept is not None else None,
        "time": _iso(found.time) if found.time is not None else None,
        "size": len(kept) if kept is not None else None,
        "_parts": found.parts,
    }
    return record | ({"document": True} if found.document else {})


def _iso(time: float) -> str | None:
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None


# ---- whose they are


def _name_students(
    seen: list[Record],
    people: dict[Path, dict[str, Owner]],
    recogniser: Recogniser,
    assignment: str,
    workspace: Path,
) -> Registry:
    """Fill in ``student`` and what orders attempts."""
    paths = [r["_parts"] for r in seen if r["status"] != "ignored"]
    documents = [r["_parts"] for r in seen if r.get("document")]
    known = owners(paths, recogniser.releases, assignment, documents)
    known = {path: _person(path, owner, people) for path, owner in known.items()}
    registry = Registry(_read_students(workspace / "collected" / "students.json"))
    ids = registry.ids(known.values(), assignment)
    homes = {path[:-1]: known[path] for path in known if len(path) > 1}
    for record in seen:
        parts = record["_parts"]
        owner = known.get(parts)
        if owner is None:
            home = homes.get(parts[:-1])
            alone = home and {ids[known[p]] for p in known if p[:-1] == parts[:-1]}
            if record["status"] == "ignored" and home and alone and len(alone) == 1:
                record["student"] = ids[home]
            elif record["status"] == "valid":
                record["status"] = "refused"
                record["reason"] = "nothing in its name or folder says whose it is"
            continue
        record["student"] = ids[owner]
        if not record.get("document"):
            record |= order_of(parts, owner)
    return registry


def _person(path: tuple[str, ...], owner: Owner, people: dict[Path, dict[str, Owner]]) -> Owner:
    """Owner of a folder of Gradescope's, by the list beside it."""
    if owner.lms != "gradescope":
        return owner
    at = path.index(owner.name) if owner.name in path else 0
    listed = people.get(Path(*path[:at]), {}).get(owner.name, owner)
    return replace(listed, name=listed.name.strip() or owner.name)


def _read_students(file: Path) -> dict[str, dict[str, object]]:
    if not file.is_file():
        return {}
    try:
        entries: dict[str, dict[str, object]] = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}): delete it and collect again") from None
    return entries


def _merge(old: list[Record], seen: list[Record]) -> list[Record]:
    """Records of this run and of earlier ones; a file that is known keeps its place."""
    records: dict[tuple[str, str, str | None], Record] = {}
    for record in [*old, *seen]:
        key = (record["student"], record["file"], record["sha256"])
        before = records.get(key, {})
        records[key] = record | {k: before[k] for k in ("kept",) if before.get(k)}
    return list(records.values())


# ---- writing


def _keep(records: list[Record], folder: Path, staging: Path) -> None:
    """Move what was handed in to ``collected/``, numbered in the order of its coming."""
    numbers = Counter(r["student"] for r in records if r.get("kept"))
    for record in records:
        new = record["sha256"] and record["student"] and record["status"] != "ignored"
        if record.get("kept") or not new:
            continue
        number = numbers[record["student"]]
        numbers[record["student"]] += 1
        record["kept"] = f"{record['student']}/{number:02d}_{_file_name(record['_parts'][-1])}"
    for record in records:
        if not record.get("kept"):
            continue
        target, staged = folder / record["kept"], staging / record["sha256"]
        if staged.is_file() and _digest(target) != record["sha256"]:
            copy_whole(staged, target)


def _file_name(name: str) -> str:
    name = "".join("_" if c in '<>:"|?*' else c for c in name)  # what Windows does not take
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 20:
        stem, dot, suffix = name, "", ""
    return stem.encode()[:NAME_BYTES].decode(errors="ignore") + dot + suffix


def _submit(records: list[Record], kept: Path, workspace: Path, assignment: str) -> list[str]:
    """Copy accepted attempts to ``submitted/``; nothing is written that is there already."""
    students = []
    for record in records:
        if record["status"] != "accepted":
            continue
        folder = workspace / "submitted" / record["student"] / assignment
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{assignment}.ipynb"
        if _digest(target) != record["sha256"]:
            copy_whole(kept / record["kept"], target)
        stamp = folder / "timestamp.txt"
        if record.get("stated"):  # nbgrader's late policy reads this
            write_whole(stamp, record["time"] + "\n")
        else:
            stamp.unlink(missing_ok=True)
        students.append(record["student"])
    return sorted(students)


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _dump(found: Any, indent: int | None = None) -> str:
    return json.dumps(well_formed(found), ensure_ascii=False, indent=indent)


def describe(summary: CollectSummary) -> str:
    """Summary of :func:`collect` for the terminal."""
    count = Counter(record["status"] for record in summary.records)
    words = ", ".join(
        f"{count[s]} {s}" for s in ("accepted", "superseded", "refused", "ignored") if count[s]
    )
    lines = [f"{len(summary.students)} students; files: {words or 'none'}."]
    for record in summary.records:
        if record["status"] == "refused":
            lines.append(f"  refused  {record['file']}: {record['reason']}")
        elif record["status"] == "accepted" and "refused" in record["reason"]:
            lines.append(f"  earlier  {record['student']}: {record['reason']}")
    for student in sorted({r["student"] for r in summary.records if r["status"] == "refused"}):
        if student and student not in summary.students:
            lines.append(f"  nothing of {student} can be graded")
    return "\n".join(lines)
