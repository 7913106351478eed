"""Take answers through both doors, ``try`` and the judge of submissions, and print differences.

``python tests/classroom/doors.py 01_self_attention [--each 5] [--only f1_scores]
[--files "right_*.py"]``: all answers of ``tests/answers`` by default. One box serves all of them,
and only the answer's own exercise is judged.
"""

import argparse
import copy
import importlib
import random
import sys
import types
from pathlib import Path

from classroom.judging.judge import Judge, plan_of
from classroom.judging.trial import Task, judge
from classroom.judging.trial_worker import plain

ROOT = Path(__file__).resolve().parents[2]
KEYS = ("status", "points", "max_points", "message")


def session_maker(judge_):
    """Import what the examiner imports; return a function that makes its sessions here."""
    job = judge_._job()
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    exec(plain(job["imports"]), module.__dict__)
    importlib.import_module("classroom.judging.bridge.peer")
    importlib.import_module(f"course_utils.checks.{job['module']}")
    examiner = importlib.import_module("classroom.judging.examiner")
    return lambda notebook: examiner.Session(job, plan_of(notebook, judge_.source), module.__dict__)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook")
    parser.add_argument("--each", type=int, default=10**6, help="answers an exercise")
    parser.add_argument("--only", nargs="*", help="exercises")
    parser.add_argument("--files", default="*.py", help="for example 'right_*.py'")
    options = parser.parse_args()
    judge_ = Judge(ROOT, options.notebook)
    pick, tasks = random.Random(1), []
    for name in options.only or judge_.source.exercises:
        files = sorted((ROOT / "tests" / "answers" / options.notebook / name).glob(options.files))
        tasks += [Task(name, p) for p in sorted(pick.sample(files, min(options.each, len(files))))]
    wanted = list(judge(ROOT, options.notebook, tasks, workers=1))
    make, box, different = session_maker(judge_), None, 0
    for task, want in zip(tasks, wanted, strict=True):
        notebook = copy.deepcopy(judge_.source.notebook)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == task.exercise:
                cell.source = task.path.read_text("utf-8")
        session = make(notebook)
        session.box = box
        got = session._timed(task.exercise)
        box = session.box
        if any(got[k] != want[k] for k in KEYS):
            different += 1
            print(f"{task.exercise}/{task.path.name}", flush=True)
            for door, result in (("try", want), ("box", got)):
                print(f"  {door}: {result['status']} {result['points']} {result['message']}")
    if box is not None:
        box.close()
    print(f"{options.notebook}: {different} of {len(tasks)} answers differ")
    return different > 0


if __name__ == "__main__":
    sys.exit(main())
