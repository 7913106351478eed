"""Execute notebooks for a person to look at: HTML with pictures and a table of the key figures."""

from __future__ import annotations

from pathlib import Path

from nbclient.exceptions import CellExecutionError

from classroom.authoring.build import Run, execute, tidy_outputs
from classroom.authoring.source import read_source
from course_utils.claims import words

__all__ = ["print_table", "run_and_show"]


def print_table(root: Path, runs: list[Run]) -> None:
    """Print notebook, CPU seconds and exercises, and the claimed figures with their bands."""
    width = max((len(run.name) for run in runs), default=8)
    for run in runs:
        source = read_source(root, run.name)
        points = sum(sum(e.points.values()) for e in source.exercises.values())
        print(
            f"\n{run.name:{width}}  {run.cpu_seconds:6.0f} CPU s  {run.wall_seconds:6.0f} s  "
            f"{len(source.exercises)} exercises, {points:g} points, "
            f"{sum(source.written.values()):g} for written answers"
        )
        for claim in run.claims:
            mark = "in the band" if claim["inside"] else "OUTSIDE"
            print(f"    {claim['value']:8.3f}  {mark:11}  {words(claim):16}  {claim['what']}")


def run_and_show(root: Path, names: list[str], folder: Path) -> int:
    """Execute solutions on the device at hand and write an HTML page each.

    Returns
    -------
    0 when every notebook ran and every figure was in its band, else 1.
    """
    from nbconvert import HTMLExporter

    folder.mkdir(parents=True, exist_ok=True)
    runs, failed = [], []
    for name in names:
        notebook = read_source(root, name).notebook
        try:
            runs.append(execute(notebook, name, folder=root / "solutions" / name, strict=False))
        except CellExecutionError as error:
            failed.append(name)
            print(f"{name} stopped:\n{error}")
        tidy_outputs(notebook)
        page, _ = HTMLExporter(embed_images=True).from_notebook_node(
            notebook, resources={"metadata": {"name": name}}
        )
        path = folder / f"{name}.html"
        path.write_text(page, encoding="utf-8")
        print(f"{path}")
    print_table(root, runs)
    outside = any(not claim["inside"] for run in runs for claim in run.claims)
    return int(bool(failed) or outside)
