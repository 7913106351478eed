"""Cells that every notebook shares: the installation, and where it was last verified.

Both are written once and put into each notebook when its source is read. A release for a public
repository stamps them: where the wheel is, and the badge that opens the notebook on Colab.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import textwrap
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from course_utils import __version__

__all__ = ["FOLDED", "install_cell", "stamp_release", "verified_cell", "write_verified"]

VERIFIED_ID = "verified"
# Students see the title of the installation cell, not its code: on Colab, and in JupyterLab.
TITLE = (
    "#@title Installation: run this cell first. It adds only what is missing, and replaces nothing."
)
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}
PLACE = 'REPO, REF, WHEEL = "", "", ""'
NEEDED = "NEEDED = {}"
# What a notebook imports and Colab has not, and what those packages need (they come without it).
NEEDS = {
    "03_multimodal_fusion_ecg": {
        "neurokit2": "neurokit2",
        "wfdb": "wfdb",
        "pywt": "pywavelets",
        "soundfile": "soundfile",
        "aiohttp": "aiohttp",
        "fsspec": "fsspec",
        "requests": "requests",
    },
    "05_icu_mortality": {"captum": "captum", "duckdb": "duckdb"},
}


def install_cell(root: Path, name: str) -> str:
    """Text of the installation cell of a notebook, from ``solutions/install_cell.py``."""
    text = (root / "solutions" / "install_cell.py").read_text(encoding="utf-8").rstrip()
    text = f"{TITLE}\n{text.partition(chr(10))[2]}"  # the first line speaks to us
    if text.count(PLACE) != 1 or text.count(f"{NEEDED} ") != 1:
        raise ValueError(f"install_cell.py needs the lines {PLACE!r} and {NEEDED!r} once each")
    needs = NEEDS.get(name, {})
    if not needs:
        return text
    pairs = json.dumps(needs)[1:-1]
    rows = textwrap.indent(textwrap.fill(pairs, 92, break_on_hyphens=False), "    ")
    comment = text.split(f"{NEEDED}  # ")[1].splitlines()[0]
    return text.replace(f"{NEEDED}  # {comment}", f"NEEDED = {{  # {comment}\n{rows},\n}}")


def verified_path(root: Path, name: str) -> Path:
    """Where the record of a notebook's last complete run is kept."""
    return root / "course_utils" / "assets" / "verified" / f"{name}.json"


def write_verified(root: Path, name: str, cpu_seconds: float) -> None:
    """Note that this release ran a notebook from top to bottom: date, hardware and time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    record = {
        "release": __version__,
        "date": datetime.date.today().isoformat(),
        "hardware": f"one thread of {platform.machine()}, {cores} cores",
        "software": f"Python {platform.python_version()}, torch {version('torch')}",
        "cpu_seconds": round(cpu_seconds),
    }
    path = verified_path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def verified_cell(root: Path, name: str) -> NotebookNode | None:
    """Cell that says when and where the notebook last ran; None when no run is on record."""
    path = verified_path(root, name)
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    seconds = record["cpu_seconds"]
    took = f"{seconds} seconds" if seconds < 60 else f"{seconds / 60:.1f} minutes"
    text = (
        f"*Last verified in release {record['release']} on {record['date']}: all cells together "
        f"took {took} of computing on {record['hardware']} ({record['software']}). A GPU is used "
        "where there is one. On Colab, choose File → Save a copy in Drive before you begin.*"
    )
    return nbformat.v4.new_markdown_cell(text, id=VERIFIED_ID)


def stamp_release(notebook: NotebookNode, file: str, wheel: str, repo: str, ref: str) -> None:
    """Write into a release where its public repository is: installation cell and Colab badge.

    Parameters
    ----------
    file
        Path of the notebook in the repository.
    wheel
        File name of the wheel, which lies beside the notebook.
    repo, ref
        ``owner/name`` on GitHub, and the tag of the release.

    Raises
    ------
    ValueError
        If ``repo`` or ``ref`` does not look like one, or the notebook lacks one of the two cells.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise ValueError(f"REPO must be owner/name, got {repo!r}")
    if not re.fullmatch(r"[\w.][\w./-]*", ref):
        raise ValueError(f"REF must be a tag such as v1, got {ref!r}")
    installs = [c for c in notebook.cells if "install" in c.metadata.get("tags", [])]
    if len(installs) != 1 or PLACE not in installs[0].source:
        raise ValueError(f"{file} needs one installation cell with the line {PLACE!r}")
    installs[0].source = installs[0].source.replace(
        PLACE, f'REPO, REF, WHEEL = "{repo}", "{ref}", "{wheel}"'
    )
    badge = f"{colab_badge(file, repo, ref)}\n\n"
    verified = [c for c in notebook.cells if c.id == VERIFIED_ID]
    if verified:
        verified[0].source = badge + verified[0].source
    else:
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(badge.strip(), id=VERIFIED_ID))


def colab_address(file: str, repo: str, ref: str) -> str:
    """Address that opens a notebook of the public repository on Colab."""
    return f"https://colab.research.google.com/github/{repo}/blob/{ref}/{file}"


def colab_badge(file: str, repo: str, ref: str) -> str:
    """Markdown of the button that opens a notebook of the public repository on Colab."""
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({picture})]({colab_address(file, repo, ref)})"
