"""Build the executed solution notebooks and the student release from the sources."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm.auto import tqdm

from classroom.authoring.common_cells import write_verified
from classroom.authoring.source import read_source, tags
from classroom.files import copy_whole, write_whole

__all__ = ["Run", "build", "execute", "make_release", "rebuild", "release"]

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass
class Run:
    """One execution of a notebook: the time it took and the figures it claimed."""

    name: str
    cpu_seconds: float
    wall_seconds: float
    claims: list[dict[str, Any]] = field(default_factory=list)


def execute(
    notebook: NotebookNode,
    name: str,
    *,
    folder: Path,
    allow_errors: bool = False,
    strict: bool = True,
    seed: int | None = None,
    timeout: int = 1800,
    progress: bool = True,
    kernel: str = "python3",
    record_timing: bool = False,
) -> Run:
    """Execute a notebook in place, its kernel on one thread.

    Parameters
    ----------
    folder
        Working folder of the kernel.
    allow_errors
        Whether to go on after a cell that raises.
    strict
        Whether a figure outside its band raises.
    seed
        Seed of the notebook's experiments, 0 by default.
    timeout
        Limit for one cell, in seconds.
    kernel
        Name of the kernel, this environment's by default.
    record_timing
        Whether each cell's metadata say when it began and ended.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises and ``allow_errors`` is false.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "claims.jsonl"
        environment = os.environ | ONE_THREAD
        environment |= {"COURSE_STRICT": str(int(strict)), "COURSE_CLAIMS": str(log)}
        environment |= {"COURSE_SEED": str(seed or 0)}
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name=kernel,
            allow_errors=allow_errors,
            record_timing=record_timing,
            resources={"metadata": {"path": str(folder)}},
        )
        cpu, wall = _children_seconds(), time.perf_counter()
        manager = client.create_kernel_manager()
        manager.transport, manager.ip = "ipc", str(Path(scratch) / "kernel")  # no open port
        bar = tqdm(total=len(notebook.cells), desc=name, unit="cell", disable=not progress)
        client.on_cell_complete = lambda cell, cell_index: bar.update(1)
        try:
            client.execute(env=environment)
        finally:
            bar.close()
        run = Run(name, _children_seconds() - cpu, time.perf_counter() - wall)
        if log.exists():
            run.claims = [json.loads(line) for line in log.read_text().splitlines()]
    return run


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def build(root: Path, name: str, *, run: bool = True, progress: bool = True) -> Run:
    """Make ``solutions/<name>/<name>.ipynb`` from its source; an interrupted build changes nothing.

    A complete run is noted, and the notebook says so. With ``run=False`` the cells stay without
    outputs.
    """
    source = read_source(root, name)
    _ = source.exercises  # raises for a source whose checks and exercises do not fit together
    folder = root / "solutions" / name
    result = Run(name, 0.0, 0.0)
    if run:
        result = execute(source.notebook, name, folder=folder, progress=progress)
        write_verified(root, name, result.cpu_seconds)
        executed, source = source.notebook, read_source(root, name)
        take_outputs(source.notebook, executed)
    write_notebook(source.notebook, folder / f"{name}.ipynb")
    return result


def rebuild(root: Path, name: str) -> None:
    """Make ``solutions/<name>/<name>.ipynb`` anew with the outputs that it has.

    For changes of prose. The common installation cell alone may differ: it is executed again.

    Raises
    ------
    ValueError
        If any other code has changed, or there are no outputs to keep.
    """
    path = root / "solutions" / name / f"{name}.ipynb"
    if not path.is_file():
        raise ValueError(f"{name} has no outputs to keep: build it")
    executed, source = nbformat.read(path, as_version=4), read_source(root, name)
    for old, new in zip(code_cells(executed), code_cells(source.notebook), strict=False):
        if "install" in tags(new) and old.source != new.source:
            alone = nbformat.v4.new_notebook(cells=[new], metadata=source.notebook.metadata)
            execute(alone, f"{name}, installation", folder=path.parent, progress=False)
            old.update(source=new.source, outputs=new.outputs)
    take_outputs(source.notebook, executed)
    write_notebook(source.notebook, path)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Cells of code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def take_outputs(notebook: NotebookNode, executed: NotebookNode) -> None:
    """Copy the outputs of an executed notebook into one with the same code.

    Raises
    ------
    ValueError
        If the code differs; the message has the first line of the cell.
    """
    old, new = code_cells(executed), code_cells(notebook)
    for position, cell in enumerate(new):
        if position >= len(old) or old[position].source != cell.source:
            first = (cell.source.splitlines() or [""])[0]
            raise ValueError(f"the code has changed, execute the notebook: cell {first!r}")
    if len(old) > len(new):
        raise ValueError("the code has changed, execute the notebook: it has fewer cells")
    for before, cell in zip(old, new, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    tidy_outputs(notebook)


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook at once or not at all."""
    nbformat.validate(notebook)
    write_whole(path, nbformat.writes(notebook) + "\n")


def tidy_outputs(notebook: NotebookNode) -> None:
    """Keep of a progress bar what a terminal would show at the end; join neighbouring streams."""
    notebook.metadata.language_info = nbformat.from_dict({"name": "python"})
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        outputs: list[NotebookNode] = []
        for output in cell.outputs:
            last = outputs[-1] if outputs else None
            stream = output.output_type == "stream"
            if stream and last and last.output_type == "stream" and last.name == output.name:
                last.text += output.text
            else:
                outputs.append(output)
        for output in outputs:
            if output.output_type == "stream":
                output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
        cell.outputs = outputs


def release(root: Path, names: list[str]) -> None:
    """Make the student notebooks of ``names`` in ``notebooks/`` from the built solutions."""
    for name in names:
        target = root / "notebooks" / name
        with tempfile.TemporaryDirectory() as scratch:
            made = make_release(root, name, Path(scratch))
            copy_whole(made, target / f"{name}.ipynb")


def make_release(root: Path, name: str, folder: Path) -> Path:
    """Run nbgrader's ``generate_assignment`` for one notebook in ``folder``, without a gradebook.

    The release is made from the source, not from the executed notebook, so it never depends on
    outputs.

    Returns
    -------
    Path of the release notebook.

    Raises
    ------
    RuntimeError
        If nbgrader fails; the message ends with what it printed.
    """
    (folder / "solutions" / name).mkdir(parents=True)
    shutil.copy(root / "nbgrader_config.py", folder)
    write_notebook(read_source(root, name).notebook, folder / "solutions" / name / f"{name}.ipynb")
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", name, "--force", "--no-db"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    path = folder / "notebooks" / name / f"{name}.ipynb"
    if done.returncode or not path.is_file():
        raise RuntimeError(f"nbgrader could not release {name}:\n{done.stderr[-2000:]}")
    return path
