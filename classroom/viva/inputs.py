"""Small inputs of every exercise: those that its visible check tries, made shorter and rounder.

Runs the visible checks on the model answers in a process of its own and notes what they call the
answer with. Nothing of a hidden check, and nothing of a student's, comes here.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from classroom.authoring.build import ONE_THREAD
from classroom.authoring.source import NotebookSource
from classroom.judging.trial import notebook_spec

__all__ = ["as_shown", "record_inputs", "recorded"]

MOST = 6  # calls kept of an exercise
TRIED = 24
SMALL = 24  # numbers of one argument that a page shows
HEAVY = 4000


class Enough(Exception):
    """No further call need be seen."""


def record_inputs(
    root: Path, source: NotebookSource, path: Path
) -> dict[str, list[dict[str, Any]]]:
    """Write the calls of all exercises to ``path`` (a pickle) and return how each is shown.

    Returns
    -------
    By exercise a list of calls: ``shown`` (lines of code, empty where it is too large to show) and
    ``init`` (whether the answer is a class that is built first).

    Raises
    ------
    RuntimeError
        If the process dies.
    """
    environment = os.environ | ONE_THREAD | {"MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"COURSE_STRICT": "0", "COURSE_SEED": "0", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "classroom.viva.inputs", str(path)],
        input=json.dumps(notebook_spec(source)),
        text=True,
        capture_output=True,
        env=environment,
        cwd=root / "solutions" / source.name,
    )
    if done.returncode:
        raise RuntimeError(f"no inputs for {source.name}:\n{done.stderr[-2000:]}")
    return json.loads(path.with_suffix(".json").read_text())


def main() -> None:
    """Record the notebook on standard input."""
    from classroom.judging.processes import main_module, results_only
    from classroom.judging.trial_worker import plain

    notebook, path = json.load(sys.stdin), Path(sys.argv[1])
    results_only()
    space = main_module(plain(notebook["imports"]), notebook["module"]).__dict__
    found = recorded(notebook, space)
    path.write_bytes(pickle.dumps(found))
    path.with_suffix(".json").write_text(json.dumps(as_shown(found)))


def recorded(notebook: Mapping[str, Any], space: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Calls by exercise: ``args``, ``kwargs``, ``init``, ``names`` and ``shown``.

    Parameters
    ----------
    notebook
        As :func:`classroom.judging.trial.notebook_spec` describes it.
    space
        Namespace with the notebook's imports; the model answers are defined in it.
    """
    from classroom.judging.trial_worker import _halves, plain

    for exercise in notebook["exercises"]:
        exec(compile(plain(exercise["answer"]), f"<{exercise['name']}>", "exec"), space)
    found: dict[str, list[dict[str, Any]]] = {}
    for exercise in notebook["exercises"]:
        name = exercise["name"]
        calls: list[dict[str, Any]] = []
        spy = _spy(space[name], calls)
        for cell in exercise["checks"].values():
            with contextlib.suppress(Exception):
                exec(compile(_halves(cell)[0], "<check>", "exec"), space | {name: spy})
        found[name] = _chosen(space[name], calls)
    return found


def as_shown(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What a page needs of the calls."""
    return {
        name: [{"shown": c["shown"], "init": c["init"] is not None} for c in calls]
        for name, calls in found.items()
    }


def _spy(answer: Any, calls: list[dict[str, Any]]) -> Any:
    """The answer, noting what it is called with."""

    def note(args: Any, kwargs: Any, init: Any) -> None:
        if len(calls) == TRIED:
            raise Enough
        with contextlib.suppress(Exception):
            given = {"args": list(args), "kwargs": dict(kwargs), "init": init}
            calls.append(copy.deepcopy(given))

    if inspect.isclass(answer):

        def build(*args: Any, **kwargs: Any) -> Any:
            made = answer(*args, **kwargs)
            hook = getattr(made, "register_forward_pre_hook", None)
            if hook is not None:
                given = copy.deepcopy((list(args), dict(kwargs)))
                hook(lambda _, a, k: note(a, k, given), with_kwargs=True)
            return made

        return build

    def called(*args: Any, **kwargs: Any) -> Any:
        note(args, kwargs, None)
        return answer(*args, **kwargs)

    return called


def _chosen(answer: Any, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Small calls that the model answers, each shown, no two alike."""
    found: list[dict[str, Any]] = []
    for call in calls:
        for made in (_shrunk(call), _shrunk(call, cut=False)):
            text = _shown(answer, made)
            if text is None or any(text == f["shown"] for f in found):
                continue
            if not _works(answer, made):
                continue
            found.append(made | {"shown": text, "names": _names(answer, made)})
            break
    small = [c for c in found if c["shown"]]
    return (small + [c for c in found if not c["shown"]][:1])[:MOST]


def _works(answer: Any, call: Mapping[str, Any]) -> bool:
    from course_utils.checks import core

    args, kwargs, init = copy.deepcopy((call["args"], call["kwargs"], call["init"]))
    try:
        with core.quiet():
            made = answer if init is None else answer(*init[0], **init[1])
            made(*args, **kwargs)
    except Exception:
        return False
    return True


def _shrunk(call: Mapping[str, Any], *, cut: bool = True) -> dict[str, Any]:
    """The call with every length cut, equal lengths equally, and floats of one decimal."""
    import numpy as np
    import torch

    arrays = (torch.Tensor, np.ndarray)
    lengths: set[int] = set()
    leading: set[int] = set()

    def look(value: Any) -> Any:
        if isinstance(value, arrays):
            lengths.update(value.shape)
            leading.update(value.shape[:-2] if value.ndim > 3 else ())
        return value

    _walk([call["args"], call["kwargs"]], look)
    short = {n: 2 + (i % 2) for i, n in enumerate(sorted(n for n in lengths if n > 2))}
    short |= dict.fromkeys(leading, 1)
    if call["init"] is not None or not cut:  # widths are tied to what the module was built with
        short = {}

    def shorten(value: Any) -> Any:
        if not isinstance(value, arrays):
            return round(value, 2) if isinstance(value, float) and value == value else value
        made = value[tuple(slice(short.get(n, n)) for n in value.shape)]
        if isinstance(made, np.ndarray):
            return made.round(1) if made.dtype.kind == "f" else made.copy()
        made = made.detach().clone()
        if made.is_floating_point():
            made = made.to(torch.float64).mul(10).round().div(10).to(made.dtype)
        return made

    args, kwargs = _walk(call["args"], shorten), _walk(call["kwargs"], shorten)
    return {"args": args, "kwargs": kwargs, "init": call["init"]}


def _walk(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_walk(v, change) for v in value]
    if type(value) is tuple:
        return tuple(_walk(v, change) for v in value)
    if isinstance(value, dict):
        return {k: _walk(v, change) for k, v in value.items()}
    return change(value)


def _names(answer: Any, call: Mapping[str, Any]) -> list[str]:
    """Names of the positional arguments."""
    function = getattr(answer, "forward", answer)
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    names = names[1:] if inspect.isclass(answer) else names
    return [*names, *(f"argument {i + 1}" for i in range(len(names), len(call["args"])))]


def _shown(answer: Any, call: Mapping[str, Any]) -> list[str] | None:
    """Lines of code that make the arguments; empty when one is too large; None: no plain values."""
    lines, small = [], True
    if call["init"] is not None:
        words = [repr(a) for a in call["init"][0]]
        words += [f"{k}={v!r}" for k, v in call["init"][1].items()]
        if any("<" in word or len(word) > 60 for word in words):
            return None
        lines.append(f"module = {answer.__name__}({', '.join(words)})")
    named = [*zip(_names(answer, call), call["args"], strict=False), *call["kwargs"].items()]
    for name, value in named:
        text = _code(value)
        if text is None:
            return None
        small &= len(text) <= 400
        lines.append(f"{name} = {text}")
    return lines if small else []


def _code(value: Any) -> str | None:
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        half = value.dtype in (torch.bfloat16, torch.float16)
        if value.numel() > HEAVY or half or value.device.type != "cpu":
            return None
        if value.numel() > SMALL:
            return " " * 1000
        dtype = str(value.dtype)
        tail = "" if dtype in ("torch.float32", "torch.int64", "torch.bool") else f", dtype={dtype}"
        data = _rounded(value.detach().tolist())
        return f"torch.tensor({data}{tail})"
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        if value.size > HEAVY:
            return None
        return f"np.array({_rounded(value.tolist())})" if value.size <= SMALL else " " * 1000
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, list | tuple | dict):
        inner = value.values() if isinstance(value, dict) else value
        texts = [_code(v) for v in inner]
        if any(t is None for t in texts):
            return None
        words = [t or "" for t in texts]
        if isinstance(value, dict):
            words = [f"{k!r}: {t}" for k, t in zip(value, words, strict=True)]
            return "{" + ", ".join(words) + "}"
        end = ",)" if len(words) == 1 else ")"
        return f"[{', '.join(words)}]" if isinstance(value, list) else f"({', '.join(words)}{end}"
    return None


def _rounded(data: Any) -> Any:
    if isinstance(data, list):
        return [_rounded(v) for v in data]
    return float(f"{data:.4g}") if isinstance(data, float) else data


if __name__ == "__main__":
    main()
