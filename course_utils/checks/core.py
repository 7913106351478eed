"""Mechanics of the checks: three outcomes, short messages, and the frame that a check runs in.

A check is a function of the student's answer that returns what it verified, or fails through
:func:`~course_utils.checks.compare.same`, :func:`require` or :func:`fail`. What may happen in
between (stubs, exceptions, printing, warnings, random state) is handled here, once.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import torch

from course_utils.checks.likely import message_hint

__all__ = [
    "CheckFailed",
    "NotAttempted",
    "at_start",
    "check_of",
    "clip",
    "describe",
    "fail",
    "forbidden",
    "hidden",
    "is_stub",
    "judging",
    "line_of",
    "of_a_hidden_case",
    "raise_for",
    "require",
]

MAX_LINES = 8
MAX_WIDTH = 160
STUB_ENDING = ": not written yet"


class CheckFailed(AssertionError):
    """An answer is wrong. The message says what was seen, expected, and what it looks like."""

    def _render_traceback_(self) -> list[str]:
        """Let IPython show the message alone, without a traceback."""
        return str(self).splitlines()

    seen, hint = "", ""  # see :func:`fail`


class NotAttempted(CheckFailed):
    """The answer is still the stub."""


@dataclass
class Judging:
    name: str
    forbids: tuple[str, ...] = ()
    hidden: bool = False


judging: list[Judging] = []
at_start: list[Callable[[], object]] = []  # called whenever a check begins, after seeding
forbidden: dict[str, tuple[str, ...]] = {}  # exercise -> ready-made names that are no answer


def is_stub(error: BaseException) -> bool:
    return isinstance(error, NotImplementedError) and (
        not error.args or str(error).endswith(STUB_ENDING.removeprefix(":"))
    )


def clip(text: str, width: int = MAX_WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def fail(seen: str, hint: str | None = None) -> NoReturn:
    """Fail the check that is running.

    Parameters
    ----------
    seen
        What was seen and expected, one fact a line.
    hint
        The common mistake that it looks like; without one, what ``seen`` itself tells.

    Raises
    ------
    CheckFailed
        Always.
    """
    hint = hint or message_hint(seen)
    title = "not right yet"
    if judging:
        where = " in a further case" if judging[-1].hidden else ""
        title = f"{judging[-1].name}: not right yet{where}"
    lines = [title + "."] + [f"  {line}" for line in seen.splitlines()]
    tail = [f"  It looks like this: {hint}"] if hint else []
    lines = lines[: MAX_LINES - len(tail)] + tail
    error = CheckFailed("\n".join(clip(line) for line in lines))
    error.seen, error.hint = seen, hint or ""
    raise error from None


# What a failure in a hidden case may say: its kind, known by the first words, and nothing else.
KINDS = {
    "It raised": "It raised an error.",
    "It calls": "It calls a ready-made function that this exercise forbids.",
    "The input": "It changed an input.",
    "No gradient": "No gradient flows back.",
    "The gradient": "The gradient is not what it should be.",
}


def of_a_hidden_case(name: str, error: BaseException) -> str:
    """Say what kind of failure a hidden case met, in words that no answer can choose."""
    if isinstance(error, NotAttempted):
        return f"{name}: not attempted in a further case."
    lines = [f"{name}: not right yet in a further case."]
    if isinstance(error, CheckFailed):
        lines += [f"  {text}" for begin, text in KINDS.items() if error.seen.startswith(begin)]
        lines += [f"  It looks like this: {clip(error.hint)}"] if error.hint else []
    return "\n".join(lines)


def require(condition: bool, seen: str, hint: str | None = None) -> None:
    """Fail with ``seen`` (and ``hint``) unless ``condition`` holds."""
    if not condition:
        fail(seen, hint)


def describe(value: object) -> str:
    """Say in a few words what a value is: kind, shape and dtype, or its short repr."""
    if isinstance(value, torch.Tensor):
        if value.dim() == 0:
            return f"tensor({value.item():.6g}) {str(value.dtype).removeprefix('torch.')}"
        return f"tensor {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype}"
    if isinstance(value, torch.nn.Module):
        return type(value).__name__
    if isinstance(value, list | tuple) and any(
        isinstance(v, torch.Tensor | np.ndarray) for v in value
    ):
        return f"{type(value).__name__} of {len(value)} ({describe(value[0])}, …)"
    if type(value).__module__.startswith("pandas"):
        return f"{type(value).__name__} {getattr(value, 'shape', '')}"
    return clip(repr(value), 50)


def raise_for(error: BaseException, context: str) -> NoReturn:
    name = judging[-1].name if judging else "answer"
    if is_stub(error):
        other = str(error).removesuffix(STUB_ENDING)
        if error.args and other != name:
            raise NotAttempted(f"{name}: needs `{other}`, which is not written yet.") from None
        raise NotAttempted(f"{name}: not attempted yet.") from None
    text = " ".join(str(error).split()) or "no message"
    fail(f"It raised {type(error).__name__}: {clip(text, 110)}\n{context}{line_of(error)}")


def line_of(error: BaseException) -> str:
    """Last line of the answer itself (not of a library) that the exception passed through."""
    if hasattr(error, "answer_line"):  # it was raised in another process
        return str(error.answer_line)
    line = None
    trace = error.__traceback__
    here = os.path.dirname(__file__)
    ours = (here, os.path.join(os.path.dirname(os.path.dirname(here)), "classroom"))
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "site-packages" not in file and not file.startswith(ours):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f"\nat line {line} of the answer"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what student code prints or warns and give back random and autograd state."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    grad, default = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            torch.random.fork_rng(devices=[]),
            torch.enable_grad(),
        ):
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            for start in at_start:
                start()
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(default)


@contextlib.contextmanager
def check_of(name: str, forbids: tuple[str, ...], hidden: bool) -> Iterator[None]:
    judging.append(Judging(name, forbids, hidden))
    try:
        with quiet():
            yield
    except (CheckFailed, KeyboardInterrupt):
        raise
    except Exception as error:  # student objects can misbehave outside of `call` too
        raise_for(error, "while its result was being looked at")
    finally:
        judging.pop()


@contextlib.contextmanager
def hidden(name: str) -> Iterator[None]:
    """Frame of the checks that are in the solution notebook alone.

    Inside it :func:`call`, :func:`same`, :func:`require` and :func:`fail` speak for the exercise
    ``name``; printing and warnings are swallowed.
    """
    forbids = forbidden.get(name, ())
    with check_of(name, forbids, hidden=True):
        yield
