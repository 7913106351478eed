"""Commands of the instructors: ``python -m classroom --help``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from classroom.authoring.source import course_root, notebook_names
from classroom.commands import add_class_commands
from classroom.files import any_terminal


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the return value is the exit status."""
    parser = argparse.ArgumentParser(prog="python -m classroom", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("try", help="judge answers by the visible and the hidden checks")
    command.add_argument("assignment", help="for example 01_self_attention")
    command.add_argument("exercise", help="for example masked_mean_pool")
    command.add_argument("answers", nargs="+", type=Path, metavar="ANSWER.py")
    command.add_argument("--seconds", type=float, default=30, help="CPU limit for one answer")
    command.set_defaults(run=_try)

    command = commands.add_parser("build", help="make the executed solution notebooks")
    command.add_argument("names", nargs="*", metavar="NOTEBOOK")
    command.add_argument(
        "--no-execute", action="store_true", help="leave the cells without outputs"
    )
    command.add_argument(
        "--keep-outputs",
        action="store_true",
        help="take the outputs over where only prose has changed, instead of executing",
    )
    command.set_defaults(run=_build)

    command = commands.add_parser(
        "release", help="make the student notebooks with nbgrader; all of them: also dist/"
    )
    command.add_argument("names", nargs="*", metavar="NOTEBOOK")
    command.add_argument("--repo", default="", help="public repository to stamp, owner/name")
    command.add_argument("--ref", default="", help="tag to stamp, for example v1")
    command.set_defaults(run=_release)

    command = commands.add_parser("run", help="execute the solutions and show their figures")
    command.add_argument("names", nargs="*", metavar="NOTEBOOK")
    command.add_argument(
        "--html", type=Path, default=Path("build/html"), help="folder for the HTML"
    )
    command.set_defaults(run=_run)

    command = commands.add_parser("site", help="build the website of the releases")
    command.add_argument("--out", type=Path, default=Path("build/site"), help="folder to build in")
    command.add_argument("--repo", default="", help="public repository for Colab, owner/name")
    command.add_argument("--ref", default="main", help="tag or branch of it")
    command.set_defaults(run=_site)

    add_class_commands(commands)

    any_terminal()
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _names(options: argparse.Namespace, root: Path) -> list[str]:
    known = notebook_names(root)
    for name in options.names:
        if name not in known:
            raise ValueError(f"NOTEBOOK must be one of {known}, got {name!r}")
    return options.names or known


def _try(options: argparse.Namespace) -> int:
    from classroom.judging.trial import Task, judge

    missing = [path for path in options.answers if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"no such answer: {', '.join(map(str, missing))}")
    root = course_root()
    tasks = [Task(options.exercise, path.resolve()) for path in options.answers]
    shown = iter(options.answers)
    all_judged = True
    for result in judge(root, options.assignment, tasks, seconds=options.seconds):
        print(json.dumps(result | {"file": str(next(shown))}, ensure_ascii=False), flush=True)
        all_judged &= result["status"] != "failed"
    return 0 if all_judged else 1


def _build(options: argparse.Namespace) -> int:
    from classroom.authoring.build import build, rebuild
    from classroom.authoring.run import print_table

    root = course_root()
    if options.keep_outputs:
        for name in _names(options, root):
            rebuild(root, name)
        return 0
    runs = [build(root, n, run=not options.no_execute) for n in _names(options, root)]
    if not options.no_execute:
        print_table(root, runs)
    return 0


def _release(options: argparse.Namespace) -> int:
    from classroom.authoring.build import release
    from classroom.authoring.publish import publish

    root = course_root()
    names = _names(options, root)
    if options.names and (options.repo or options.ref):
        raise ValueError("REPO and REF belong to a release of all notebooks, not of some")
    release(root, names)
    print(f"{len(names)} notebooks released in notebooks/")
    if not options.names:
        for path in publish(root, root / "dist", repo=options.repo, ref=options.ref):
            print(path.relative_to(root))
    return 0


def _run(options: argparse.Namespace) -> int:
    from classroom.authoring.run import run_and_show

    root = course_root()
    return run_and_show(root, _names(options, root), options.html)


def _site(options: argparse.Namespace) -> int:
    from classroom.authoring.site import build_site

    print("building the site, about a minute ...", flush=True)
    out = options.out.resolve()
    print(build_site(course_root(), out, repo=options.repo, ref=options.ref))
    return 0


if __name__ == "__main__":
    sys.exit(main())
