"""Run nbval over all solutions on a GPU and, for comparison, on the CPU of the same machine.

Prints seconds per notebook on both and every key figure beside its band. Works with whatever torch
is installed in the Python that runs it; without a CUDA device it says so and does nothing.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("torch", "transformers", "captum", "duckdb", "sklearn", "seaborn", "pytest", "nbval")
SLOWEST = 1.2  # a GPU may take this many times the CPU's time


def device():
    """Name of the GPU, or None; ends with one line where a package is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"test-gpu: {sys.executable} lacks {', '.join(missing)}; see GPU_PYTHON")
    import torch

    print(f"test-gpu: torch {torch.__version__}, CUDA {torch.version.cuda}", flush=True)
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def search_path():
    """The course before what ``PYTHONPATH`` already holds, which may be where torch is."""
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(ROOT), *([before] if before else [])])


def nbval(path, on_gpu):
    """Run one solution with nbval: whether it passed, wall seconds, and its figures."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "claims.jsonl"
        environment = os.environ | {"COURSE_CLAIMS": str(log), "COURSE_STRICT": "0"}
        environment |= {"PYTHONPATH": search_path(), "COURSE_DEVICE": "cuda" if on_gpu else "cpu"}
        if not on_gpu:
            environment |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax"]
        command += ["--nbval-current-env", "--nbval-cell-timeout=1200", str(path)]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        lines = log.read_text().splitlines() if log.exists() else []
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-1000:], flush=True)
    return done.returncode == 0, seconds, [json.loads(line) for line in lines]


def span(claim):
    """Band of a figure in words."""
    low = "" if claim["low"] is None else f"from {claim['low']:g} "
    high = "" if claim["high"] is None else f"to {claim['high']:g}"
    return (low + high).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="all by default")
    parser.add_argument("--require", action="store_true", help="fail where there is no GPU")
    parser.add_argument("--no-cpu", action="store_true", help="leave the CPU's time out")
    options = parser.parse_args()
    found = {p.stem: p for p in sorted(ROOT.glob("solutions/*/*.ipynb")) if p.stem == p.parent.name}
    unknown = [name for name in options.names if name not in found]
    if unknown:
        parser.error(f"NOTEBOOK must be one of {list(found)}, got {unknown}")
    gpu = device()
    if gpu is None:
        print("test-gpu: no CUDA device here, nothing was run")
        return int(options.require)
    print(f"test-gpu: {gpu}", flush=True)
    failed = False
    for name in options.names or found:
        passed, seconds, claims = nbval(found[name], on_gpu=True)
        line = f"{name:30} GPU {seconds:5.0f} s"
        if not options.no_cpu:
            _, on_cpu, _ = nbval(found[name], on_gpu=False)
            line += f"  CPU, one thread {on_cpu:5.0f} s  ratio {seconds / on_cpu:.2f}"
            line += "  TOO SLOW" * (seconds > SLOWEST * on_cpu)
            failed |= seconds > SLOWEST * on_cpu
        print(line + ("" if passed else "  FAILED"), flush=True)
        for claim in claims:
            mark = "in the band" if claim["inside"] else "OUTSIDE"
            print(f"    {claim['value']:8.3f}  {mark:11}  {span(claim):22}  {claim['what']}")
        failed |= not passed or any(not claim["inside"] for claim in claims)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
