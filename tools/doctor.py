"""Check this machine for the course and for grading: one line a finding, and what to do."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from course_utils import doctor  # noqa: E402


def sandbox():
    """Whether student code can be boxed here; only instructors need it."""
    if not sys.platform.startswith("linux"):
        return doctor.Finding("note", "sandbox", "grading needs Linux (on Windows: WSL)")
    if shutil.which("bwrap") is None:
        words = "no bubblewrap: apt install bubblewrap (only to grade)"
        return doctor.Finding("note", "sandbox", words)
    probe = ["bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "true"]
    done = subprocess.run(probe, capture_output=True, text=True)
    if done.returncode:
        words = f"bubblewrap makes no box: {(done.stderr.strip() or 'no reason given')[-100:]}"
        return doctor.Finding("note", "sandbox", f"{words} (only to grade; see docs/grading.md)")
    return doctor.Finding("ok", "sandbox", "bubblewrap makes a box")


def tools():
    """Whether what the commands of the Makefile call is installed."""
    missing = [n for n in ("jupyterlab", "nbgrader", "jupytext") if not importlib.util.find_spec(n)]
    if missing:
        return doctor.Finding("missing", "commands", f"no {', '.join(missing)}: make env")
    return doctor.Finding("ok", "commands", "JupyterLab, nbgrader and jupytext")


if __name__ == "__main__":
    ready = doctor.report(ROOT)
    for finding in (tools(), sandbox()):
        print(finding)
        ready &= finding.state != "missing"
    sys.exit(not ready)
