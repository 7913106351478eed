"""Reading annotated records from a folder, as `wfdb` writes them."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest

from classroom.authoring.source import read_source
from course_utils.data.ecg import make_ecg
from course_utils.data.ecg.records import read_record

wfdb = pytest.importorskip("wfdb")
matplotlib.use("Agg")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A record of two leads with beats, an ectopic beat and marks that are not beats."""
    path = tmp_path_factory.mktemp("records")
    made = make_ecg(
        1,
        duration_s=20,
        sampling_rate=360,
        rhythm="ventricular_ectopics",
        leads=("II", "V1"),
        random_state=0,
    )
    wfdb.wrsamp(
        "100",
        fs=360,
        units=["mV", "mV"],
        sig_name=["MLII", "V1"],
        fmt=["16", "16"],
        p_signal=made.signals[0].T.astype(np.float64),
        write_dir=str(path),
    )
    beats = made.beats(0)
    symbols = ["V" if kind == 1 else "N" for kind in made.beat_types[0, : len(beats)]]
    sample = np.concatenate([[18], beats + (beats == 18)])
    order = np.argsort(sample, kind="stable")
    names = np.array(["+", *symbols])
    wfdb.wrann("100", "atr", sample[order], symbol=names[order].tolist(), write_dir=str(path))
    return path, made


def test_a_local_record_comes_back(folder):
    path, made = folder
    record = read_record("100", folder=path, duration_s=None)
    assert record.sampling_rate == 360
    assert record.leads == ("MLII", "V1")
    np.testing.assert_allclose(record.signals, made.signals, atol=1e-3)
    np.testing.assert_array_equal(record.beats(0), made.beats(0))
    np.testing.assert_array_equal(record.beat_types[0], made.beat_types[0][: len(made.beats(0))])
    assert len(record) == 1


def test_a_part_of_a_record_counts_from_its_start(folder):
    path, made = folder
    record = read_record("100", folder=path, start_s=5.0, duration_s=6.0)
    assert record.signals.shape == (1, 2, 6 * 360)
    beats = made.beats(0)
    inside = beats[(beats >= 1800) & (beats < 1800 + 2160)]
    np.testing.assert_array_equal(record.beats(0), inside - 1800)


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="999"):
        read_record("999", folder=tmp_path)


# ------------------------------------------------------------------ the notebook's own cells


def run_record_cells(folder, monkeypatch):
    """Run the cells of notebook 03 that read a record; return what is drawn and what was read."""
    import matplotlib.pyplot as plt

    monkeypatch.setenv("COURSE_ECG_FOLDER", str(folder))
    wanted = ("def preprocess_ecg", "def detect_r_peaks", "RECORD_FOLDER =", "def try_on_record")
    source = read_source(ROOT, "03_multimodal_fusion_ecg")
    names, titles = {"__name__": "notebook"}, []
    exec(source.imports, names)
    plt.close("all")  # what other tests left open is not this notebook's
    with monkeypatch.context() as patch:
        patch.setattr(plt, "show", lambda: titles.extend(a.get_xlabel() for a in axes_and_close()))
        for cell in source.notebook.cells:
            if cell.cell_type == "code" and cell.source.lstrip("# \n").startswith(wanted):
                exec(cell.source, names)
    return titles, names["real"]


def axes_and_close():
    import matplotlib.pyplot as plt

    axes = [ax for number in plt.get_fignums() for ax in plt.figure(number).axes]
    plt.close("all")
    return axes


def test_the_notebook_draws_and_scores_a_local_record(folder, monkeypatch, capsys):
    path, made = folder
    drawn, real = run_record_cells(path, monkeypatch)
    assert drawn == ["time in s (25 mm/s)", "time in s", "frequency in Hz"]
    np.testing.assert_array_equal(real.beats(0), made.beats(0))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in lines] == ["50 ms:", "150 ms"]
    assert "sensitivity 1, precision 1" in lines[0]


def test_the_notebook_skips_a_missing_record_in_one_line(tmp_path, monkeypatch, capsys):
    drawn, real = run_record_cells(tmp_path, monkeypatch)
    assert real is None
    assert drawn == []
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("The real record is skipped: ")
