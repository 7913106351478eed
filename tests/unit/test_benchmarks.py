"""What ``make bench`` keeps, and what an interrupted run leaves alone."""

import json

import nbformat
import pytest

import benchmarks.__main__ as main
from benchmarks import cells
from classroom.authoring.build import Run

SOURCE = "# %% [markdown]\n# prose\n\n# %%\nfigure = 1\n"
BAND = {"gap": {"what": "gap", "low": 0.2, "high": None}}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """The benchmarks on a course of one small notebook, whose runs are only pretended."""
    for name, folder in {"ROOT": ".", "KEPT": "kept", "BANDS": "bands"}.items():
        monkeypatch.setattr(main, name, tmp_path / folder)
    (tmp_path / "solutions" / "tiny").mkdir(parents=True)
    (tmp_path / "solutions" / "tiny" / "tiny.py").write_text(SOURCE)
    (tmp_path / "bands").mkdir()
    (tmp_path / "bands" / "tiny.json").write_text(json.dumps(BAND))
    monkeypatch.setattr(main, "ran", [], raising=False)

    def execute(notebook, name, *, folder, strict, seed):
        main.ran.append(seed)
        if seed == main.stops_at:
            raise KeyboardInterrupt
        return Run(name, 1.5, 2.0, [{"name": "gap", "value": 0.3 - 0.05 * seed}])

    monkeypatch.setattr(main, "execute", execute)
    monkeypatch.setattr(main, "stops_at", None, raising=False)
    return main


def test_an_interrupted_run_changes_no_band_and_is_taken_up_again(bench):
    bands = bench.BANDS / "tiny.json"
    before = bands.read_bytes()
    bench.stops_at = 1
    with pytest.raises(KeyboardInterrupt):
        bench.measure_claims("tiny", 3)
    assert bands.read_bytes() == before
    bench.stops_at = None
    assert bench.measure_claims("tiny", 3)["cpu_seconds"] == [1.5] * 3
    assert bench.ran == [0, 1, 1, 2]
    assert json.loads(bands.read_text())["gap"]["measured"]["values"] == [0.3, 0.25, 0.2]
    assert [p.name for p in bench.BANDS.iterdir()] == ["tiny.json"]


def test_a_value_outside_its_band_is_told(bench, capsys):
    bench.measure_claims("tiny", 3)
    assert "OUTSIDE" not in capsys.readouterr().out
    bench.measure_claims("tiny", 4)
    assert "gap: 0.150 to 0.300  OUTSIDE ITS BAND" in capsys.readouterr().out


def test_new_code_is_run_again_and_new_prose_is_not(bench):
    source = bench.ROOT / "solutions" / "tiny" / "tiny.py"
    bench.run_seed("tiny", 0)
    source.write_text(SOURCE.replace("prose", "other words"))
    bench.run_seed("tiny", 0)
    assert bench.ran == [0]
    source.write_text(SOURCE.replace("figure = 1", "figure = 2"))
    bench.run_seed("tiny", 0)
    assert bench.ran == [0, 0]


def test_a_cell_has_its_seconds_section_and_kind():
    def code(source, seconds, **graded):
        cell = nbformat.v4.new_code_cell(source)
        end = f"2026-01-01T00:00:{seconds:09.6f}Z"
        times = {"iopub.execute_input": "2026-01-01T00:00:00.0Z", "shell.execute_reply": end}
        cell.metadata.update(execution=times, nbgrader=graded)
        return cell

    prose = nbformat.v4.new_markdown_cell
    notebook = nbformat.v4.new_notebook(
        cells=[
            *(prose("# Title"), code("import torch", 2.5)),
            *(prose("## 1 Masks\n\ntext"), code("def mask(): ...", 0.25, solution=True)),
            *(code("checks.mask(mask)", 0.5), code("train()", 30), code("never run", 0)),
        ]
    )
    notebook.cells[-1].metadata = {}
    table = cells.table_of(notebook)
    assert table["kinds"] == {"imports": 2.5, "answers": 0.2, "checks": 0.5, "experiments": 30.0}
    assert table["slowest"][0] == {"cell": 5, "section": "1 Masks", "seconds": 30.0}
    tables = {"notebooks": {"01": table}, "date": "today", "machine": "here"}
    assert "| 01 | 2.5 | 0.2 | 0.5 | 30.0 | 33.2 |" in cells.page(tables)
