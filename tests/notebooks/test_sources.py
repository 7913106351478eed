"""Source, solution and release belong together, and the release gives nothing away."""

import ast
import importlib
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from classroom.authoring.build import make_release
from classroom.authoring.source import read_source, tags
from course_utils.checks import MODULES

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 40  # lines of a cell
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "MARK SCHEME", "hidden(")


def solution_lines(source):
    """Lines of the model answers and the hidden checks that are long enough to be telling."""
    for exercise in source.exercises.values():
        for text, start, end in [(exercise.answer, "BEGIN SOLUTION", "END SOLUTION")] + [
            (check, "BEGIN HIDDEN", "END HIDDEN") for check in exercise.checks.values()
        ]:
            for region in re.findall(rf"### {start}.*?\n(.*?)### {end}", text, flags=re.S):
                yield from (line.strip() for line in region.splitlines() if len(line.strip()) > 30)


def given_lines(source):
    """Lines of the code that students get as it is; a hidden check may hold the same ones."""
    cells = [c for c in source.notebook.cells if c.cell_type == "code"]
    return [s for c in cells if "nbgrader" not in c.metadata for s in c.source.splitlines()]


def sources_of(notebook):
    return [(cell.id, cell.cell_type, cell.source) for cell in notebook.cells]


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    made = {}

    def make(name):
        if name not in made:
            made[name] = make_release(ROOT, name, tmp_path_factory.mktemp("release"))
        return made[name]

    return make


def test_the_solution_is_built_from_its_source(notebook_name):
    path = ROOT / "solutions" / notebook_name / f"{notebook_name}.ipynb"
    built = nbformat.read(path, as_version=4)
    source = read_source(ROOT, notebook_name).notebook
    assert sources_of(built) == sources_of(source), f"run: make solutions NB={notebook_name}"
    assert [c.metadata.get("nbgrader") for c in built.cells] == [
        c.metadata.get("nbgrader") for c in source.cells
    ]
    code = [c for c in built.cells if c.cell_type == "code" and c.source.strip()]
    assert all(c.execution_count for c in code), "the solution was not executed"
    outputs = [o for c in code for o in c.outputs]
    assert not [o.evalue for o in outputs if o.output_type == "error"]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]


def test_the_release_is_what_nbgrader_makes_of_it(notebook_name, releases):
    path = ROOT / "notebooks" / notebook_name / f"{notebook_name}.ipynb"
    assert path.read_bytes() == releases(notebook_name).read_bytes(), (
        f"run: make release NB={notebook_name}"
    )


def test_releasing_twice_gives_the_same_bytes(notebook_name, releases, tmp_path):
    again = make_release(ROOT, notebook_name, tmp_path)
    assert again.read_bytes() == releases(notebook_name).read_bytes()


def test_the_release_gives_nothing_away(notebook_name):
    path = ROOT / "notebooks" / notebook_name / f"{notebook_name}.ipynb"
    text = path.read_text("utf-8")
    notebook = nbformat.read(path, as_version=4)
    assert not [marker for marker in MARKERS if marker in text]
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert not [c.id for c in code if c.outputs or c.execution_count]
    source = read_source(ROOT, notebook_name)
    shown = {line.strip() for c in code for line in c.source.splitlines()}
    docs = {
        line.strip() for e in source.exercises.values() for line in outside_regions(e).splitlines()
    }
    given = {line.strip() for line in given_lines(source)}
    leaked = [line for line in solution_lines(source) if line in shown - docs - given]
    assert not leaked
    for name, cell in ((c.metadata.get("nbgrader", {}).get("grade_id"), c) for c in notebook.cells):
        if name in source.exercises:
            assert f'raise NotImplementedError("{name}: not written yet")' in cell.source
            assert "# TODO" in cell.source
        if name in source.written:
            assert cell.source == "*Your answer here.*"


def outside_regions(exercise):
    return re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", exercise.answer, flags=re.S)


def test_exercises_and_checks_fit_together(notebook_name):
    source = read_source(ROOT, notebook_name)
    checks = importlib.import_module(f"course_utils.checks.{MODULES[notebook_name]}")
    registered = checks.NOTEBOOK.exercises
    assert checks.NOTEBOOK.name == notebook_name
    assert list(registered) == list(source.exercises), "the table of results has this order"
    for name, exercise in source.exercises.items():
        assert registered[name].total == sum(exercise.points.values()), name
        for key, check in exercise.checks.items():
            assert "BEGIN HIDDEN TESTS" in check, f"{key} has no hidden check"
            visible = check.split("### BEGIN HIDDEN TESTS")[0]
            assert f"checks.{MODULES[notebook_name]}.{name}({name}" in visible, key
    assert checks.NOTEBOOK.written == sum(source.written.values())


def test_cells_are_short_and_in_order(notebook_name):
    source = read_source(ROOT, notebook_name)
    assert len([c for c in source.notebook.cells if "imports" in tags(c)]) == 1
    for cell in source.notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
            shown = cell.source.split("### BEGIN HIDDEN TESTS")[0]  # students never see the rest
            for part in shown.split("### BEGIN"):
                assert len(part.splitlines()) <= LONGEST, f"a cell is too long: {cell.source[:80]}"
    cells = source.notebook.cells
    for exercise in source.exercises.values():
        box = cells[exercise.position - 1]
        assert box.cell_type == "markdown"
        assert f"`{exercise.name}`" in box.source
        assert cells[exercise.position + 1].metadata.nbgrader.grade, exercise.name
        after = [c.source for c in cells[exercise.position + 2 :] if c.cell_type == "markdown"]
        assert any(text.count("<details>") >= 3 for text in after[:2]), f"{exercise.name}: hints"


def test_headings_nest(notebook_name):
    levels = [1]
    for cell in read_source(ROOT, notebook_name).notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```", "", cell.source, flags=re.S)
            levels += [len(m) for m in re.findall(r"^(#+) ", text, flags=re.M)]
    assert levels[1] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
