"""Worker of :mod:`classroom.judging.trial`: imports once, then forks a child for each answer.

Reads one job as JSON from standard input and writes one JSON line a task to standard output.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from classroom.judging.processes import apart, main_module, results_only

if TYPE_CHECKING:
    from classroom.judging.cells import Shell

Failure = list[Any]  # kind, text, whether it is a stub's, line: see classroom.judging.cells
EXTRA_MEMORY = 6 * 2**30
LONGEST_RESULT = 64 * 1024


def main() -> None:
    """Judge the job on standard input."""
    job = json.load(sys.stdin)
    notebook = job["notebook"]
    out = results_only()
    module = main_module(plain(notebook["imports"]), notebook["module"])
    shell = importlib.import_module("classroom.judging.cells").Shell(module)
    waiting = list(enumerate(job["tasks"]))
    running: list[_Child] = []
    done: dict[int, dict[str, Any]] = {}
    printed = 0
    while waiting or running:
        while waiting and len(running) < job["workers"]:
            index, (exercise, path, given) = waiting.pop(0)
            running.append(_start(index, exercise, path, given, notebook, shell, job["seconds"]))
        running = [child for child in running if not _collect(child, done)]
        while printed in done:
            out.write(json.dumps(done.pop(printed)) + "\n")
            out.flush()
            printed += 1


def plain(source: str) -> str:
    """Drop lines that only IPython understands."""
    return "\n".join(
        line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))
    )


@dataclass
class _Child:
    index: int
    pid: int
    pipe: int
    deadline: float
    frame: dict[str, Any]
    received: bytes = b""


def _start(
    index: int,
    name: str,
    path: str,
    given: str,
    notebook: Mapping[str, Any],
    shell: Shell,
    seconds: float,
) -> _Child:
    exercise = next(e for e in notebook["exercises"] if e["name"] == name)
    maximum = sum(exercise["points"].values())
    frame = {"file": path, "status": "failed", "points": 0, "max_points": maximum, "message": ""}
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(name, path, given, notebook, shell, seconds, write)
    os.close(write)
    return _Child(index, pid, read, time.monotonic() + 1.5 * seconds, frame)


def _collect(child: _Child, done: dict[int, dict[str, Any]]) -> bool:
    """Take what a child has sent; return True, with its result in ``done``, when it has ended."""
    ended, status = os.waitpid(child.pid, os.WNOHANG)
    while select.select([child.pipe], [], [], 0.01)[0]:
        chunk = os.read(child.pipe, LONGEST_RESULT)
        child.received += chunk
        if not chunk or len(child.received) > LONGEST_RESULT:
            break
    late = not ended and time.monotonic() > child.deadline
    if not ended and not late:
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(
            child.pid, signal.SIGKILL
        )  # the child when it is late, and whatever it left running
    if late:
        _, status = os.waitpid(child.pid, 0)
    os.close(child.pipe)
    done[child.index] = child.frame | _result(child.received, status, late)
    return True


def _result(received: bytes, status: int, late: bool) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        return json.loads(received)
    if late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return {"message": "It was stopped because it took too long: is there an endless loop?"}
    if os.WIFSIGNALED(status):
        return {"message": f"Its process was ended by {signal.Signals(os.WTERMSIG(status)).name}."}
    return {
        "message": f"Its process ended by itself (exit code {os.waitstatus_to_exitcode(status)})."
    }


def _child(
    name: str,
    path: str,
    given: str,
    notebook: Mapping[str, Any],
    shell: Shell,
    seconds: float,
    pipe: int,
) -> NoReturn:
    try:
        apart()
        _limit(seconds)
        result = judge_answer(name, path, given, notebook, shell)
        os.write(pipe, json.dumps(result).encode()[:LONGEST_RESULT])
    finally:
        os._exit(0)


def _limit(seconds: float) -> None:
    cpu = int(time.process_time() + seconds + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + EXTRA_MEMORY, size + EXTRA_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def judge_answer(
    name: str, path: str, given: str, notebook: Mapping[str, Any], shell: Shell
) -> dict[str, Any]:
    """Judge one answer file in the shell's namespace, which holds the notebook's imports.

    Earlier exercises come from the model answers, or from the file where it defines them; when the
    file does, the answer is judged with both and the better result counts.
    """
    namespace, earlier = shell.user_ns, []
    for exercise in notebook["exercises"]:
        if exercise["name"] == name:
            break
        exec(compile(exercise["answer"], f"<{exercise['name']}>", "exec"), namespace)
        earlier.append(exercise["name"])
    models = {key: namespace[key] for key in earlier}
    shell.execute(given)
    with open(path, encoding="utf-8") as file:
        failed = shell.execute(file.read())
    if failed and namespace.get(name) is None:
        kind, text, stub, _ = failed[0]
        if stub:
            message = f"{name}: not attempted yet. {text}".strip()
            return {"status": "not attempted", "message": message}
        return _wrong(f"{name}: the answer could not be run.\n  {kind}: {text}", notebook)
    if name not in namespace:
        return _wrong(f"{name}: the answer does not define it.", notebook)
    result = checked(exercise, namespace)
    if result["status"] != "right" and any(namespace[k] is not v for k, v in models.items()):
        namespace |= models
        followed = checked(exercise, namespace)
        if followed["points"] > result["points"]:
            result = followed
    result = noted(result, name, failed, [], notebook["absent"])
    del result["parts"]
    return result


def _wrong(message: str, notebook: Mapping[str, Any]) -> dict[str, Any]:
    told = about_given(message, notebook["absent"])
    return {"status": "wrong", "points": 0, "message": "\n  ".join(filter(None, [message, told]))}


def checked(
    exercise: Mapping[str, Any],
    namespace: dict[str, Any],
    told: Callable[[str, BaseException], str] | None = None,
) -> dict[str, Any]:
    """Run the check cells of an exercise and add up their points.

    All visible parts run before the first hidden one, so that no message of theirs can hold what
    an answer has seen there.

    Parameters
    ----------
    told
        Words for a failure in a hidden part, of the exercise's name and the exception; by default
        those of the exception.
    """
    name, parts = exercise["name"], dict.fromkeys(exercise["checks"], ("right", ""))
    halves = {key: _halves(cell) for key, cell in exercise["checks"].items()}
    for hidden in (False, True):
        for key, texts in halves.items():
            if parts[key][0] == "right" and texts[hidden].strip():
                words = told if hidden and told is not None else _words
                parts[key] = _outcome(name, texts[hidden], f"<{key}>", namespace, words)
    return merged(
        {
            key: {
                "status": status,
                "points": exercise["points"][key] if status == "right" else 0,
                "message": message,
            }
            for key, (status, message) in parts.items()
        }
    )


def _outcome(
    name: str,
    cell: str,
    label: str,
    namespace: dict[str, Any],
    words: Callable[[str, BaseException], str],
) -> tuple[str, str]:
    checks = importlib.import_module("course_utils.checks")  # at hand since the worker started
    try:
        exec(compile(cell, label, "exec"), namespace)
    except checks.NotAttempted as error:
        return "not attempted", words(name, error)
    except BaseException as error:  # a name that is missing, an exit, a check that was broken
        return "wrong", words(name, error)
    return "right", ""


def _words(name: str, error: BaseException) -> str:
    ours = isinstance(error, importlib.import_module("course_utils.checks").CheckFailed)
    return str(error) if ours else f"{name}: {type(error).__name__}: {error}"


def _halves(cell: str) -> tuple[str, str]:
    """Part a check cell into what students see and the rest; line numbers stay."""
    lines = cell.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(("### BEGIN HIDDEN", "with checks.hidden(")):
            return "\n".join(lines[:number]), "\n" * number + "\n".join(lines[number:])
    return cell, ""


def about_given(text: str, absent: Iterable[str]) -> str:
    """Say it when a message is about a variable of a given cell; empty otherwise."""
    found = re.search(r"NameError: name '(\w+)' is not defined", text)
    if found is None or found[1] not in absent:
        return ""
    return (
        f"It reads `{found[1]}`, a variable of a given cell, and may not: an answer is judged by "
        "itself. Take what it needs as an argument, or make it in the answer's cell."
    )


def noted(
    result: dict[str, Any],
    name: str,
    failed: Sequence[Failure],
    elsewhere: Sequence[tuple[str, Failure]],
    absent: Sequence[str],
) -> dict[str, Any]:
    """Add to a verdict what did not run: lines of the answer's cell, and cells of one's own.

    Parameters
    ----------
    failed
        Lines of the answer's cell that raised.
    elsewhere
        Cells of the student's own that raised; they are told when the answer is not right.
    absent
        Variables of given cells that are not there, which a failure may be about.
    """
    told = []
    right = result["status"] == "right"
    if failed and "could not be run" not in result["message"]:
        told.append(f"A line of its cell did not run{_failure(failed[0])}")
    if result["status"] == "wrong":
        told += [f"Your {cell} stopped{_failure(f)}" for cell, f in elsewhere[:2]]
        told.append(about_given(result["message"], absent))
    told = [line for line in told if line]
    if not told or result["status"] == "not attempted":
        return result
    first = [f"{name}: right."] if right else []
    for place in (result, *result.get("parts", {}).values()):
        if place["message"] or right:
            place["message"] = "\n  ".join([*([place["message"]] if not right else first), *told])
    return result


def _failure(failure: Failure) -> str:
    kind, text, _, line = failure
    at = f" (line {line})" if line else ""
    return f"{at}: {kind}: {text}"[:200]


def merged(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Outcome of a whole exercise from those of its check cells."""
    statuses = {part["status"] for part in parts.values()}
    points = sum(part["points"] for part in parts.values())
    return {
        "status": statuses.pop() if len(statuses) == 1 else "wrong",
        "points": int(points) if points == int(points) else points,
        "message": next((p["message"] for p in parts.values() if p["message"]), ""),
        "parts": dict(parts),
    }


if __name__ == "__main__":
    main()
