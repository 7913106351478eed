"""How long a class takes, and how much memory: ``python -m benchmarks.class_scale --help``.

Simulated submissions of notebook 01, each with its own mixture of right, wrong and missing answers,
are repaired, judged and scored as ``make grade`` does it. The first of them go through ``nbgrader
autograde`` in the same run, with the course's configuration (so it skips the training cells, too).
With ``--kill N`` a class of N is killed half-way and graded on; its gradebook must be that of the
same students in the largest class, which was not killed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import psutil

from classroom.authoring.build import ONE_THREAD
from classroom.authoring.source import course_root
from classroom.demo import ASSIGNMENT, DemoCourse
from classroom.files import write_whole
from classroom.gradebook.autograde import autograde
from classroom.gradebook.export import grade_rows
from classroom.gradebook.results import read_results
from classroom.gradebook.workspace import Class
from classroom.intake.repair_all import repair_all

RESULTS = Path(__file__).with_name("class_scale.json")


class PeakMemory:
    """Largest proportional set size of this process with all its children, in MiB."""

    def __enter__(self) -> PeakMemory:
        self.mib, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(2.0):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except (psutil.Error, OSError):
                    continue
            self.mib = max(self.mib, total / 2**20)


def cpu_seconds() -> float:
    """CPU time of this process and of all its children that have ended."""
    usages = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def submit(root: Path, workspace: Path, number: int) -> None:
    """Write submissions as ``collect`` leaves them; the first are the same for every number."""
    course = DemoCourse(root)
    for i in range(number):
        folder = workspace / "submitted" / f"student{i:03d}" / ASSIGNMENT
        folder.mkdir(parents=True)
        nbformat.write(course.fill(course.mixed(0.7, 0.2)), folder / f"{ASSIGNMENT}.ipynb")


def gradebook(root: Path, workspace: Path) -> dict[str, object]:
    """Scores by student, as they are exported."""
    with Class(root, workspace).gradebook() as book:
        return {row["student_id"]: row["score"] for row in grade_rows(book, [ASSIGNMENT])}


def ours(
    root: Path, number: int, options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, object]]:
    """Repair, judge and score a class; return what it took, and its gradebook."""
    with tempfile.TemporaryDirectory() as scratch, PeakMemory() as memory:
        workspace = Path(scratch)
        submit(root, workspace, number)
        start, cpu = time.perf_counter(), cpu_seconds()
        repair_all(root, workspace, ASSIGNMENT, progress=False)
        repaired = time.perf_counter()
        results = autograde(
            root, workspace, ASSIGNMENT, workers=options.workers, scheduler=options.scheduler
        )
        end = time.perf_counter()
        scores = gradebook(root, workspace)
    judged = sum(r["cpu_seconds"] for r in results)
    took = {
        "submissions": number,
        "repair_seconds": repaired - start,
        "seconds": end - start,
        "cpu_seconds": cpu_seconds() - cpu,
        "cpu_seconds_judging": judged,
        "peak_mib": memory.mib,
        "graded": sum(r["status"] == "graded" for r in results),
    }
    return took, scores


def killed(
    root: Path, number: int, options: argparse.Namespace, expected: dict[str, object]
) -> dict[str, object]:
    """Kill the grading of a class half-way, grade on, and compare with the expected scores."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        submit(root, workspace, number)
        repair_all(root, workspace, ASSIGNMENT, progress=False)
        command = [sys.executable, "-m", "classroom", "autograde", ASSIGNMENT]
        command += ["--workspace", scratch, "--workers", str(options.workers)]
        process = subprocess.Popen(command, cwd=root, start_new_session=True)
        while process.poll() is None and len(read_results(workspace, ASSIGNMENT)) < number / 2:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = read_results(workspace, ASSIGNMENT)
        places = {s: workspace / "results" / s / f"{ASSIGNMENT}.json" for s in done}
        times = {s: place.stat().st_mtime_ns for s, place in places.items()}
        subprocess.run(command, cwd=root, check=True)
        scores = gradebook(root, workspace)
        again = sum(places[s].stat().st_mtime_ns != times[s] for s in done if done[s]["recorded"])
    return {
        "submissions": number,
        "results_when_killed": len(done),
        "judged_again": again,
        "same_gradebook": scores == {s: expected[s] for s in scores} and len(scores) == number,
    }


def nbgrader(root: Path, number: int) -> dict[str, float]:
    """Time ``nbgrader autograde`` on the same submissions, one after the other as it does."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        submit(root, workspace, number)
        Class(root, workspace).prepare(ASSIGNMENT)
        shutil.copytree(workspace / "submitted", workspace / "repaired")
        environment = os.environ | ONE_THREAD | {"MPLBACKEND": "Agg"}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        start, cpu = time.perf_counter(), cpu_seconds()
        subprocess.run(
            [sys.executable, "-m", "nbgrader", "autograde", ASSIGNMENT],
            cwd=workspace,
            env=environment,
            check=True,
            capture_output=True,
        )
        seconds = time.perf_counter() - start
    return {
        "submissions": number,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds() - cpu,
    }


def table(told: dict[str, Any]) -> list[str]:
    """Lines of Markdown that show what :func:`main` measured."""
    runs = [("classroom", row) for row in told["class"]]
    if "nbgrader" in told:
        runs.append(("nbgrader autograde", told["nbgrader"]))
    lines = [
        "## Grading a class of notebook 01",
        "",
        f"{told['date']}, {told['machine']}, {told['workers']} workers. Wall time with the gate;",
        "CPU time of judging alone (box and examiner), for nbgrader of everything.",
        "",
        "| | submissions | s | s a submission | CPU s a submission | peak MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in runs:
        number, memory = int(row["submissions"]), row.get("peak_mib")
        cpu = row.get("cpu_seconds_judging", row["cpu_seconds"]) / number
        lines.append(
            f"| {name} | {number} | {row['seconds']:.0f} | {row['seconds'] / number:.1f} "
            f"| {cpu:.1f} | {f'{memory:.0f}' if memory else ''} |"
        )
    lines.append("")
    if "killed" in told:
        row = told["killed"]
        same = "the same" if row["same_gradebook"] else "NOT the same"
        lines += [
            f"A class of {row['submissions']}, killed after {row['results_when_killed']} results,",
            f"graded on: {row['judged_again']} judged again, {same} gradebook as without the kill.",
            "",
        ]
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/class_scale.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.class_scale", description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, default=[4, 10, 20, 40], metavar="N")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--stock", type=int, default=4, help="submissions for nbgrader; 0: none")
    parser.add_argument("--scheduler", help="address of a running dask scheduler")
    parser.add_argument("--kill", type=int, default=0, metavar="N", help="0: none")
    options = parser.parse_args(arguments)
    root = course_root()
    told: dict[str, object] = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "python": platform.python_version(),
        "workers": options.workers,
    }
    if options.stock:
        told["nbgrader"] = nbgrader(root, options.stock)
        print("nbgrader autograde:", json.dumps(told["nbgrader"]), flush=True)
    rows: list[dict[str, float]] = []
    scores: dict[str, object] = {}
    numbers = {*options.numbers, options.stock, options.kill} - {0}
    for number in sorted(numbers):
        took, scores = ours(root, number, options)
        rows.append(took)
        print(json.dumps(took), flush=True)
        told["class"] = rows
        write_whole(RESULTS, json.dumps(told, indent=1) + "\n")
    if options.kill:
        told["killed"] = killed(root, options.kill, options, scores)
        print("killed half-way:", json.dumps(told["killed"]), flush=True)
        write_whole(RESULTS, json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
