"""Latency of the checks: CPU seconds of the visible and the hidden check on each model answer."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from classroom.authoring.source import course_root, notebook_names

ROOT = course_root()


def check_seconds(name: str) -> dict[str, float]:
    """CPU seconds by exercise of one notebook, in a Python of its own, on one thread."""
    command = [sys.executable, "-m", "benchmarks.checks", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def time_checks(name: str) -> dict[str, float]:
    """Run imports, model answers and checks of a notebook here; time the checks."""
    import contextlib
    import io
    import os
    import time

    os.environ |= {"MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    import torch

    from classroom.authoring.source import read_source

    torch.set_num_threads(1)
    source = read_source(ROOT, name)
    os.chdir(ROOT / "solutions" / name)
    space: dict[str, object] = {"__name__": "__main__"}
    seconds = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(source.imports, space)
        for exercise in source.exercises.values():
            exec(exercise.answer, space)
            start = time.process_time()
            for check in exercise.checks.values():
                exec(check, space)
            seconds[exercise.name] = time.process_time() - start
    return seconds


def measure() -> dict[str, float]:
    """Slowest and median exercise of each notebook."""
    values = {}
    for name in notebook_names(ROOT):
        seconds = check_seconds(name)
        slowest = max(seconds, key=lambda exercise: seconds[exercise])
        values[f"{name}: the slowest, {slowest}, s"] = seconds[slowest]
        values[f"{name}: the median of {len(seconds)}, s"] = statistics.median(seconds.values())
    return values


if __name__ == "__main__":
    print(json.dumps(time_checks(sys.argv[1])))
