"""How learning platforms name what students hand in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "Owner",
    "by_naming",
    "copy_number",
    "gradescope_people",
    "inside",
    "key",
    "plain_name",
    "stated_time",
]

SUFFIX = re.compile(r"(?:\.(?:ipynb|zip|json|txt|download))+$", re.IGNORECASE)
NUMBER = re.compile(r"\s*\((\d{1,6})\)$")
COPY_OF = re.compile(
    r"^(?:copy of|copy \(\d+\) of|kopie von|kopie van|copie de|copia de|cópia de|kopia)\s+", re.I
)
COPY = re.compile(r"\s*(?:[-–]\s*)?\b(?:copy|kopie|copie|copia)(?:\s*\(?(\d{1,6})\)?)?$", re.I)
JUPYTER_COPY = re.compile(r"-Copy(\d{1,6})$")

CANVAS = re.compile(
    r"(?P<name>anon(?=_)|[^_\W][^_]*?)(?:_(?P<late>LATE))?_(?P<user>\d+|(?<=anon_)\w{5})_"
    r"(?P<file>\d+)_(?P<rest>.+)",
    re.DOTALL,
)
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_\w+?(?:_(?P<rest>.*))?$")
INBOUND = re.compile(r"(?P<name>[^+]+)\+(?P<rest>[^+]+)\+(?P<time>\d{4}-\d\d-\d\d[^+]*)(?:\+.*)?")
BLACKBOARD = re.compile(
    r"(?P<rest>.+)_(?P<name>[^_]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_.*)?", re.DOTALL
)
GOOGLE = re.compile(r"(?P<name>[^\W\d].*?)\s+[-–—]\s+(?P<rest>.+)", re.DOTALL)
# 39786-640693 - Ann Lee - Oct 10, 2025 1022 AM: a person's number in the course, another, the time
BRIGHTSPACE = re.compile(
    r"(?P<user>\d+)-\d+ - (?P<name>.+?) - (?P<time>(?:(?! - ).)*\b\d{4}\b(?:(?! - ).)*)(?: - .*)?"
)
# ann@uni.edu_1_topic_1_2_5501_file: instance, question, variant, count, number of the submission;
# a question may hold a slash, so that the first half is a folder
PRAIRIELEARN = re.compile(r"(?P<name>[^@/\s]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)_(?P<rest>.+)")
PRAIRIELEARN_COUNT = re.compile(r"(?:.*_)?\d+_\d+_(?P<file>\d+)_.+|.+_(?P<only>\d+)_.+")
GRADESCOPE = re.compile(r"submission_\d+")
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CLOCK = re.compile(r"\b(\d{1,2})[:._ ]?(\d\d)\s*([ap])\.?m\b", re.IGNORECASE)


@dataclass(frozen=True)
class Owner:
    """The student as a file or folder names them, and what the platform adds."""

    name: str
    lms: str  # canvas, moodle, google, blackboard, brightspace, ... nbgrader, folder or file
    number: str = ""  # the platform's own
    late: bool = False
    file: int = 0  # the platform's count of uploads
    time: str = ""  # stated in the name


def plain_name(name: str) -> str:
    """File name without suffixes and without what copying adds to it."""
    stem = SUFFIX.sub("", name).strip()
    while True:
        shorter = NUMBER.sub("", JUPYTER_COPY.sub("", COPY.sub("", COPY_OF.sub("", stem)))).strip()
        if shorter in (stem, ""):
            return stem
        stem = SUFFIX.sub("", shorter).strip() or shorter


def copy_number(name: str) -> int:
    """``x (2).ipynb`` is 2, ``Copy of x.ipynb`` is 1, ``x.ipynb`` is 0."""
    stem, count = SUFFIX.sub("", name).strip(), 0
    for pattern in (NUMBER, JUPYTER_COPY, COPY):
        match = pattern.search(stem)
        if match:
            count = max(count, int(match[1] or 1))
    while COPY_OF.match(stem):
        stem, count = COPY_OF.sub("", stem), count + 1
    return count


def key(text: str) -> str:
    """Letters and digits alone, for comparing names."""
    return "".join(c for c in text.casefold() if c.isalnum())


def by_naming(name: str, *, file: bool, assignment: str) -> Owner | None:
    """Owner of a file or folder by the naming of a platform."""
    stem = SUFFIX.sub("", name)
    if match := MOODLE.fullmatch(stem):
        return Owner(match["name"], "moodle", match["number"])
    if match := INBOUND.fullmatch(name):
        return Owner(match["name"], "nbgrader", time=match["time"])
    if match := BRIGHTSPACE.fullmatch(stem):
        return Owner(match["name"], "brightspace", match["user"], time=match["time"])
    if match := PRAIRIELEARN.fullmatch(stem):
        return Owner(match["name"], "prairielearn", file=_uploads(match["rest"]))
    if not file:
        match = GRADESCOPE.fullmatch(stem)
        return Owner(stem, "gradescope") if match else None
    if match := CANVAS.fullmatch(stem):
        late, count = bool(match["late"]), int(match["file"][:18])
        return Owner(match["name"], "canvas", match["user"], late, count)
    if match := BLACKBOARD.fullmatch(stem):
        return Owner(match["name"], "blackboard", time=match["time"])
    match = GOOGLE.fullmatch(plain_name(name))
    if match:
        who, title = key(match["name"]), key(assignment)
        if title not in who and not (len(who) > 4 and who in title):
            return Owner(match["name"], "google")
    return None


def inside(owner: Owner, path: tuple[str, ...]) -> Owner:
    """Owner with what a file inside the owner's folder adds."""
    if owner.lms == "prairielearn" and not owner.file:
        return replace(owner, file=_uploads(path[-1]))
    return owner


def _uploads(rest: str) -> int:
    match = PRAIRIELEARN_COUNT.fullmatch(rest)
    return int((match["file"] or match["only"])[:18]) if match else 0


def stated_time(text: str) -> datetime | None:
    """Time in a platform's name: year first, or with the name of the month as Brightspace has it.

    Platforms state no zone; the time is taken as it stands.
    """
    words = re.findall(r"[^\W\d_]+|\d+", text)
    month = next((MONTHS.index(w[:3].lower()) + 1 for w in words if w[:3].lower() in MONTHS), None)
    try:
        if month is None:
            digits = [int(w) for w in words if w.isdigit()][:6]
            return datetime(*(digits + [0] * 6)[:6], tzinfo=UTC)  # type: ignore[arg-type,misc]
        year = next(i for i, w in enumerate(words) if len(w) == 4 and w.isdigit())
        day = next(int(w) for w in words[:year] if w.isdigit())
        clock = CLOCK.search(text, text.index(words[year]) + 4)
        hour, minute = 0, 0
        if clock:
            hour, minute = int(clock[1]) % 12, int(clock[2])
            hour += 12 * (clock[3].lower() == "p")
        return datetime(int(words[year]), month, day, hour, minute, tzinfo=UTC)
    except (ValueError, TypeError, StopIteration):
        return None


def gradescope_people(data: bytes) -> dict[str, Owner]:
    """Owner of each folder by Gradescope's ``submission_metadata.yml``.

    The names of a group are joined. Empty where the file is none of that kind.
    """
    import yaml

    try:
        table: Any = yaml.load(data, Loader=yaml.BaseLoader)  # everything as text, no objects
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    people = {}
    for folder, entry in table.items() if isinstance(table, dict) else ():
        entry = _plain_keys(entry)
        submitters = entry.get("submitters")
        told = [_plain_keys(p) for p in submitters] if isinstance(submitters, list) else []
        names = [_first(person, "name", "email", "sid") for person in told]
        if any(names):
            number = "-".join(filter(None, (_first(person, "sid", "email") for person in told)))
            time = _first(entry, "created_at")
            name = " and ".join(filter(None, names))
            people[str(folder)] = Owner(name, "gradescope", number, time=time)
    return people


def _plain_keys(entry: Any) -> dict[str, Any]:
    """A mapping whose keys were symbols of Ruby, ``:name``."""
    if not isinstance(entry, dict):
        return {}
    return {str(k).strip(":").lower(): v for k, v in entry.items()}


def _first(entry: dict[str, Any], *keys: str) -> str:
    return next((v for k in keys if isinstance(v := entry.get(k), str) and v.strip()), "")
