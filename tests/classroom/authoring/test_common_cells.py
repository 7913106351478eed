"""Cells that all notebooks share, and notebooks made anew without executing them."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from classroom.authoring import build as building
from classroom.authoring.build import rebuild, take_outputs, write_notebook
from classroom.authoring.common_cells import install_cell, verified_cell, write_verified
from classroom.authoring.source import read_source

ROOT = Path(__file__).resolve().parents[3]
NAME = "99_small"
SOURCE = """# %% [markdown]
# # Opening
# {prose}

# %% tags=["install"]
# install cell

# %%
print({printed})
"""


@pytest.fixture
def course(tmp_path):
    """A course of one notebook that was executed once."""
    folder = tmp_path / "solutions" / NAME
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / "install_cell.py", tmp_path / "solutions")
    write_source(tmp_path)
    notebook = read_source(tmp_path, NAME).notebook
    for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        cell.execution_count = number + 1
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"output {number}\n")]
    write_notebook(notebook, folder / f"{NAME}.ipynb")
    return tmp_path


def write_source(root, prose="As it was.", printed="1"):
    path = root / "solutions" / NAME / f"{NAME}.py"
    path.write_text(SOURCE.format(prose=prose, printed=printed))


def built(root):
    return nbformat.read(root / "solutions" / NAME / f"{NAME}.ipynb", as_version=4)


def test_a_verified_run_is_told_after_the_opening(course):
    assert verified_cell(course, NAME) is None
    write_verified(course, NAME, 151.2)
    cells = read_source(course, NAME).notebook.cells
    assert [c.cell_type for c in cells] == ["markdown", "markdown", "code", "code"]
    assert cells[1].id == "verified"
    assert "2.5 minutes of computing" in cells[1].source
    write_verified(course, NAME, 7.4)
    assert "took 7 seconds" in read_source(course, NAME).notebook.cells[1].source


def test_prose_may_change_without_executing(course):
    write_source(course, prose="New words.")
    write_verified(course, NAME, 3)
    rebuild(course, NAME)
    opening, _, install, code = built(course).cells
    assert "New words." in opening.source
    assert [c.outputs[0].text for c in (install, code)] == ["output 0\n", "output 1\n"]
    assert code.execution_count == 2


def test_changed_code_is_refused_and_nothing_written(course):
    before = built(course)
    write_source(course, printed="2")
    with pytest.raises(ValueError, match=r"code has changed, execute.*print\(2\)"):
        rebuild(course, NAME)
    assert built(course) == before


def test_other_numbers_of_cells_are_refused(course):
    notebook = built(course)
    fewer = built(course)
    del fewer.cells[-1]
    with pytest.raises(ValueError, match="fewer cells"):
        take_outputs(fewer, notebook)
    with pytest.raises(ValueError, match="code has changed"):
        take_outputs(notebook, fewer)


def test_without_a_built_notebook_there_is_nothing_to_keep(course):
    (course / "solutions" / NAME / f"{NAME}.ipynb").unlink()
    with pytest.raises(ValueError, match="no outputs to keep"):
        rebuild(course, NAME)


def test_a_new_installation_cell_alone_is_executed(course, monkeypatch):
    path = course / "solutions" / "install_cell.py"
    path.write_text(path.read_text() + "print('new')\n")
    executed = []

    def execute(notebook, *_, **__):
        executed.extend(notebook.cells)
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="ran\n")]

    monkeypatch.setattr(building, "execute", execute)
    rebuild(course, NAME)
    assert len(executed) == 1
    _, install, code = built(course).cells
    assert install.source.endswith("print('new')")
    assert install.outputs[0].text == "ran\n"
    assert code.outputs[0].text == "output 1\n"


def test_an_installation_cell_without_its_lines_is_refused(course):
    (course / "solutions" / "install_cell.py").write_text("print()\n")
    with pytest.raises(ValueError, match="needs the lines"):
        install_cell(course, NAME)


def test_records_of_runs_are_complete():
    for path in sorted((ROOT / "course_utils" / "assets" / "verified").glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        assert set(record) == {"release", "date", "hardware", "software", "cpu_seconds"}, path.name
