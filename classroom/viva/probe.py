"""In the examiner's process of one exercise: call variants of an answer that live in the box.

What is measured goes to a file at once, a line each, so that a variant which ends its process
costs itself alone. Nothing of the student's is run here.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path
from typing import Any

__all__ = ["harness", "outcome_of", "run", "verdict"]

SECONDS = 4  # of CPU for the measurements of one variant

HARNESS = """
def _viva_variants():
    import builtins, signal
    texts = {texts!r}
    base = globals()

    def stop(*_):
        raise TimeoutError("it takes too long")

    def choose(number):
        signal.signal(signal.SIGVTALRM, stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, {seconds}, 1)
        space = dict(base)
        exec(compile(texts[number], "<answer>", "exec"), space)
        return space[{name!r}]

    return choose

{name} = _viva_variants()
"""


def harness(name: str, texts: list[str]) -> str:
    """Cell that stands in the answer's place: it hands out variant by number."""
    return HARNESS.format(name=name, texts=texts, seconds=SECONDS)


def run(space: dict[str, Any], folder: str, name: str) -> None:
    """Measure what ``task.json`` asks for, then end this process; without a task do nothing."""
    place = Path(folder)
    if not (place / "task.json").is_file():  # the examiner warms up
        checks = json.loads((place / "checks.json").read_text())
        if name == next(iter(checks)):  # one is enough for what torch imports at first use
            verdict(name, checks[name], space)
        return
    task = json.loads((place / "task.json").read_text())
    with (place / "out.jsonl").open("a") as out:

        def tell(**found: Any) -> None:
            out.write(json.dumps(found) + "\n")
            out.flush()

        _measure(space, place, name, task, tell)
        tell(done=True)
    os._exit(0)


def _measure(space: dict[str, Any], place: Path, name: str, task: Any, tell: Any) -> None:
    choose = space[name]
    calls = pickle.loads((place / "inputs.pickle").read_bytes())[name] if task["calls"] else []
    checks = json.loads((place / "checks.json").read_text())[name]
    for number in task["variants"]:
        tell(begin=number)
        try:
            answer = choose(number)
        except Exception as error:
            tell(variant=number, broken=f"{type(error).__name__}: {error}"[:200])
            continue
        for index in task["calls"]:
            outcome = outcome_of(answer, calls[index])
            if outcome["error"] != "CheckFailed":  # the bridge's own word, not Python's
                tell(variant=number, call=index, outcome=outcome)
            if outcome["error"] == "TimeoutError":  # so would the next call, and the checks
                break
        else:
            if number in task["check"]:
                tell(variant=number, check=verdict(name, checks, space | {name: answer}))


def outcome_of(answer: Any, call: dict[str, Any]) -> dict[str, Any]:
    from classroom.viva import outcomes
    from course_utils.checks import core

    args, kwargs = copy.deepcopy((call["args"], call["kwargs"]))
    with core.quiet():
        try:
            if call["init"] is not None:
                answer = answer(*copy.deepcopy(call["init"][0]), **copy.deepcopy(call["init"][1]))
            found = outcomes.of_value(answer(*args, **kwargs))
        except Exception as error:
            return outcomes.of_error(error)
    for key, old in [*enumerate(call["args"]), *call["kwargs"].items()]:
        new = args[key] if isinstance(key, int) else kwargs[key]
        one, two = outcomes.of_value(old), outcomes.of_value(new)
        if not outcomes.same(one, two):
            for leaf in two["leaves"]:
                leaf["path"] = f"{call['names'][key] if isinstance(key, int) else key} afterwards"
            found["leaves"] += two["leaves"]
    return found


def verdict(name: str, checks: dict[str, Any], space: dict[str, Any]) -> dict[str, Any]:
    """Verdict of the exercise's own checks, and whether a visible one gave it."""
    from classroom.judging.trial_worker import checked
    from course_utils.checks import core

    found = checked({"name": name, **checks}, dict(space), core.of_a_hidden_case)
    messages = [p["message"] for p in found["parts"].values() if p["status"] != "right"]
    hidden = [" in a further case" in m.partition("\n")[0] for m in messages]
    seen = next((m for m, h in zip(messages, hidden, strict=True) if not h), "")
    return {"status": found["status"], "points": found["points"], "visible": seen}
