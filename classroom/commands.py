"""Commands that grade a class: each resumes where it was stopped and ends with a summary."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classroom.authoring.source import course_root

__all__ = ["add_class_commands"]

WORKSPACE = "grading"
DEMO = "grading-demo"


def add_class_commands(commands: Any) -> None:
    """Add the commands to the parser of ``python -m classroom``."""
    command = _command(commands, "collect", _collect, "take in an LMS's folder or zip")
    command.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="folder or zip")

    _command(commands, "repair", _repair, "rebuild the submissions on the release's cells")

    command = _command(commands, "autograde", _autograde, "judge and score the submissions")
    _judging_options(command)
    _db_option(command)

    command = _command(commands, "feedback", _feedback, "write a page of feedback a student")
    _db_option(command)

    command = _command(commands, "report", _report, "write the instructor's report")
    _db_option(command)
    _lookalikes_option(command)

    command = _command(commands, "export", _export, "write CSV for nbgrader, Canvas and Moodle")
    _db_option(command)
    _roster_option(command)

    command = _command(commands, "viva", _viva, "write questions on the students' own code")
    command.add_argument("--students", nargs="+", default=[], metavar="STUDENT", help="only these")
    command.add_argument("--questions", type=int, default=4, metavar="N", help="for each; 4")
    command.add_argument("--seed", type=int, default=0, help="of the draw; 0")
    command.add_argument("--workers", type=int, metavar="N", help="students at a time; all cores")
    command.add_argument(
        "--unsafe", action="store_true", help="run students' code WITHOUT a sandbox"
    )

    command = _command(commands, "grade", _grade, "collect to export in one go")
    command.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="folder or zip")
    _judging_options(command)
    _db_option(command)
    _roster_option(command)
    _lookalikes_option(command)

    text = "compare the exercises over assignments and terms"
    command = commands.add_parser("terms", help=text, description=text)
    command.add_argument(
        "gradebooks", nargs="+", metavar="[TERM=]WORKSPACE", help="or a gradebook's file or address"
    )
    command.add_argument("--out", type=Path, default=Path("terms.html"), help="page, with a CSV")
    command.set_defaults(run=_terms)

    command = commands.add_parser(
        "demo-class", help="grade 30 simulated students of notebook 01, to see it all"
    )
    command.add_argument(
        "--workspace", type=Path, help=f"folder, made anew; {DEMO}/ in the course by default"
    )
    _judging_options(command)
    command.set_defaults(run=_demo)


def _command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument("assignment", metavar="ASSIGNMENT", help="for example 01_self_attention")
    command.add_argument(
        "--workspace", type=Path, help=f"folder of the class; {WORKSPACE}/ in the course by default"
    )
    command.set_defaults(run=run)
    return command


def _judging_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers", type=int, metavar="N", help="submissions judged at the same time; all cores"
    )
    command.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a running dask scheduler")
    command.add_argument("--due", metavar="TIME", help='for example "2026-11-20 23:59 UTC"')
    command.add_argument("--again", action="store_true", help="judge also what has a result")
    command.add_argument(
        "--unsafe", action="store_true", help="run students' code WITHOUT a sandbox"
    )


def _db_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--db", metavar="URL", help="nbgrader's database, for example postgresql:")


def _lookalikes_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--no-lookalikes", action="store_true", help="do not compare the answers of the class"
    )


def _roster_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--roster", type=Path, metavar="CSV", help="names and LMS ids by student_id"
    )


def _places(options: argparse.Namespace) -> tuple[Path, Path]:
    root = course_root()
    return root, (options.workspace or root / WORKSPACE).resolve()


def _collect(options: argparse.Namespace) -> int:
    from classroom.intake.collect import collect, describe

    root, workspace = _places(options)
    print(describe(collect(options.submissions, options.assignment, workspace, root=root)))
    print(f"Everything is kept in {workspace / 'collected' / options.assignment}.")
    return 0


def _repair(options: argparse.Namespace) -> int:
    from classroom.intake.repair_all import describe, repair_all

    root, workspace = _places(options)
    print(describe(repair_all(root, workspace, options.assignment)))
    return 0


def _autograde(options: argparse.Namespace) -> int:
    from classroom.gradebook.autograde import autograde

    root, workspace = _places(options)
    results = autograde(
        root,
        workspace,
        options.assignment,
        workers=options.workers,
        scheduler=options.scheduler,
        db=options.db,
        unsafe=options.unsafe,
        due=options.due,
        again=options.again,
    )
    print(f"Graded {options.assignment}: {summary(results)}")
    return 0


def summary(results: Sequence[dict[str, Any]]) -> str:
    """Say in one paragraph what came out."""
    from classroom.gradebook.results import undecided

    status = Counter(r["status"] for r in results)
    points = [
        sum(e["points"] for e in r["exercises"].values())
        / max(1, sum(e["max_points"] for e in r["exercises"].values()))
        for r in results
        if r["status"] == "graded" and not undecided(r)
    ]
    waiting = sum(bool(undecided(r)) for r in results)
    text = (
        f"{len(results)} submissions, {status['graded']} graded, {status['flagged']} flagged and "
        f"{status['failed']} failed; the latter two have no score until a person decides"
    )
    text += f", nor have {waiting} with an exercise without a result." if waiting else "."
    if points:
        text += f" The mean is {100 * sum(points) / len(points):.0f} % of the automatic points."
    return text


def _feedback(options: argparse.Namespace) -> int:
    from classroom.gradebook.feedback import feedback

    root, workspace = _places(options)
    pages = feedback(root, workspace, options.assignment, db=options.db)
    print(f"{len(pages)} pages of feedback in {workspace / 'feedback'}, one a student.")
    _say_what_is_missing(workspace, options.assignment)
    return 0


def _say_what_is_missing(workspace: Path, assignment: str) -> None:
    from classroom.gradebook.results import read_results, read_submissions

    submissions = read_submissions(workspace, assignment)
    results = read_results(workspace, assignment)
    missing = [s.student for s in submissions if s.student not in results]
    if missing:
        print(
            f"{len(missing)} of {len(submissions)} submissions have no result yet: the run was "
            "interrupted. `autograde` goes on where it stopped."
        )


def _report(options: argparse.Namespace) -> int:
    from classroom.gradebook.report import class_report

    root, workspace = _places(options)
    alike = not options.no_lookalikes
    path = class_report(root, workspace, options.assignment, db=options.db, lookalikes=alike)
    print(f"The report: {path}")
    _say_what_is_missing(workspace, options.assignment)
    return 0


def _export(options: argparse.Namespace) -> int:
    from classroom.gradebook.export import export

    root, workspace = _places(options)
    paths = export(root, workspace, options.assignment, db=options.db, roster=options.roster)
    print("Grades, with an empty cell where there is no score yet: " + ", ".join(map(str, paths)))
    _say_what_is_missing(workspace, options.assignment)
    return 0


def _viva(options: argparse.Namespace) -> int:
    from classroom.gradebook.cluster import cores
    from classroom.viva.sheets import viva

    root, workspace = _places(options)
    made = viva(
        root,
        workspace,
        options.assignment,
        students=options.students,
        questions=options.questions,
        seed=options.seed,
        workers=options.workers or cores(),
        unsafe=options.unsafe,
    )
    for student, why in made.without.items():
        print(f"no questions for {student}: {why}")
    folder = made.keys.with_name(options.assignment)
    print(f"{len(made.pages)} pages in {folder}, the keys in {made.keys.name} beside it.")
    return 0 if made.pages else 1


def _terms(options: argparse.Namespace) -> int:
    from classroom.gradebook.terms import write_terms

    print(
        "Exercises over terms: " + ", ".join(map(str, write_terms(options.gradebooks, options.out)))
    )
    return 0


def _grade(options: argparse.Namespace) -> int:
    for step in (_collect, _repair, _autograde, _feedback, _report, _export):
        step(options)
    _, workspace = _places(options)
    print(
        f"Written answers: open nbgrader's formgrader in {workspace}, grade them there, then run "
        "`feedback`, `report` and `export` again."
    )
    return 0


def _demo(options: argparse.Namespace) -> int:
    from classroom.demo import ASSIGNMENT, DUE, make_demo_class

    root = course_root()
    options.workspace = (options.workspace or root / DEMO).resolve()
    options.assignment, options.db, options.roster = ASSIGNMENT, None, None
    options.no_lookalikes = False
    options.due = options.due or DUE
    options.submissions = make_demo_class(root, options.workspace)
    print(f"A simulated class of {ASSIGNMENT}: {options.submissions}")
    return _grade(options)
