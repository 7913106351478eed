"""Collect submissions from a learning platform's folder or zip.

Canvas, Moodle, Google Classroom, Blackboard, nbgrader's own tree, and one folder (or file) a
student. A file is known by its content, never by its name. Everything that was handed in is kept
in ``collected/``; the latest valid attempt goes to ``submitted/``; ``log.jsonl`` has a line a file.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from classroom.authoring.source import course_root
from classroom.files import copy_whole, write_whole
from classroom.intake.archives import Found, walk
from classroom.intake.reading import NotANotebook, read_bytes
from classroom.intake.recognise import Recogniser
from classroom.intake.students import Owner, Registry, copy_number, owners, plain_name

__all__ = ["CollectSummary", "collect", "describe"]

Record = dict[str, Any]
STEP = 2  # seconds: a zip's clock has no finer ones
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
        seen = _look(source, assignment, recogniser, Path(staging), progress)
        registry = _name_students(seen, recogniser, assignment, workspace)
        records = _merge(_read_log(kept / "log.jsonl"), seen)
        _choose(records)
        _keep(records, kept, Path(staging))
    students = _submit(records, kept, workspace, assignment)
    write_whole(workspace / "collected" / "students.json", _dump(registry.entries, indent=1) + "\n")
    lines = [_dump({k: v for k, v in r.items() if not k.startswith("_")}) for r in records]
    write_whole(kept / "log.jsonl", "".join(line + "\n" for line in lines))
    return CollectSummary(students, [json.loads(line) for line in lines])


# ---- looking at every file


def _look(
    source: Path, assignment: str, recogniser: Recogniser, staging: Path, progress: bool
) -> list[Record]:
    """A record of each file; contents wait in ``staging`` under their checksum."""
    records = []
    for found in tqdm(walk(source), desc="collect", unit="file", disable=not progress):
        record = _judge(found, assignment, recogniser)
        if found.data is not None:
            (staging / record["sha256"]).write_bytes(found.data)
        records.append(record)
    return records


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
    time = found.time
    return {
        "file": "/".join(found.parts),
        "student": "",
        "status": status,
        "reason": reason,
        "sha256": hashlib.sha256(found.data).hexdigest() if found.data is not None else None,
        "time": _iso(time) if time is not None else None,
        "size": len(found.data) if found.data is not None else None,
        "_parts": found.parts,
    }


def _iso(time: float) -> str | None:
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None


# ---- whose they are


def _name_students(
    seen: list[Record], recogniser: Recogniser, assignment: str, workspace: Path
) -> Registry:
    """Fill in ``student`` and what orders attempts."""
    paths = [r["_parts"] for r in seen if r["status"] != "ignored"]
    known = owners(paths, recogniser.releases, assignment)
    file = workspace / "collected" / "students.json"
    registry = Registry(json.loads(file.read_text("utf-8")) if file.is_file() else None)
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
        record |= _order(record, owner)
    return registry


def _order(record: Record, owner: Owner) -> Record:
    """What says which attempt is later."""
    name = record["_parts"][-1]
    attempt, base = 0, plain_name(name)
    if owner.lms == "canvas":
        outer = [p for p in record["_parts"] if f"_{owner.number}_{owner.file}_" in p]
        base = plain_name((outer or [name])[0]).split(f"_{owner.number}_{owner.file}_", 1)[-1]
        if match := re.fullmatch(r"(.+)-(\d{1,6})", base):
            base, attempt = match[1], int(match[2])
    found: Record = {"lms": owner.lms, "attempt": attempt, "upload": owner.file}
    found |= {"copy": copy_number(name), "base": base.casefold(), "late": owner.late}
    if owner.time:
        digits = [int(n) for n in re.findall(r"\d+", owner.time)[:6]]
        try:
            stated = datetime(*(digits + [0] * 6)[:6])  # type: ignore[arg-type]
            found["time"] = stated.replace(tzinfo=UTC).isoformat()
            found["stated"] = True
        except (ValueError, TypeError):
            pass
    return found


# ---- which of them counts


def _merge(old: list[Record], seen: list[Record]) -> list[Record]:
    """Records of this run and of earlier ones; a file that is known keeps its place."""
    records: dict[tuple[str, str, str | None], Record] = {}
    for record in [*old, *seen]:
        key = (record["student"], record["file"], record["sha256"])
        before = records.get(key, {})
        records[key] = record | {k: before[k] for k in ("kept",) if before.get(k)}
    return list(records.values())


def _later(record: Record) -> tuple[Any, ...]:
    """Order of attempts across file names."""
    return record.get("upload", 0), _seconds(record), record["attempt"], record["copy"]


def _seconds(record: Record) -> float:
    if not record["time"]:
        return 0.0
    return datetime.fromisoformat(record["time"]).timestamp() // STEP


def _attempts(records: Iterable[Record]) -> list[Record]:
    """One student's attempts, the latest last.

    Of files with the same name the platform's attempt number decides, then time, then the number
    of the copy; the latest of each name are ordered by the platform's count of uploads and time.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record["base"]].append(record)
    for group in groups.values():
        group.sort(key=lambda r: (r["attempt"], *_later(r), r["file"]))
    ordered = sorted(groups.values(), key=lambda group: (_later(group[-1]), group[-1]["file"]))
    return [record for group in ordered for record in group]


def _choose(records: list[Record]) -> None:
    """Set the status of valid attempts, and put records in order."""
    by_student: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record["status"] in ("accepted", "superseded"):
            record["status"] = "valid"
        if record["student"] and "base" in record:
            by_student[record["student"]].append(record)
    place: dict[int, int] = {}
    for attempts in by_student.values():
        ordered = _attempts(attempts)
        place |= {id(record): k for k, record in enumerate(ordered)}
        valid = [r for r in ordered if r["status"] == "valid"]
        if not valid:
            continue
        best = valid[-1]
        for record in valid:
            same = record is not best and record["sha256"] == best["sha256"]
            record["status"] = "superseded"
            record["reason"] = f"{'the same as' if same else 'an earlier attempt than'} "
            record["reason"] += best["file"]
        refused = [r for r in ordered[ordered.index(best) + 1 :] if r["status"] == "refused"]
        best["status"] = "accepted"
        best["reason"] = "the latest attempt"
        if refused:
            why = "; ".join(f"{r['file']}: {r['reason']}" for r in refused)
            best["reason"] = f"the latest valid attempt; refused were later ones ({why})"
        if best["late"]:
            best["reason"] += "; marked late"
    records.sort(key=lambda r: (r["student"], place.get(id(r), -1), r["file"], r["sha256"] or ""))


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


def _read_log(path: Path) -> list[Record]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _dump(found: Any, indent: int | None = None) -> str:
    return json.dumps(found, ensure_ascii=False, indent=indent)


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
    without = {r["student"] for r in summary.records if r["status"] == "refused"}
    for student in sorted(without - set(summary.students) - {""}):
        lines.append(f"  nothing of {student} can be graded")
    return "\n".join(lines)
