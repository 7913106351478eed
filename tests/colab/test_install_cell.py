"""The installation cell asks pip for what is missing and nothing else, and says what went wrong."""

import importlib
import importlib.util
import subprocess
from types import SimpleNamespace

import nbformat
import pytest
from student_release import ROOT

from classroom.authoring.common_cells import NEEDS, install_cell, stamp_release
from classroom.authoring.source import notebook_names, read_source

WHEEL = "attention_in_medicine-0.1.0-py3-none-any.whl"
ECG = "03_multimodal_fusion_ecg"
ASKED = {"course_utils", *(module for needs in NEEDS.values() for module in needs)}


@pytest.fixture
def run_cell(monkeypatch, tmp_path):
    """Run a cell where ``absent`` modules are missing; return pip's calls."""
    monkeypatch.chdir(tmp_path)
    find_spec = importlib.util.find_spec

    def run(text, absent, fails=False, error="ERROR: No matching distribution found"):
        absent, calls = set(absent), []

        def find(name, *rest):
            return None if name in absent else object() if name in ASKED else find_spec(name)

        def pip(command, **_):
            calls.append(command[command.index("--no-deps") + 1 :])
            assert command[1:5] == ["-m", "pip", "install", "--quiet"]
            return SimpleNamespace(returncode=int(fails), stderr=f"noise\n{error}\nmore noise\n")

        monkeypatch.setattr(importlib.util, "find_spec", find)
        monkeypatch.setattr(subprocess, "run", pip)
        run.calls = calls
        exec(compile(text, "install", "exec"), {"__name__": "__main__"})
        return calls

    return run


def test_a_complete_environment_is_left_alone(run_cell, capsys):
    for name in notebook_names(ROOT):
        assert run_cell(install_cell(ROOT, name), absent=[]) == []
        shown = capsys.readouterr().out
        assert shown.startswith("Ready on ")
        assert len(shown.splitlines()) == 1


def test_the_wheel_beside_the_notebook_is_taken(run_cell, tmp_path):
    (tmp_path / WHEEL).touch()
    text = install_cell(ROOT, "00_start_here")
    assert run_cell(text, absent=["course_utils", "captum"]) == [[str(tmp_path / WHEEL)]]


def test_only_what_is_missing_is_added(run_cell, tmp_path):
    (tmp_path / WHEEL).touch()
    text = install_cell(ROOT, ECG)
    absent = ["course_utils", "neurokit2", "wfdb", "pywt"]
    wanted = [[str(tmp_path / WHEEL)], ["neurokit2", "wfdb", "pywavelets"]]
    assert run_cell(text, absent) == wanted


def test_a_stamped_cell_takes_the_wheel_of_the_tag(run_cell):
    notebook = read_source(ROOT, "00_start_here").notebook
    stamp_release(notebook, "notebooks/00_start_here.ipynb", WHEEL, "someone/attention", "v1")
    (cell,) = [c for c in notebook.cells if "install" in c.metadata.get("tags", [])]
    url = f"https://github.com/someone/attention/raw/v1/notebooks/{WHEEL}"
    assert run_cell(cell.source, absent=["course_utils"]) == [[url]]


def test_without_a_wheel_one_line_says_what_to_do(run_cell):
    with pytest.raises(Exception, match=r"Put attention_in_medicine-….whl") as caught:
        run_cell(install_cell(ROOT, "00_start_here"), absent=["course_utils"])
    assert len(caught.value._render_traceback_()) == 1


def test_without_a_network_one_line_says_so(run_cell, tmp_path, capsys):
    (tmp_path / WHEEL).touch()
    with pytest.raises(Exception, match=r"No matching distribution.*Is there a network") as caught:
        run_cell(install_cell(ROOT, "00_start_here"), absent=["course_utils"], fails=True)
    assert len(caught.value._render_traceback_()) == 1
    run_cell(install_cell(ROOT, ECG), absent=["wfdb"], fails=True)  # an optional package: go on
    out = capsys.readouterr().out
    assert "Could not add wfdb" in out
    assert "Ready on" in out


@pytest.mark.parametrize("kind", ["notebooks", "solutions"])
def test_the_cell_is_folded_away_under_its_title(kind):
    for name in notebook_names(ROOT):
        notebook = nbformat.read(ROOT / kind / name / f"{name}.ipynb", as_version=4)
        (cell,) = [c for c in notebook.cells if "install" in c.metadata.get("tags", [])]
        assert cell.source.startswith("#@title Installation")
        assert cell.metadata["cellView"] == "form"  # Colab
        assert cell.metadata["jupyter"]["source_hidden"] is True  # JupyterLab


def test_every_notebook_has_the_cell_and_only_03_needs_the_ecg_packages():
    for name in notebook_names(ROOT):
        cells = [c for c in read_source(ROOT, name).notebook.cells if c.cell_type == "code"]
        assert cells[0].source == install_cell(ROOT, name)
        assert ("neurokit2" in cells[0].source) == (name == ECG)
    assert NEEDS.keys() <= set(notebook_names(ROOT))
