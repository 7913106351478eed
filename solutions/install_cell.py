# The common installation cell of all notebooks; its title line is added where it is put in.
import importlib.util
import subprocess
import sys
from pathlib import Path

REPO, REF, WHEEL = "", "", ""  # where the course is on GitHub; empty: its wheel lies right here
NEEDED = {}  # what Colab may lack: module and the package that brings it


class SetupFailed(Exception):
    def _render_traceback_(self):  # one line instead of a traceback
        return [str(self)]


def add(packages):
    """Install packages without their dependencies; return what went wrong, in one line."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *packages]
    done = subprocess.run(pip, capture_output=True, text=True)
    importlib.invalidate_caches()
    said = [line for line in done.stderr.splitlines() if "ERROR" in line or "No module" in line]
    return f"Could not add {' '.join(packages)}: {said[-1:]}" if done.returncode else ""


if not importlib.util.find_spec("course_utils"):
    here = sorted(str(path.resolve()) for path in Path().glob("attention_in_medicine-*.whl"))
    if not here and not REPO:
        raise SetupFailed("Put attention_in_medicine-….whl (it came with this notebook) beside it.")
    problem = add(here[-1:] or [f"https://github.com/{REPO}/raw/{REF}/notebooks/{WHEEL}"])
    if problem:
        raise SetupFailed(f"{problem} (Is there a network?)")
missing = [package for module, package in NEEDED.items() if not importlib.util.find_spec(module)]
if missing and (problem := add(missing)):
    print(problem, "(Is there a network? Cells that need it will say so.)")

training = importlib.import_module("course_utils.training")
print("Ready on", training.describe_device(training.pick_device()))
