"""What students get: a wheel, a tree for a public repository, and the same tree as a zip.

None of them holds an answer or a hidden check, and making them twice gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import nbformat
import yaml

from classroom.authoring.build import write_notebook
from classroom.authoring.common_cells import colab_badge, stamp_release
from classroom.authoring.source import notebook_names
from course_utils import __version__

__all__ = ["publish"]

EPOCH = 315532800  # 1980, where the time of zip files begins
AS_THEY_ARE = ("LICENSE", "LICENSE-text", "CITATION.cff", "CHANGELOG.md", "docs/student.md")
STUDENTS_WORK_IN = ("jupyterlab", "ipykernel")
TABLE = "<!-- the notebooks -->"


def publish(root: Path, out: Path, *, repo: str = "", ref: str = "") -> list[Path]:
    """Make wheel, student tree, student zip and checksums in ``out`` from the released notebooks.

    Parameters
    ----------
    repo, ref
        ``owner/name`` and tag of the public repository that the tree is for. With them the
        notebooks carry a Colab badge and install from there; without, from the wheel beside them.

    Returns
    -------
    Paths of the wheel, the zip, the tree and ``SHA256SUMS``.

    Raises
    ------
    ValueError
        If only one of ``repo`` and ``ref`` is given, or one does not look right.
    RuntimeError
        If the wheel cannot be built.
    """
    if bool(repo) != bool(ref):
        raise ValueError(f"REPO and REF go together, got REPO={repo!r} REF={ref!r}")
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        wheel = build_wheel(root, made)
        tree = made / "student"
        fill_tree(root, tree, wheel, repo, ref)
        archive = made / f"attention-in-medicine-{__version__}-student.zip"
        zip_tree(tree, archive)
        write_checksums(made, [wheel, archive])
        out.mkdir(parents=True, exist_ok=True)
        paths = [out / p.name for p in (wheel, archive, tree, made / "SHA256SUMS")]
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            shutil.move(made / path.name, path)
    return paths


def build_wheel(root: Path, folder: Path) -> Path:
    """Build the wheel, offline and reproducibly; ``classroom`` is not in it."""
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", f"{EPOCH}")
    }
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise RuntimeError(f"hatchling could not build the wheel:\n{done.stderr[-2000:]}")
    return wheels[0]


def fill_tree(root: Path, tree: Path, wheel: Path, repo: str, ref: str) -> None:
    """Write everything that students get into the folder ``tree``."""
    notebooks = tree / "notebooks"
    notebooks.mkdir(parents=True)
    for name in notebook_names(root):
        source = root / "notebooks" / name / f"{name}.ipynb"
        notebook = nbformat.read(source, as_version=4)
        if repo:
            stamp_release(notebook, f"notebooks/{name}.ipynb", wheel.name, repo, ref)
        write_notebook(notebook, notebooks / f"{name}.ipynb")
    shutil.copyfile(wheel, notebooks / wheel.name)
    for name in AS_THEY_ARE:
        (tree / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(root / name, tree / name)
    (tree / "README.md").write_text(student_readme(root, repo, ref), encoding="utf-8")
    write_environment(root, tree, wheel.name)
    write_checksums(tree, sorted(p for p in tree.rglob("*") if p.is_file()))


def student_readme(root: Path, repo: str, ref: str) -> str:
    """README of the student tree: its template, with the table of notebooks and their badges."""
    lines = course_table(root, "notebooks/{name}.ipynb", repo, ref)
    text = (root / "docs" / "student_readme.md").read_text("utf-8")
    if text.count(TABLE) != 1:
        raise ValueError(f"docs/student_readme.md needs the line {TABLE!r} once")
    return text.replace(TABLE, "\n".join(lines))


def course_table(root: Path, address: str, repo: str = "", ref: str = "") -> list[str]:
    """Lines of README's table of notebooks, linked to ``address``, with badges for ``repo``."""
    rows = re.findall(
        r"^\| `(\d\d_\w+)` \| (.+) \|$", (root / "README.md").read_text("utf-8"), re.M
    )
    head = "| notebook | you build | minutes |", "| --- | --- | --- |"
    lines = [f"| [{name}]({address.format(name=name)}) | {rest} |" for name, rest in rows]
    if repo:
        head = f"{head[0]} on Colab |", f"{head[1]} --- |"
        badges = [colab_badge(f"notebooks/{name}.ipynb", repo, ref) for name, _ in rows]
        lines = [f"{line} {badge} |" for line, badge in zip(lines, badges, strict=True)]
    return [*head, *lines]


def write_environment(root: Path, tree: Path, wheel: str) -> None:
    """Write ``environment.yml``, ``requirements.txt``, ``binder/``: tested versions, no grading."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["ecg"], *STUDENTS_WORK_IN]
    names = {re.split(r"[^\w.-]", row)[0] for row in wanted}
    environment = yaml.safe_load((root / "environment.yml").read_text("utf-8"))
    *conda, by_pip = environment["dependencies"]
    pins = [row for row in by_pip["pip"] if row.split("==")[0] in names]
    pins.append(f"./notebooks/{wheel}")
    environment["dependencies"] = [*conda, {"pip": pins}]
    text = yaml.safe_dump(environment, sort_keys=False)
    (tree / "environment.yml").write_text(text, encoding="utf-8")
    (tree / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    binder = tree / "binder"  # the same, with the CPU build of torch, which is much smaller
    binder.mkdir()
    rows = (root / "binder" / "requirements.txt").read_text("utf-8").splitlines()
    index = [row for row in rows if row.startswith("--extra-index-url")]
    (binder / "requirements.txt").write_text("\n".join([*index, *pins]) + "\n", encoding="utf-8")
    shutil.copyfile(root / "binder" / "runtime.txt", binder / "runtime.txt")


def zip_tree(tree: Path, archive: Path) -> None:
    """Zip a folder: sorted names, one time, one mode, so that equal trees give equal bytes."""
    top = f"attention-in-medicine-{__version__}"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(p for p in tree.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(f"{top}/{path.relative_to(tree).as_posix()}")
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(entry, path.read_bytes())


def write_checksums(folder: Path, files: list[Path]) -> None:
    """Write ``SHA256SUMS`` of files in a folder, as ``sha256sum --check`` reads it."""
    rows = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in files
    ]
    (folder / "SHA256SUMS").write_text("".join(rows), encoding="utf-8")
