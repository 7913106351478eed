"""A student's own part where its check is right, else the course's."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from course_utils.checks.notebook import Notebook, outcome

__all__ = ["choose_parts"]


def choose_parts(
    notebook: Notebook, course: Mapping[str, Any], namespace: Mapping[str, Any], *names: str
) -> SimpleNamespace:
    """Give each part as the student wrote it if its visible check is right, else the course's.

    Parameters
    ----------
    notebook
        The notebook whose checks decide.
    course
        The course's version of every part.
    namespace
        Where the student's answers live, ``globals()`` in a notebook.
    names
        The parts that are needed; all by default.

    Returns
    -------
    SimpleNamespace
        One attribute per part, called as its exercise says. A line says whose the parts are.

    Raises
    ------
    ValueError
        If there is no part of that name.
    """
    wanted = names or tuple(course)
    unknown = sorted(set(wanted) - set(course))
    if unknown:
        raise ValueError(f"names must be among {list(course)}, got {unknown}")
    own = [n for n in wanted if _is_right(notebook, namespace, n)]
    others = [n for n in wanted if n not in own]
    line = f"Your own parts: {', '.join(own) or 'none yet'}."
    if others:
        line += f" The course's, until the check of yours is right: {', '.join(others)}."
    print(line)
    return SimpleNamespace(**{n: namespace[n] if n in own else course[n] for n in wanted})


def _is_right(notebook: Notebook, namespace: Mapping[str, Any], name: str) -> bool:
    exercise = notebook.exercises.get(name)
    return exercise is not None and all(
        outcome(exercise, namespace.get(name), part) == "right" for part in exercise.points
    )
