"""Whose file is this: the namings of learning platforms, and safe names for students."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Owner", "Registry", "copy_number", "owners", "plain_name"]

Path = tuple[str, ...]

SUFFIX = re.compile(r"(?:\.(?:ipynb|zip|json|txt|download))+$", re.IGNORECASE)
NUMBER = re.compile(r"\s*\((\d{1,6})\)$")
COPY_OF = re.compile(
    r"^(?:copy of|copy \(\d+\) of|kopie von|kopie van|copie de|copia de|cópia de|kopia)\s+", re.I
)
COPY = re.compile(r"\s*(?:[-–]\s*)?\b(?:copy|kopie|copie|copia)(?:\s*\(?(\d{1,6})\)?)?$", re.I)
JUPYTER_COPY = re.compile(r"-Copy(\d{1,6})$")
ATTEMPT_DIR = re.compile(r"(?:attempt|version|try|v|old|new|final|backup|draft)?[ _-]*\d*", re.I)
WRAPPER = re.compile(
    r"(?:submissions?|submitted|submit|downloads?|assignments?|archive|export|collected|homework"
    r"|notebooks?|classwork|hand-?ins?|inbound)(?:[ _.(-].*)?",
    re.IGNORECASE,
)
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
RESERVED = {"con", "prn", "aux", "nul", "feedback", "autograded", "students"}
RESERVED |= {f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10)}


@dataclass(frozen=True)
class Owner:
    """The student as a file or folder names them, and what the platform adds."""

    name: str
    lms: str  # canvas, moodle, google, blackboard, nbgrader, folder or file
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


def _key(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _pattern(name: str, *, file: bool, assignment: str) -> Owner | None:
    """Owner by the naming of a platform."""
    stem = SUFFIX.sub("", name)
    if match := MOODLE.fullmatch(stem):
        return Owner(match["name"], "moodle", match["number"])
    if match := INBOUND.fullmatch(name):
        return Owner(match["name"], "nbgrader", time=match["time"])
    if not file:
        return None
    if match := CANVAS.fullmatch(stem):
        late, count = bool(match["late"]), int(match["file"][:18])
        return Owner(match["name"], "canvas", match["user"], late, count)
    if match := BLACKBOARD.fullmatch(stem):
        return Owner(match["name"], "blackboard", time=match["time"])
    match = GOOGLE.fullmatch(plain_name(name))
    if match:
        who, title = _key(match["name"]), _key(assignment)
        if title not in who and not (len(who) > 4 and who in title):
            return Owner(match["name"], "google")
    return None


def owners(paths: Iterable[Path], assignments: Iterable[str], assignment: str) -> dict[Path, Owner]:
    """Owner of each path that has one."""
    found: dict[Path, Owner] = {}
    _level(sorted(set(paths)), 0, list(assignments), assignment, found)
    return found


def _level(
    paths: list[Path], depth: int, known: list[str], assignment: str, found: dict[Path, Owner]
) -> None:
    """Decide for paths in one folder that holds a class."""
    children: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        children[path[depth]].append(path)
    for name, below in children.items():
        file = all(len(path) == depth + 1 for path in below)
        zipped = name.lower().endswith(".zip")
        owner = _pattern(name, file=file or zipped, assignment=assignment)
        if owner is None and file:
            owner = _loose(name, known)
        elif owner is None:
            if _is_wrapper(name, below, depth + 1, known, len(children) == 1, assignment):
                _level(below, depth + 1, known, assignment, found)
                continue
            owner = Owner(plain_name(name) if zipped else name, "folder")
        if owner is not None:
            found |= dict.fromkeys(below, replace(owner, name=owner.name.strip()))


def _loose(name: str, known: list[str]) -> Owner | None:
    """A file named after its student: ``anna.ipynb``, ``anna_01_self_attention.ipynb``."""
    stem = plain_name(name)
    for title in known:
        stem = re.sub(rf"[ _.-]*{re.escape(title)}[ _.-]*", "", stem, flags=re.IGNORECASE)
    if not _key(stem) or re.fullmatch(r"untitled\d*|notebook\d*", stem, re.IGNORECASE):
        return None
    return Owner(stem, "file")


def _is_wrapper(
    name: str, below: list[Path], depth: int, known: list[str], alone: bool, assignment: str
) -> bool:
    """Whether a folder holds a class, not a student's work."""
    plain = plain_name(name)
    if WRAPPER.fullmatch(plain) or _key(plain) in {_key(title) for title in known}:
        return True
    inner = {path[depth] for path in below}
    files = {path[depth] for path in below if len(path) == depth + 1}
    named = [
        _pattern(n, file=n in files or n.lower().endswith(".zip"), assignment=assignment)
        for n in inner
    ]
    if len({(owner.name, owner.number) for owner in named if owner}) > 1:
        return True
    dirs = {n for n in inner - files if not ATTEMPT_DIR.fullmatch(n)}
    titles = {n for n in dirs if _key(n) in {_key(title) for title in known}}
    return (
        alone
        and not files - {n for n in files if n.lower().endswith(".zip")}
        and (len(dirs - titles) > 1)
    )


class Registry:
    """Students by safe name; what is known once stays, so that names are stable.

    ``entries[id]`` holds ``identity``, ``name``, ``lms`` and ``numbers`` (the platform's number by
    assignment; Moodle's differ between assignments).
    """

    def __init__(self, entries: dict[str, dict[str, object]] | None = None) -> None:
        self.entries: dict[str, dict[str, object]] = entries or {}

    def ids(self, found: Iterable[Owner], assignment: str) -> dict[Owner, str]:
        """Safe names of owners; those who are named safely already come first."""
        ordered = sorted(set(found), key=lambda o: (_safe(_wanted(o)) != _wanted(o), _tuple(o)))
        return {owner: self._id(owner, assignment) for owner in ordered}

    def _id(self, owner: Owner, assignment: str) -> str:
        wanted = unicodedata.normalize("NFC", _wanted(owner))
        identity = f"canvas:{owner.number}" if owner.lms == "canvas" else f"name:{_spaced(wanted)}"
        for known, entry in self.entries.items():
            numbers = entry["numbers"]
            assert isinstance(numbers, dict)
            number = numbers.get(assignment, owner.number) or owner.number
            same = entry["identity"] == identity and (not owner.number or number == owner.number)
            by_id = known == wanted and str(entry["identity"]).startswith("canvas:")
            if same or by_id:
                if owner.number:
                    numbers.setdefault(assignment, owner.number)
                return known
        safe = _safe(wanted)
        taken = {known.casefold() for known in self.entries}
        if safe.casefold() in taken:
            safe += "-" + (owner.number or hashlib.sha256(identity.encode()).hexdigest()[:6])
        if safe.casefold() in taken:
            safe += "-" + hashlib.sha256(f"{identity}{owner.number}".encode()).hexdigest()[:6]
        self.entries[safe] = {
            "identity": identity,
            "name": owner.name,
            "lms": owner.lms,
            "numbers": {assignment: owner.number} if owner.number else {},
        }
        return safe


def _wanted(owner: Owner) -> str:
    anonymous = owner.lms == "moodle" and owner.name.casefold() == "participant"
    if owner.lms == "canvas" or anonymous:
        return f"{owner.name}_{owner.number}"
    return owner.name


def _tuple(owner: Owner) -> tuple[str, str, str]:
    return owner.name, owner.number, owner.lms


def _spaced(name: str) -> str:
    return " ".join(name.split())


def _safe(name: str) -> str:
    """Letters, digits, ``. _ -``; no path parts, no hidden or reserved name, at most 64 long."""
    name = unicodedata.normalize("NFC", _spaced(name))
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name).strip("._- ")
    if not safe or safe.casefold().split(".")[0] in RESERVED:
        safe += "_" + hashlib.sha256(name.encode()).hexdigest()[:6]
    if len(safe.encode()) > 120:
        kept = safe.encode()[:100].decode(errors="ignore")
        safe = f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return safe.removeprefix("_")
