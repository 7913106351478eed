"""The registry of a notebook's exercises, with the table that ends it."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.checks.core import CheckFailed, NotAttempted, check_of, fail, forbidden, is_stub

__all__ = ["Exercise", "Notebook", "outcome", "setup"]


@dataclass(frozen=True)
class Exercise:
    """One exercise: its points (by part where it has parts) and its visible check."""

    name: str
    points: Mapping[str, int]
    check: Callable[..., None]

    @property
    def total(self) -> int:
        """Sum of the points."""
        return sum(self.points.values())


class Notebook:
    """The exercises of one notebook with their visible checks.

    Parameters
    ----------
    name
        Name of the notebook, for example ``"01_self_attention"``.
    written
        Points of the written answers, which a person grades.
    """

    def __init__(self, name: str, *, written: int = 0) -> None:
        self.name = name
        self.written = written
        self.exercises: dict[str, Exercise] = {}

    def exercise(
        self, *, points: int | Mapping[str, int], forbids: Sequence[str] = ()
    ) -> Callable[[Callable[..., str]], Callable[..., None]]:
        """Register the decorated function as the check of the exercise of its name.

        Parameters
        ----------
        points
            Points, or points by part; a check with parts takes a keyword ``part``.
        forbids
            Names of ready-made functions and classes of torch or of ``course_utils`` that are not
            an answer here.
        """

        def register(check: Callable[..., str]) -> Callable[..., None]:
            name = check.__name__
            forbidden[name] = tuple(forbids)

            @functools.wraps(check)
            def run(answer: Any, *args: Any, **kwargs: Any) -> None:
                if answer is None:
                    raise NotAttempted(f"{name}: not attempted yet.")
                with check_of(name, tuple(forbids), hidden=False):
                    _refuse_library_version(answer)
                    verified = check(answer, *args, **kwargs)
                part = f" ({kwargs['part']})" if kwargs.get("part") else ""
                print(f"{name}{part}: right. Verified: {verified}.")

            by_part = {"": points} if isinstance(points, int) else dict(points)
            self.exercises[name] = Exercise(name, by_part, run)
            return run

        return register

    def summary(self, namespace: Mapping[str, Any]) -> None:
        """Run every visible check on the answers in ``namespace`` and print a table.

        The table shows right, wrong or not attempted and the points so far. Points count finally
        when the hidden checks agree.
        """
        rows: list[tuple[str, str, str]] = []
        earned, total = 0, 0
        for exercise in self.exercises.values():
            outcomes = [
                (outcome(exercise, namespace.get(exercise.name), part), value)
                for part, value in exercise.points.items()
            ]
            points = sum(value for status, value in outcomes if status == "right")
            statuses = {status for status, _ in outcomes}
            status = statuses.pop() if len(statuses) == 1 else "partly right"
            rows.append((exercise.name, status, f"{points} / {exercise.total}"))
            earned, total = earned + points, total + exercise.total
        rows.append(("together", "", f"{earned} / {total}"))
        width = max(len(row[0]) for row in rows)
        print(f"{'exercise':{width}}  {'outcome':14}  points")
        for name, status, got in rows:
            print(f"{name:{width}}  {status:14}  {got:>7}")
        if self.written:
            print(
                f"Your written answers are worth {self.written} points more; a person reads them."
            )


def outcome(exercise: Exercise, answer: Any, part: str = "") -> str:
    """Outcome of one visible check: ``"right"``, ``"wrong"`` or ``"not attempted"``."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exercise.check(answer, **({"part": part} if part else {}))
    except NotAttempted:
        return "not attempted"
    except CheckFailed:
        return "wrong"
    return "right"


def _refuse_library_version(answer: Any) -> None:
    owners = answer.__mro__ if isinstance(answer, type) else (answer,)
    if any(str(getattr(owner, "__module__", "")).startswith("course_utils.") for owner in owners):
        fail(
            "This is the library's own version.",
            "`course_utils` has this piece for later notebooks; here the point is to write yours",
        )


def setup() -> None:
    """Let IPython show stubs that later cells run into as one short line; elsewhere do nothing."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return

    def show(self: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> Any:
        if is_stub(error) and error.args:
            lines = [str(error)]
        else:
            lines = self.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
        self._showtraceback(kind, error, lines)
        return lines

    shell.set_custom_exc((NotImplementedError,), show)
