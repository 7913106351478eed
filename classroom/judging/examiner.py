"""The trusted half of the judge: it holds the checks and never runs student code.

Started by :class:`classroom.judging.judge.Judge`. It imports torch and the notebook's
checks once and forks a child for each submission; that child makes the box, and forks once more
for each exercise, so that nothing of one examination is left for the next.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import resource
import secrets
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from classroom.judging.box import receive, send
from classroom.judging.examination import (
    BUSY,
    IDLE,
    TOO_LONG,
    TOO_MUCH,
    Result,
    Stopped,
    Submission,
    calls_earlier,
    examine,
    forbids,
    not_attempted,
    why,
)
from classroom.judging.processes import heavy_of, main_module, results_only
from classroom.judging.sandbox import Box, Limits, cpu_of
from classroom.judging.trial_worker import checked, plain

START = 300.0
LIBRARIES = {"mpmath", "numpy", "pandas", "scipy", "sklearn", "sympy", "torch", "transformers"}
MOST_BOXES, MOST_TRIES = 4, 4
PATIENCE = 10.0  # seconds


def main() -> None:
    """Read the notebook's job, then one submission a line; write one result a line."""
    job = json.loads(sys.stdin.readline())
    out = results_only()
    template = start_box(job)  # it imports while this process does
    importlib.import_module("classroom.judging.bridge.peer")
    module = main_module(plain(job["imports"]), job["module"])
    await_box(template)
    late = heavy_of(job["module"]) + warm_up(job, module.__dict__)
    send(template.control, {"op": "import", "names": late})
    out.write('{"ready": true}\n')
    out.flush()
    for line in sys.stdin:
        if not template.alive():
            template.close()
            template = await_box(start_box(job))
            send(template.control, {"op": "import", "names": late})
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _submission(job, json.loads(line), module.__dict__, template, write)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(pid, 0)
        if not data:
            code = os.waitstatus_to_exitcode(status)
            data = json.dumps({"error": f"the examiner's process ended ({code})"}).encode()
        out.write(data.decode() + "\n")
        out.flush()


def _submission(
    job: dict[str, Any],
    plan: dict[str, Any],
    namespace: dict[str, Any],
    template: Box,
    pipe: int,
) -> NoReturn:
    try:
        session = Session(job, plan, namespace, template)
        try:
            result = session.judge()
        finally:
            session.close()
    except BaseException as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(pipe, "w") as out:
        out.write(json.dumps(result))
    os._exit(0)


def warm_up(job: dict[str, Any], namespace: dict[str, Any]) -> list[str]:
    """Run the checks on the model answers once; return the modules that were imported on the way.

    Torch imports parts of itself at the first gradient. Without this every fork would do it again.
    """
    before, space = set(sys.modules), dict(namespace)
    with contextlib.suppress(Exception):  # the gate says what is wrong with them
        for exercise in job["exercises"]:
            exec(compile(plain(exercise["answer"]), "<model>", "exec"), space)
        for exercise in job["exercises"]:
            checked(exercise, dict(space))
    gc.collect()
    gc.freeze()
    new = sorted(set(sys.modules) - before)
    return [name for name in new if name.partition(".")[0] in LIBRARIES]


def start_box(job: dict[str, Any]) -> Box:
    """Start a box and tell its template what to import."""
    box = Box(Limits(**job["limits"]), unsafe=job["unsafe"])
    box.control.settimeout(START)
    with contextlib.suppress(OSError):  # a box that has ended already is told by await_box
        send(box.control, job["inside"])
    return box


def await_box(box: Box) -> Box:
    """Wait until a box has imported everything.

    Raises
    ------
    RuntimeError
        If it does not start; it quotes what was printed.
    """
    try:
        box.cpu = float(receive(box.control)[0]["seconds"])
    except (EOFError, OSError) as error:
        raise RuntimeError(f"the box did not start ({error}): {box.trouble()}") from None
    return box


class Session:
    """One submission: its exercises and its controls, each in a room of the box.

    Parameters
    ----------
    template
        The box; a session that loses it opens one of its own.
    """

    def __init__(
        self,
        job: dict[str, Any],
        plan: dict[str, Any],
        namespace: dict[str, Any],
        template: Box | None = None,
    ) -> None:
        self.job, self.limits = job, Limits(**job["limits"])
        self.exercises = {e["name"]: e for e in job["exercises"]}
        self.submission = Submission(self.limits, plan, namespace, self.exercises)
        self.template = self.box = template
        self.boxes, self.peak, self.cpu = 0, 0, 0.0
        self.spent = 0.0
        self.seconds = {"start": 0.0, "cells": 0.0, "checks": 0.0}

    def close(self) -> None:
        """End a box of one's own; the examiner's goes on."""
        if self.box is not None:
            self.peak = max(self.peak, self.box.peak)
            if self.box is not self.template:
                self.box.close()
            self.box = None

    def judge(self) -> Result:
        """Examine all exercises with the student's earlier answers, then with the model's."""
        begin = time.monotonic()
        results: dict[str, Result] = {}
        for name in self.submission.plan["only"]:
            results[name] = self._timed(name)
        earlier_right = True
        for name in self.exercises:
            if name not in results:
                earlier_right = False  # not asked for, so not known
                continue
            result = results[name]
            status, others = result["status"], calls_earlier(self.submission, name)
            lost = status in ("wrong", "not attempted") and not earlier_right
            slow = status == "failed" and result["message"] == TOO_LONG
            if others and (lost or slow):  # those it calls may be right and slow
                followed = self._timed(name, follow=True)
                if followed["status"] == "right" or followed["points"] > result["points"]:
                    again = {"seconds": result["seconds"] + followed["seconds"]}
                    results[name] = followed | again | {"follow_through": True}
                    if followed["status"] != "right":
                        _keep_messages(results[name], result)
            earlier_right &= result["status"] == "right"
        flags = [r["flag"] for r in results.values() if r.get("flag")]
        if not flags:
            flags = self._controls([n for n, r in results.items() if r["status"] == "right"])
        self.close()
        self.seconds["total"] = time.monotonic() - begin
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            used = resource.getrusage(who)
            self.cpu += used.ru_utime + used.ru_stime
        return {
            "exercises": {name: _public(r) for name, r in results.items()},
            "flags": flags,
            "seconds": {key: round(value, 3) for key, value in self.seconds.items()},
            "cpu_seconds": round(self.cpu, 3),
            "peak_mib": round(self.peak / 2**20, 1),
        }

    def _controls(self, right: list[str]) -> list[str]:
        """Ask, through the same process, for what must fail and what must pass."""
        pick = random.Random(secrets.randbits(64))
        flags = []
        for name in pick.sample(right, min(1, len(right))):
            exercise = self.exercises[name]
            wrong = pick.choice(exercise["wrong"] or [f"def {name}(*args, **kwargs): return None"])
            kinds = [("a known wrong answer", wrong, False)]
            kinds += [("the model answer", exercise["answer"], True)]
            pick.shuffle(kinds)
            for words, text, wanted in kinds:
                got = self._timed(name, control=text)["status"]
                if (got == "right") != wanted:
                    verdict = "passed" if got == "right" else f"did not pass ({got})"
                    flags.append(f"{name}: after the student's cells, {words} {verdict}")
        return flags

    def _timed(self, name: str, *, follow: bool = False, control: str | None = None) -> Result:
        begin = time.monotonic()
        exercise = self.exercises[name]
        if control is None and name in self.submission.plan["stubs"]:
            return not_attempted(exercise) | {"seconds": 0.0, "follow_through": False}
        try:
            result = self._patiently(exercise, follow, control)
        except Stopped as stop:
            parts = {
                key: {"status": "failed", "points": 0, "message": stop.reason}
                for key in exercise["checks"]
            }
            result = {"status": "failed", "points": 0, "message": stop.reason, "parts": parts}
            result["detail"] = stop.detail
            if stop.kind == "malformed":
                result["flag"] = f"{name}: {stop.reason}"
        for key, part in result["parts"].items():
            part["max_points"] = exercise["points"][key]
        result["max_points"] = sum(exercise["points"].values())
        return result | {"seconds": time.monotonic() - begin, "follow_through": False}

    def _patiently(self, exercise: dict[str, Any], follow: bool, control: str | None) -> Result:
        """Examine; when another cell than the answer's ends the process, again without that."""
        for _ in range(MOST_TRIES):
            if self.spent > self.limits.submission:
                raise Stopped("overdue", TOO_MUCH.format(self.limits.submission))
            fatal = set(self.submission.fatal)
            try:
                return self._examine(exercise, follow, control)
            except Stopped as stop:
                new = set(self.submission.fatal) - fatal
                cells = self.submission.plan["cells"]
                if not new or any(cells[n]["answer"] == exercise["name"] for n in new):
                    raise
                last = stop
        raise last

    # ------------------------------------------------------------------ one examination

    def _examine(self, exercise: dict[str, Any], follow: bool, control: str | None) -> Result:
        box = self._ready()
        mine, theirs = socket.socketpair()
        about = {
            "op": "fork",
            "seconds": self.limits.seconds,
            "forbids": forbids(exercise["name"]),
        }
        try:
            send(box.control, about, [theirs.fileno()])
        except OSError:
            self.close()
            raise Stopped("ended", "Its process was ended from within.") from None
        theirs.close()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            box.control.close()
            examine(self.submission, exercise, follow, control, mine, write)
        os.close(write)
        mine.close()
        reason = self._watch(pid, read, box)
        found = self._reap(box, PATIENCE if reason is None and self._gone() else 0.0)
        long = found["seconds"] >= self.limits.seconds
        if found["trouble"]:
            raise RuntimeError(f"no room could be opened in the box: {found['trouble']}")
        return self._outcome(self._messages, reason, found["status"], long)

    def _gone(self) -> bool:
        """Whether the student's process ended: how, may take a while to tell on a busy machine."""
        last = self._messages[-1] if self._messages else {}
        return "status" not in last and last.get("stopped", "ended") == "ended"

    def _watch(self, pid: int, read: int, box: Box) -> str | None:
        """Wait for the examiner; return why it was stopped, if it was."""
        reason, data, seen = None, b"", 0.0
        begin = active = time.monotonic()
        while reason is None:
            if select.select([read], [], [], 0.25)[0]:
                part = os.read(read, 2**16)
                data += part
                if not part:
                    break
                continue
            used, now = box.used(), time.monotonic()
            busy = used.seconds + cpu_of(pid)
            if busy > seen + 0.02:
                seen, active = busy, now
            if used.memory > self.limits.memory_mib * 2**20:
                reason = f"It was stopped because it used more than {self.limits.memory_mib} MiB."
            elif used.seconds > self.limits.seconds + 2:
                reason = TOO_LONG
            elif now - active > self.limits.idle:
                reason = IDLE.format(self.limits.idle)
            elif now - begin > self.limits.wall + 5:
                reason = BUSY.format(now - begin)
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        lines = data.decode(errors="replace").splitlines()
        self._messages = []
        for line in lines:
            with contextlib.suppress(ValueError):
                self._messages.append(json.loads(line))
        return reason

    def _outcome(
        self, messages: list[Any], reason: str | None, status: int | None, long: bool
    ) -> Result:
        cell = None
        for message in messages:
            if "cell" in message:
                cell = message["cell"]
            for key in ("cells", "checks"):
                self.seconds[key] += message.get(key, 0.0)
        last = messages[-1] if messages else {}
        if reason is None and "status" in last:
            return last
        kind = last.get("stopped", "ended")
        if reason is None:
            reason = why(kind, last.get("reason", ""), status, long)
        if cell is not None:  # it happened while this cell ran: the next exercise does without it
            self.submission.fatal[cell] = reason
        raise Stopped(kind, reason, str(last.get("reason", "")))

    def _ready(self) -> Box:
        """Return the running box, or make one."""
        if self.box is not None and self.box.alive():
            return self.box
        self.close()
        if self.boxes >= MOST_BOXES:
            raise Stopped("ended", "Its processes were ended from within again and again.")
        begin = time.monotonic()
        self.boxes += 1
        self.box = await_box(start_box(self.job))
        self.cpu += self.box.cpu
        self.seconds["start"] += time.monotonic() - begin
        return self.box

    def _reap(self, box: Box, patience: float) -> dict[str, Any]:
        """Let the template end the room; return how its process ended, and its CPU seconds.

        A template that does not answer is ended.
        """
        box.control.settimeout(20)
        before = box.used().seconds  # of a process that is ended the room cannot say it
        try:
            send(box.control, {"op": "reap", "patience": patience})
            found = receive(box.control)[0]
            found["seconds"] = max(float(found["seconds"]), before)
            self.cpu += found["seconds"]
            self.spent += found["seconds"]
            return found
        except (EOFError, OSError, ValueError, KeyError):
            box.close()
            self.close()
            return {"status": None, "trouble": "", "seconds": 0.0}


def _keep_messages(new: Result, old: Result) -> None:
    """Keep the words of the run without model answers, so that none of theirs can be quoted."""
    new["message"] = old["message"]
    for key, part in new["parts"].items():
        part["message"] = "" if part["status"] == "right" else old["parts"][key]["message"]


def _public(result: Result) -> Result:
    return {k: v for k, v in result.items() if k != "flag"}


if __name__ == "__main__":
    main()
