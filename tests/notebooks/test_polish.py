"""Readable by everyone: captions, headings, contrast, sizes, alternative texts, spelling, links."""

import ast
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from matplotlib.colors import is_color_like, to_rgb

from classroom.authoring.source import read_source

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
SHOWN_WIDTH = 800  # pixels of a notebook's column
SMALLEST = 8  # pixels of the smallest letters in it
WIDEST = 11  # inches
EMOJI = re.compile("[\u2600-\u26ff\u2700-\u27bf\U0001f300-\U0001faff\ufe0f]")


def first_line(cell):
    return (cell.source.splitlines() or [""])[0]


def code_cells(name):
    return [c for c in read_source(ROOT, name).notebook.cells if c.cell_type == "code"]


def test_every_figure_has_a_caption(notebook_name):
    """In italics in the cell below, or as ``alt`` in the metadata of the cell."""
    path = ROOT / "solutions" / notebook_name / f"{notebook_name}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    bare = []
    for position, (cell, below) in enumerate(pairwise(cells)):
        pictures = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        captioned = below.cell_type == "markdown" and below.source.lstrip().startswith("*")
        if pictures and not captioned and not cell.metadata.get("alt"):
            bare.append(f"{notebook_name}, cell {position}: {first_line(cell)}")
    assert not bare


def test_the_notebook_says_when_it_was_verified(notebook_name):
    cells = read_source(ROOT, notebook_name).notebook.cells
    assert cells[1].id == "verified", f"run: make solutions NB={notebook_name}"
    assert re.search(r"release \d+\.\d+\.\d+ on \d{4}-\d\d-\d\d: .*computing", cells[1].source)


def test_no_emoji(notebook_name):
    source = (ROOT / "solutions" / notebook_name / f"{notebook_name}.py").read_text("utf-8")
    assert not EMOJI.findall(source)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_have_no_emoji_and_headings_that_nest(path):
    text = path.read_text("utf-8")
    assert not EMOJI.findall(text)
    heads = re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    levels = [len(head) for head in heads]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def luminance(color):
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(color, background="white"):
    light, dark = sorted([luminance(color), luminance(background)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_defines_it():
    assert contrast("black") == pytest.approx(21)
    assert contrast("white") == pytest.approx(1)
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)


def test_the_palette_and_the_words_of_figures_have_contrast():
    import matplotlib as mpl

    from course_utils import plots

    with mpl.rc_context():
        plots.use_style()
        colors = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
        back = mpl.rcParams["axes.facecolor"]
        words = [mpl.rcParams[f"{key}.color"] for key in ("text", "xtick", "ytick")]
        words.append(mpl.rcParams["axes.labelcolor"])
    assert [c for c in colors if contrast(c, back) < 3] == []
    assert [c for c in words if contrast(c, back) < 4.5] == []
    assert min(contrast(plots.PALETTE[i]) for i in (0, 3)) >= 4.5  # words are highlighted in these


def units_of_drawing(name=None):
    """Name and syntax tree of each cell of a notebook, or of each function that draws."""
    if name is not None:
        yield from ((first_line(cell), ast.parse(cell.source)) for cell in code_cells(name))
        return
    for path in sorted((ROOT / "course_utils" / "plots").glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield f"{path.name}: {node.name}", node


def constants(tree, *names):
    """Values of keyword arguments that are written as constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in names:
            if isinstance(node.value, ast.Constant):
                yield node.value.value
            elif isinstance(node.value, ast.Tuple):
                yield node.value.elts[0].value if hasattr(node.value.elts[0], "value") else None


def drawing_problems(units):
    """Figures that are too wide, letters too small at 800 pixels, colours too pale."""
    for name, tree in units:
        widths = [w for w in constants(tree, "figsize") if isinstance(w, int | float)]
        sizes = constants(tree, "fontsize", "title_fontsize", "labelsize")
        widest = max([8, *widths]) if widths else WIDEST if isinstance(tree, ast.FunctionDef) else 8
        for size in (s for s in sizes if isinstance(s, int | float)):
            pixels = size / 72 * SHOWN_WIDTH / widest
            if pixels < SMALLEST:
                yield f"{name}: letters of {size} points in {widest} inches: {pixels:.1f} pixels"
        if widest > WIDEST:
            yield f"{name}: {widest} inches wide, at most {WIDEST}"
        for color in constants(tree, "color", "ecolor"):
            if isinstance(color, str) and is_color_like(color) and not color.startswith("C"):
                spans = "axvspan" in ast.dump(tree) or "axhspan" in ast.dump(tree)
                if contrast(color) < 3 and not spans:
                    yield f"{name}: colour {color} has a contrast of {contrast(color):.1f} on white"


def test_figures_are_readable_at_800_pixels(notebook_name):
    assert not list(drawing_problems(units_of_drawing(notebook_name)))


def test_drawing_functions_are_readable_at_800_pixels():
    assert not list(drawing_problems(units_of_drawing()))


def test_the_rule_for_figures_finds_what_it_should():
    tree = ast.parse(
        "plt.subplots(figsize=(12, 3))\nax.legend(fontsize=7)\nax.plot(x, color='0.8')"
    )
    found = list(drawing_problems([("cell", tree)]))
    assert [words in text for words, text in zip(("6.5 px", "", ""), found, strict=True)]
    assert len(found) == 3


def test_links_and_alternative_texts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import links

    assert links.tracked_problems() == []


@pytest.mark.parametrize(
    ("picture", "words", "target", "what"),
    [
        (True, "", "docs/notebook.png", "without alternative text"),
        (False, "here", "http://example.org", "not an https"),
        (False, "here", "https://nowhere", "not an https"),
        (False, "here", "docs/nothing.md", "no such file"),
        (False, "here", "README.md#nothing", "no such heading"),
        (False, "here", "README.md#licence", None),
    ],
)
def test_the_rules_for_links(monkeypatch, picture, words, target, what):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import links

    found = links.problem(ROOT / "README.md", picture, words, target)
    assert found is None if what is None else what in found


def test_spelling():
    names = [
        "README.md",
        "CHANGELOG.md",
        "docs",
        "solutions",
        "course_utils",
        "tools",
        "benchmarks",
    ]
    command = [sys.executable, "-m", "codespell_lib", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
