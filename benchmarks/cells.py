"""Where the time of a notebook goes: seconds of every cell on the device at hand."""

from __future__ import annotations

import datetime
import re
from typing import Any

from nbformat import NotebookNode

from classroom.authoring.build import execute
from classroom.authoring.source import course_root, notebook_names, read_source

ROOT = course_root()
SLOWEST = 8


def cell_seconds(cell: NotebookNode) -> float:
    """Seconds between a cell's start and its end, from the timing that nbclient records."""
    times = cell.metadata.get("execution", {})
    began, ended = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if began is None or ended is None:
        return 0.0
    parse = datetime.datetime.fromisoformat
    return (parse(ended) - parse(began)).total_seconds()


def kind_of(cell: NotebookNode, *, first: bool) -> str:
    """What a code cell is for: ``imports``, ``answers``, ``checks`` or ``experiments``."""
    graded = cell.metadata.get("nbgrader", {})
    if first:
        return "imports"
    if graded.get("solution"):
        return "answers"
    return "checks" if graded.get("grade") or "checks." in cell.source else "experiments"


def table_of(notebook: NotebookNode) -> dict[str, Any]:
    """Seconds by kind of cell, and the slowest cells with the section that they stand in."""
    section, seconds, slowest = "", dict.fromkeys(("imports", "answers", "checks"), 0.0), []
    seconds["experiments"] = 0.0
    first = True
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            section = (re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE) or [section])[-1]
            continue
        took = cell_seconds(cell)
        seconds[kind_of(cell, first=first)] += took
        first = False
        slowest.append({"cell": index, "section": section, "seconds": round(took, 1)})
    slowest.sort(key=lambda row: -row["seconds"])
    kinds = {kind: round(value, 1) for kind, value in seconds.items()}
    return {"kinds": kinds, "slowest": slowest[:SLOWEST]}


def measure() -> dict[str, Any]:
    """Execute every notebook once and time its cells; by name of the notebook."""
    tables = {}
    for name in notebook_names(ROOT):
        notebook = read_source(ROOT, name).notebook
        folder = ROOT / "solutions" / name
        execute(notebook, name, folder=folder, strict=False, record_timing=True)
        tables[name] = table_of(notebook)
        print(f"  {name}: {tables[name]['kinds']}", flush=True)
    return tables


def page(part: dict[str, Any]) -> list[str]:
    """The tables as lines of Markdown."""
    kinds = ("imports", "answers", "checks", "experiments")
    lines = ["## Cells", "", f"{part['date']}, {part['machine']}. Seconds on the clock.", ""]
    lines += [f"| notebook | {' | '.join(kinds)} | all |", "| --- |" + " ---: |" * 5]
    for name, table in part["notebooks"].items():
        row = [table["kinds"][kind] for kind in kinds]
        lines.append(f"| {name} | {' | '.join(f'{v:.1f}' for v in (*row, sum(row)))} |")
    lines += ["", "| notebook | section of the slowest cells | seconds |", "| --- | --- | ---: |"]
    for name, table in part["notebooks"].items():
        for row in table["slowest"]:
            place = f"{row['section'].replace('|', '')} (cell {row['cell']})"
            lines.append(f"| {name} | {place} | {row['seconds']:.1f} |")
    return [*lines, ""]
