"""What the site holds, and what it must not."""

import re
from pathlib import Path

import nbformat
import pytest

from classroom.authoring.site import page_of
from classroom.authoring.source import notebook_names, read_source, tags

ROOT = Path(__file__).resolve().parents[2]
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "checks.hidden(")
NAMES = notebook_names(ROOT)


def read(folder, name):
    return nbformat.read(ROOT / folder / name / f"{name}.ipynb", as_version=4)


def texts(site):
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".js", ".txt", ".ipynb", ".inv", ".json"):
            yield path, path.read_text("utf-8", errors="replace")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_nothing_that_an_answer_made(name):
    solution = read("solutions", name)
    page = page_of(read("notebooks", name), solution, name)
    made = {c.id: c for c in solution.cells}
    for cell in page.cells:
        if cell.cell_type == "code" and cell.outputs:
            twin = made[cell.id]
            assert twin.source == cell.source
            assert "nbgrader" not in twin.metadata
            assert "needs-answer" not in tags(twin)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_the_given_figures(name):
    page = page_of(read("notebooks", name), read("solutions", name), name)
    pictures = [
        o for c in page.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert pictures or name.startswith("00")


def test_an_output_of_an_answer_would_be_left_out():
    made = nbformat.v4.new_code_cell("plot()", metadata={"tags": ["needs-answer"]})
    given = nbformat.v4.new_code_cell("plot()")
    for cell in (made, given):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="shown")]
    head = nbformat.v4.new_markdown_cell("# Title\n\ntext")
    release = nbformat.v4.new_notebook(
        cells=[head, nbformat.from_dict(made), nbformat.from_dict(given)]
    )
    page = page_of(release, nbformat.v4.new_notebook(cells=[head, made, given]), "x")
    assert [len(c.get("outputs", [])) for c in page.cells] == [0, 0, 1]


def test_no_marker_and_no_model_answer_anywhere(site):
    telling = []
    for name in NAMES:
        source = read_source(ROOT, name)
        shown = read("notebooks", name)
        given = "\n".join(c.source for c in shown.cells)
        for exercise in source.exercises.values():
            lines = {line.strip() for line in exercise.answer.splitlines()}
            telling += [(exercise.name, x) for x in lines if len(x) > 40 and x not in given]
    library = "\n".join(p.read_text("utf-8") for p in (ROOT / "course_utils").rglob("*.py"))
    telling = [(e, line) for e, line in telling if line not in library]
    assert len(telling) > 100
    for path, text in texts(site):
        plain = re.sub(r"<[^>]+>", "", text).replace("&gt;", ">").replace("&lt;", "<")
        plain = plain.replace("&quot;", '"').replace("&#39;", "'").replace("&amp;", "&")
        assert not [m for m in MARKERS if m in plain], path
        assert not [(e, line) for e, line in telling if line in plain], path


def test_every_notebook_has_a_page_with_its_links(site):
    for name in NAMES:
        text = (site / "notebooks" / f"{name}.html").read_text("utf-8")
        assert (
            f"colab.research.google.com/github/someone/attention/blob/main/notebooks/{name}" in text
        )
        assert (site / "_static" / "notebooks" / f"{name}.ipynb").is_file()


def test_no_link_leads_nowhere(site):
    for path in (p for p in site.rglob("*.html") if "_static" not in p.parts):
        for target in re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', path.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_picture_of_a_notebook_has_words(site):
    for path in (site / "notebooks").glob("*.html"):
        for picture in re.findall(r"<img[^>]*_images[^>]*>", path.read_text("utf-8")):
            assert re.search(r'alt="[^"]{20,}"', picture), f"{path.name}: {picture[:200]}"
