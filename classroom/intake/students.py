"""Whose is this file, and a safe name for everybody."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from classroom.intake.archives import EMPTY
from classroom.intake.log import LOG
from classroom.intake.platforms import Owner, by_naming, inside, key, plain_name

__all__ = ["Registry", "owners"]

Path = tuple[str, ...]

ATTEMPT_DIR = re.compile(r"(?:attempt|version|try|v|old|new|final|backup|draft)?[ _-]*\d*", re.I)
WRAPPER = re.compile(
    r"in|input|inbox|class"
    r"|(?:submissions?|submitted|submit|downloads?|assignments?|archive|export|collected|homework"
    r"|notebooks?|classwork|hand-?ins?|inbound|students)(?:[ _.(-].*)?",
    re.IGNORECASE,
)
BY_FOLDER = ("brightspace", "gradescope", "moodle", "prairielearn")
ASSETS = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".csv", ".npy", ".npz", ".pt", ".json", ".yml")
NOBODY = re.compile(r"index|readme.*|instructions?|grades?|roster|license", re.IGNORECASE)
RESERVED = {"con", "prn", "aux", "nul", "feedback", "autograded", "students"}
RESERVED |= {f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10)}


def owners(
    paths: Iterable[Path],
    assignments: Iterable[str],
    assignment: str,
    documents: Iterable[Path] = (),
) -> dict[Path, Owner]:
    """Owner of each path that has one.

    Parameters
    ----------
    paths
        What may be a notebook.
    assignments, assignment
        Names of all assignments, and of this one.
    documents
        Files in other formats and empty folders (their path ends with an empty part).
    """
    known = list(assignments)
    others = {key(title) for title in known} - {key(assignment)}
    found: dict[Path, Owner] = {}
    other = {p for p in documents if not any(key(part) in others for part in p[:-1])}
    everything = set(paths) | other
    _Level(known, assignment, other - set(paths), found).decide(sorted(everything), 0)
    return found


class _Level:
    """Decide for the paths in one folder that holds a class, and in those below it."""

    def __init__(
        self, known: list[str], assignment: str, documents: set[Path], found: dict[Path, Owner]
    ) -> None:
        self.known, self.assignment = known, assignment
        self.titles = {key(title) for title in known}
        self.documents, self.found = documents, found

    def decide(self, paths: list[Path], depth: int) -> None:
        children: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            if path[depth] != EMPTY:
                children[path[depth]].append(path)
        stray = {
            name
            for name, below in children.items()
            if all(p in self.documents and len(p) == depth + 1 for p in below)
        }
        folders = any(len(path) > depth + 1 for path in paths)
        for name, below in children.items():
            file = all(len(path) == depth + 1 for path in below)
            zipped = name.lower().endswith(".zip")
            owner = by_naming(name, file=file or zipped, assignment=self.assignment)
            if owner is None and file:
                owner = None if name in stray and folders else self._loose(name, name in stray)
            elif owner is None:
                if self._is_wrapper(name, below, depth + 1, len(children) - len(stray) <= 1):
                    self.decide(below, depth + 1)
                    continue
                owner = Owner(plain_name(name) if zipped else name, "folder")
            if owner is not None:
                owner = replace(owner, name=owner.name.strip())
                self.found |= {path: inside(owner, path) for path in below}

    def _loose(self, name: str, document: bool) -> Owner | None:
        """A file named after its student: ``anna.ipynb``, ``anna_01_self_attention.ipynb``."""
        stem = plain_name(name.rpartition(".")[0] if document and "." in name else name)
        for title in self.known:
            stem = re.sub(rf"[ _.-]*{re.escape(title)}[ _.-]*", "", stem, flags=re.IGNORECASE)
        if not key(stem) or re.fullmatch(r"untitled\d*|notebook\d*", stem, re.IGNORECASE):
            return None
        if document and (NOBODY.fullmatch(stem) or name.lower().endswith(ASSETS)):
            return None
        return Owner(stem, "file")

    def _is_wrapper(self, name: str, below: list[Path], depth: int, alone: bool) -> bool:
        """Whether a folder holds a class, not a student's work."""
        plain = plain_name(name)
        if WRAPPER.fullmatch(plain) or key(plain) in self.titles:
            return True
        inner = {path[depth] for path in below}
        files = {path[depth] for path in below if len(path) == depth + 1}
        named = [
            by_naming(n, file=n in files or n.lower().endswith(".zip"), assignment=self.assignment)
            for n in inner
        ]
        people = {(owner.name, owner.number) for owner in named if owner}
        if len(people) > 1 or any(owner and owner.lms in BY_FOLDER for owner in named):
            return True
        dirs = {
            path[depth]
            for path in below
            if len(path) > depth + 1
            and not ATTEMPT_DIR.fullmatch(path[depth])
            and not path[-1].lower().endswith(ASSETS)
        }
        titles = {n for n in dirs if key(n) in self.titles}
        loose = {path[depth] for path in below if len(path) == depth + 1} - {EMPTY}
        loose -= {path[depth] for path in below if path in self.documents}
        zips = {n for n in files if n.lower().endswith(".zip")}
        return alone and not loose - zips and len(dirs - titles) > 1


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
    if not safe or safe.casefold().split(".")[0] in RESERVED or safe.casefold() == LOG:
        safe += "_" + hashlib.sha256(name.encode()).hexdigest()[:6]
    if len(safe.encode()) > 120:
        kept = safe.encode()[:100].decode(errors="ignore")
        safe = f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return safe.removeprefix("_")
