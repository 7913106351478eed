"""The log of what was collected: a line a file, and who handed in what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from classroom.files import write_whole

__all__ = ["LOG", "Record", "log_of", "read_log", "write_log"]

Record = dict[str, Any]
LOG = "log.jsonl"


def log_of(workspace: Path, assignment: str) -> Path:
    """Where an assignment's log is."""
    return workspace / "collected" / assignment / LOG


def read_log(workspace: Path, assignment: str) -> list[Record]:
    """Records of an assignment, none where nothing was collected.

    Raises
    ------
    ValueError
        If a line of the log is damaged.
    """
    path = log_of(workspace, assignment)
    if not path.is_file():
        return []
    # not splitlines: a name may hold what Python, but not JSON, takes for the end of a line
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}, is damaged ({error}): delete the log and collect again"
            ) from None
        records.append(record)
    return records


def write_log(workspace: Path, assignment: str, records: list[Record]) -> None:
    """Write the records, at once or not at all."""
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    write_whole(log_of(workspace, assignment), "".join(line + "\n" for line in lines))
