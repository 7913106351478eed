"""The course as a website: the releases as pages, with the figures that need no student's work.

A page is made from the student release. Outputs come from the executed solution, for the cells that
stand in both word for word and need no answer; model answers, hidden checks and what they print or
draw are never read. Sphinx makes static HTML that asks no other server for anything, so it works
from a folder too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from classroom.authoring.build import write_notebook
from classroom.authoring.common_cells import colab_address
from classroom.authoring.publish import course_table
from classroom.authoring.source import notebook_names, tags

__all__ = ["build_site", "page_of"]

TABLE = "<!-- the notebooks -->"
PAGES = ("student.md", "claims.md", "instructor.md", "grading.md", "performance.md", "checks.md")
BOX = re.compile(r"^> \*\*Exercise `(?P<name>\w+)`\*\* · (?P<rest>.+)$", re.MULTILINE)


def build_site(root: Path, out: Path, *, repo: str = "", ref: str = "main") -> Path:
    """Build the site in ``out`` and return the path of its first page.

    Parameters
    ----------
    repo, ref
        ``owner/name`` and tag of the public repository of the releases; with them the pages have a
        button *Open in Colab*.

    Raises
    ------
    RuntimeError
        If Sphinx or its theme is missing, or Sphinx finds a broken link; with what it said.
    """
    source, html = out / "source", out / "html"
    for folder in (source, html):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "docs" / "site", source)
    (source / "notebooks").mkdir()
    downloads = source / "_static" / "notebooks"
    downloads.mkdir(parents=True)
    for name in notebook_names(root):
        release = root / "notebooks" / name / f"{name}.ipynb"
        shutil.copyfile(release, downloads / release.name)
        solution = root / "solutions" / name / f"{name}.ipynb"
        page = page_of(_read(release), _read(solution), name, repo=repo, ref=ref)
        write_notebook(page, source / "notebooks" / f"{name}.ipynb")
    for name in PAGES:
        if (root / "docs" / name).is_file():
            text = (root / "docs" / name).read_text("utf-8")
            (source / name).write_text(_links_of_a_page(text), encoding="utf-8")
    index = (source / "index.md").read_text("utf-8")
    table = "\n".join(course_table(root, "notebooks/{name}.ipynb"))
    (source / "index.md").write_text(index.replace(TABLE, table), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, str(source), str(html)], cwd=root, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"Sphinx could not build the site:\n{done.stderr[-4000:]}")
    return html / "index.html"


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def page_of(
    release: NotebookNode, solution: NotebookNode, name: str, *, repo: str = "", ref: str = ""
) -> NotebookNode:
    """Return the notebook of a page: the release, with outputs that hold no answer's work.

    Parameters
    ----------
    release, solution
        The student release and the executed solution; cells are matched by id and text.
    name
        Name of the notebook, for its links.
    """
    page = nbformat.from_dict(release)
    executed = {c.id: c for c in solution.cells if c.cell_type == "code" and _shows_no_answer(c)}
    for cell in page.cells:
        if cell.cell_type == "code":
            twin = executed.get(cell.id)
            cell.outputs = list(_shown(twin)) if twin and twin.source == cell.source else []
            cell.execution_count = None
            _dress(cell)
        else:
            cell.source = _boxed(cell.source)
    for cell, caption in zip(page.cells, [*page.cells[1:], None], strict=True):
        if cell.cell_type == "code" and caption is not None and caption.source.startswith("*"):
            words = " ".join(re.sub(r"[*`$\\]", "", caption.source).split())
            alt = cell.metadata.get("alt") or words
            cell.metadata.mystnb = {"image": {"alt": alt[:400].replace('"', "'")}}
    links = f'<a href="../_static/notebooks/{name}.ipynb" download>Download the notebook</a>'
    if repo:
        links = f"[Open in Colab]({colab_address(f'notebooks/{name}.ipynb', repo, ref)}) · {links}"
    title, _, rest = page.cells[0].source.partition("\n")
    page.cells[0].source = f"{title}\n\n{links}\n{rest}"
    page.metadata.pop("kernelspec", None)
    return page


def _shows_no_answer(cell: NotebookNode) -> bool:
    """Whether what a cell shows was made without any exercise's answer."""
    return "nbgrader" not in cell.metadata and "needs-answer" not in tags(cell)


def _shown(cell: NotebookNode) -> Iterator[NotebookNode]:
    """What is kept of a cell's outputs: text and pictures, no progress bars, no errors."""
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            yield output
        elif output.output_type in ("display_data", "execute_result"):
            data = {
                k: v
                for k, v in output.data.items()
                if k in ("image/png", "text/html", "text/plain")
            }
            if "widget-view" not in str(output.data.keys()):
                yield nbformat.from_dict(output | {"data": data})


def _dress(cell: NotebookNode) -> None:
    """Fold the installation away, and mark stubs and checks for the stylesheet."""
    about = cell.metadata.get("nbgrader", {})
    marks = set(cell.metadata.get("tags", []))
    if "install" in marks:
        marks.add("hide-input")
    if about.get("solution"):
        marks.add("stub")
    elif about.get("grade"):
        marks.add("check")
    cell.metadata.tags = sorted(marks)


def _boxed(text: str) -> str:
    """Put an exercise, from its line of points to the end of the cell, into a box."""
    found = BOX.search(text)
    if not found:
        return text
    task = text[found.end() :].strip("\n")
    head = f"Exercise `{found['name']}` · {found['rest']}"
    return (
        f"{text[: found.start()]}\n::::{{admonition}} {head}\n:class: exercise\n\n{task}\n\n::::\n"
    )


def _links_of_a_page(text: str) -> str:
    """Links to files of the repository that are no pages become plain words."""
    pages = "|".join(re.escape(p) for p in PAGES)
    return re.sub(rf"(?<!!)\[([^\]]+)\]\((?!https?:|#|(?:{pages})[#)])[^)]+\)", r"\1", text)
