"""Which of a student's attempts counts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from classroom.intake.log import Record
from classroom.intake.platforms import Owner, copy_number, plain_name, stated_time

__all__ = ["choose", "order_of"]

STEP = 2  # seconds: a zip's clock has no finer ones


def order_of(parts: tuple[str, ...], owner: Owner) -> Record:
    """What says which attempt is later."""
    name = parts[-1]
    attempt, base = 0, plain_name(name)
    if owner.lms == "canvas":
        outer = [p for p in parts if f"_{owner.number}_{owner.file}_" in p]
        base = plain_name((outer or [name])[0]).split(f"_{owner.number}_{owner.file}_", 1)[-1]
        if match := re.fullmatch(r"(.+)-(\d{1,6})", base):
            base, attempt = match[1], int(match[2])
    found: Record = {"lms": owner.lms, "attempt": attempt, "upload": owner.file}
    found |= {"copy": copy_number(name), "base": base.casefold(), "late": owner.late}
    if owner.time and (stated := stated_time(owner.time)):
        found |= {"time": stated.isoformat(), "stated": True}
    return found


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


def choose(records: list[Record]) -> None:
    """Set the status of valid attempts, and put records in order.

    A document is refused where its student handed in nothing else, so that the student is named.
    """
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
    notebooks = {r["student"] for r in records if "base" in r}
    for record in records:
        if record.get("document"):
            alone = record["student"] and record["student"] not in notebooks
            record["status"] = "refused" if alone else "ignored"
    records.sort(key=lambda r: (r["student"], place.get(id(r), -1), r["file"], r["sha256"] or ""))
