"""One examination: the trusted process of one exercise, a fork that ends with it.

It has the student's cells run in the box, asks the box for the answer, and runs the checks here.
"""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import resource
import secrets
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Any, NoReturn

from classroom.judging.sandbox import Limits
from classroom.judging.trial_worker import Failure, checked, noted, plain

__all__ = [
    *("BUSY", "IDLE", "TOO_LONG", "TOO_MUCH", "Result", "Stopped", "Submission"),
    *("calls_earlier", "examine", "forbids", "not_attempted", "why"),
]

BUSY = "It was stopped after {:.0f} s on a machine that is busy; try it again before you judge it."
TOO_LONG = "It was stopped because it took too long: is there an endless loop?"
IDLE = "It was stopped because it took too long: it waited for {:.0f} s and computed nothing."
TOO_MUCH = (
    "It was not run: the cells and answers before it took more than {:.0f} s of computing time."
)
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
ANY_NAME = ("globals", "locals", "vars", "eval", "exec", "getattr", "__main__", "__dict__")
Result = dict[str, Any]


@dataclass
class Submission:
    """What an examination has to know.

    Attributes
    ----------
    limits
        What the code in the box may use.
    plan
        Cells that run, where each exercise ends, and the exercises asked for.
    namespace
        The notebook's imports, for the checks.
    exercises
        Name -> model answer, checks and points.
    fatal
        Number of a cell that ended its process -> how.
    """

    limits: Limits
    plan: dict[str, Any]
    namespace: dict[str, Any]
    exercises: dict[str, dict[str, Any]]
    fatal: dict[int, str] = field(default_factory=dict)


class Stopped(Exception):
    """An examination that did not come to its end.

    Attributes
    ----------
    kind, reason
        How, as a word and in words for the student.
    detail
        What may quote the box, for the instructor.
    """

    def __init__(self, kind: str, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.kind, self.reason, self.detail = kind, reason, detail


def examine(
    submission: Submission,
    exercise: dict[str, Any],
    follow: bool,
    control: str | None,
    sock: socket.socket,
    pipe: int,
) -> NoReturn:
    """Examine one exercise over ``sock``, tell on ``pipe`` how far it is, and end the process."""
    from classroom.judging.bridge.frames import Closed, Malformed, Overdue, Wire
    from classroom.judging.bridge.peer import Peer, Unbridged

    def tell(**message: Any) -> None:
        data = (json.dumps(message) + "\n").encode()
        while data:
            data = data[os.write(pipe, data) :]

    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    memory = held + submission.limits.memory_mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = int(4 * submission.limits.seconds + time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    kinds = {Closed: "ended", Overdue: "overdue", Malformed: "malformed"}
    try:
        peer = Peer(Wire(sock, time.monotonic() + submission.limits.wall), guarded=True)
        try:
            result = _Examination(submission, peer, exercise, tell).run(follow, control)
        except (Closed, Overdue, Malformed, Unbridged) as error:
            peer.broken = peer.broken or error
        if peer.broken is None:
            tell(**result)
        else:
            kind = kinds.get(type(peer.broken), "unbridged")
            late = BUSY.format(submission.limits.wall) if kind == "overdue" else ""
            tell(stopped=kind, reason=late or str(peer.broken))
    except Stopped as stop:
        tell(stopped=stop.kind, reason=stop.reason)
    except BaseException as error:
        tell(stopped="examiner", reason=f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


class _Examination:
    """What the examiner's process does for one exercise."""

    def __init__(
        self, submission: Submission, peer: Any, exercise: dict[str, Any], tell: Any
    ) -> None:
        self.submission, self.peer, self.exercise, self.tell = submission, peer, exercise, tell
        self.failed: list[Failure] = []
        self.elsewhere: list[tuple[str, Failure]] = []
        self.fatal: str | None = None

    def run(self, follow: bool, control: str | None) -> Result:
        """Run the student's cells, then what is asked for, then the checks."""
        begin = time.monotonic()
        self._cells()
        where = "student"
        earlier = self._earlier()
        if control is not None:
            where, self.failed, self.fatal = secrets.token_hex(8), [], None
            for text in [*(e["answer"] for e in earlier), control]:
                self.peer.command("do_run_ours", text, "<control>", where)
        elif follow:
            for other in earlier:
                self.peer.command("do_run_ours", other["answer"], f"<{other['name']}>", where)
        self.tell(cells=time.monotonic() - begin, cell=None)
        begin = time.monotonic()
        result = self._verdict(where, [e["name"] for e in earlier])
        self.tell(checks=time.monotonic() - begin)
        return result

    def _earlier(self) -> list[dict[str, Any]]:
        names = list(self.submission.exercises)
        before = names[: names.index(self.exercise["name"])]
        return [self.submission.exercises[n] for n in before]

    def _cells(self) -> None:
        """Run the cells up to this exercise's check; keep what failed in them."""
        plan, name = self.submission.plan, self.exercise["name"]
        for number, cell in enumerate(plan["cells"][: plan["ends"].get(name)]):
            if number in self.submission.fatal:
                if cell["answer"] == name:
                    self.fatal = self.submission.fatal[number]
                continue
            if not cell["source"]:
                continue
            self.tell(cell=number)
            failed = self.peer.command("do_run", cell["source"], cell["part"])
            if cell["answer"] == name:
                self.failed = _failures(failed)
            elif cell["answer"] is None and cell["part"] == "whole":
                self.elsewhere += [(cell["label"], f) for f in _failures(failed)]

    def _verdict(self, where: str, earlier: list[str]) -> Result:
        name = self.exercise["name"]
        if self.fatal is not None:
            raise Stopped("ended", self.fatal)
        found = self.peer.command("do_get", name, where)
        if self.failed and (not found or found[0] is None):
            kind, text, stub, line = self.failed[0]
            if stub:
                return self._all("not attempted", f"{name}: not attempted yet. {text}".strip())
            at = f" (line {line})" if line else ""
            message = f"{name}: the answer could not be run.\n  {kind}: {text}{at}"
            return self._noted(self._all("wrong", message))
        if not found:
            return self._noted(self._all("wrong", f"{name}: the answer does not define it."))
        from course_utils.checks import core

        namespace = self.submission.namespace
        namespace[name] = found[0]
        for other in sorted(_names(self.exercise["checks"].values()) & set(earlier)):
            namespace.update(zip([other], self.peer.command("do_get", other, where), strict=False))
        core.at_start.append(lambda: self.peer.command("do_reset"))
        return self._noted(checked(self.exercise, namespace, core.of_a_hidden_case))

    def _noted(self, result: Result) -> Result:
        """Say beside the verdict which lines failed, and which given variables are not there."""
        return noted(
            result,
            self.exercise["name"],
            self.failed,
            self.elsewhere,
            self.submission.plan["absent"],
        )

    def _all(self, status: str, message: str) -> Result:
        parts = {
            key: {"status": status, "points": 0, "message": message}
            for key in self.exercise["checks"]
        }
        return {"status": status, "points": 0, "message": message, "parts": parts}


def _failures(found: Any) -> list[Failure]:
    """What the box says that failed, as plain words and a line."""
    made: list[Failure] = []
    for kind, text, stub, line in found[:3]:
        line = line if type(line) is int else None
        made.append([str(kind)[:80], str(text)[:1000], bool(stub), line])
    return made


def not_attempted(exercise: dict[str, Any]) -> Result:
    """Result of an exercise whose stub stands as it was."""
    message = f"{exercise['name']}: not attempted yet."
    part = {"status": "not attempted", "points": 0, "message": message}
    parts = {key: part | {"max_points": n} for key, n in exercise["points"].items()}
    return part | {"parts": parts, "max_points": sum(exercise["points"].values())}


def why(kind: str, reason: str, status: int | None, long: bool) -> str:
    """Say in words how an examination was cut short; ``long``: its CPU time was used up."""
    ended = os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None
    if kind == "overdue":
        return reason
    if ended == signal.SIGXCPU or (long and ended in (signal.SIGKILL, None)):
        return TOO_LONG
    if kind == "malformed":
        return "Its process sent what no answer sends."
    if kind in ("examiner", "unbridged"):
        return "It could not be judged: what it returned has no way to the checks."
    if status is None:
        return "Its process was ended from within."
    if ended is not None:
        return f"Its process was ended by {signal.Signals(ended).name}."
    return f"Its process ended by itself (exit code {os.waitstatus_to_exitcode(status)})."


def calls_earlier(submission: Submission, name: str) -> bool:
    """Whether earlier exercises could matter to this one: something in its reach names them.

    Where nothing does, the model's earlier answers in place of the student's change nothing.
    """
    plan, exercises = submission.plan, submission.exercises
    earlier = list(itertools.takewhile(lambda other: other != name, exercises))
    models = [node for n in earlier for node in ast.parse(plain(exercises[n]["answer"])).body]
    names = {*earlier, *(n.name for n in models if isinstance(n, DEFINITIONS)), *ANY_NAME}
    others = [n for node in models if not isinstance(node, DEFINITIONS) for n in ast.walk(node)]
    names |= {n.id for n in others if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names |= {n.asname or n.name for n in others if isinstance(n, ast.alias)}
    reach = list(exercises[name]["checks"].values())
    for cell in plan["cells"][: plan["ends"].get(name)]:
        if cell["answer"] in (None, name) or name in cell["source"]:
            reach.append(cell["source"])
    return bool(names & set(re.findall(r"[^\W\d]\w*", "\n".join(reach))))


def forbids(name: str) -> list[str]:
    """Ready-made functions that an exercise asks to write oneself."""
    from course_utils.checks import core

    return list(core.forbidden.get(name, ()))


def _names(cells: Any) -> set[str]:
    trees = [ast.parse(plain(cell)) for cell in cells]
    return {n.id for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Name)}
