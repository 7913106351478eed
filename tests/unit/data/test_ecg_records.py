"""Reading annotated records from a folder, as `wfdb` writes them."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest

from classroom.authoring.source import read_source
from course_utils.data.ecg import make_ecg
from course_utils.data.ecg.records import flutter_episodes, read_record, score_records

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


# ------------------------------------------------------------------ records that do not fit


def write_record(path, name="bad", *, rate=360, units="mV", signal=None, marks=((100, "N"),)):
    """One lead of 10 s, or `signal`, with marks."""
    signal = np.sin(np.arange(10 * rate) / 20.0) if signal is None else signal
    wfdb.wrsamp(
        name,
        fs=rate,
        units=[units],
        sig_name=["X"],
        fmt=["16"],
        p_signal=np.asarray(signal, dtype=np.float64)[:, None],
        write_dir=str(path),
    )
    if marks:
        sample, symbols = zip(*marks, strict=True)
        wfdb.wrann("bad", "atr", np.array(sample), symbol=list(symbols), write_dir=str(path))


def test_other_voltages_become_millivolts(tmp_path):
    write_record(tmp_path, units="uV", signal=1000.0 * np.sin(np.arange(3600) / 20.0))
    record = read_record("bad", folder=tmp_path)
    assert np.abs(record.signals).max() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("spoil", "part", "error", "words"),
    [
        ({"marks": ()}, {}, FileNotFoundError, "no annotations of 'bad'"),
        ({"units": "mmHg"}, {}, ValueError, "no voltage, its units are mmHg"),
        ({"signal": np.r_[np.zeros(500), np.nan, np.ones(500)]}, {}, ValueError, "1 samples are"),
        ({}, {"start_s": 10.0}, ValueError, "lasts 10 s"),
        ({}, {"start_s": -1.0}, ValueError, "lasts 10 s"),
        ({}, {"duration_s": 0.0}, ValueError, "lasts 10 s"),
    ],
    ids=["no annotations", "pressure", "gap", "behind the end", "before the start", "nothing"],
)
def test_a_record_that_does_not_fit_is_named_in_one_line(tmp_path, spoil, part, error, words):
    write_record(tmp_path, **spoil)
    with pytest.raises(error, match=words) as raised:
        read_record("bad", folder=tmp_path, **part)
    assert "bad" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"rate": 100}, "100 Hz, wanted 125 to 1000"),
        ({"rate": 2000}, "2000 Hz, wanted 125 to 1000"),
        ({"signal": np.sin(np.arange(1400) / 9.0)}, "lasts 3.9 s, wanted at least 5"),
        ({"marks": ((100, "+"),)}, "nobody marked a beat"),
        ({"marks": ()}, "no annotations"),
    ],
    ids=["slow", "fast", "short", "no beats", "no annotations"],
)
def test_the_table_skips_a_record_in_one_line(folder, tmp_path, capsys, spoil, words):
    path, made = folder
    for file in path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_record(tmp_path, **spoil)
    table = score_records(lambda lead, rate: made.beats(0), tmp_path)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("bad is skipped: ")
    assert words in line
    assert table.index.tolist() == [("100", 1, "MLII"), ("100", 2, "V1")]
    assert (table["missed, 50 ms"] == 0).all()
    assert (table["false, 50 ms"] == 0).all()


def test_an_empty_folder_gives_an_empty_table(tmp_path):
    assert score_records(lambda lead, rate: np.array([1]), tmp_path).empty


def test_false_marks_in_flutter_are_counted_apart(tmp_path):
    marks = ((500, "N"), (1000, "["), (1200, "!"), (2000, "]"), (2500, "N"), (3000, "["))
    write_record(tmp_path, marks=marks)
    episodes = flutter_episodes("bad", tmp_path)
    assert episodes[0].tolist() == [1000, 2000]
    assert episodes[1, 0] == 3000
    assert episodes[1, 1] > 3600
    table = score_records(lambda lead, rate: np.array([500, 1200, 1500, 2300, 3300]), tmp_path)
    row = table.loc[("bad", 1, "X")]
    assert row["beats"] == 2
    assert row[["missed, 50 ms", "false, 50 ms", "in flutter, 50 ms"]].tolist() == [1, 4, 3]
    assert row[["missed, 150 ms", "false, 150 ms"]].tolist() == [1, 4]


# ------------------------------------------------------------------ the notebook's own cells


def run_record_cells(folder, monkeypatch):
    """Run the cells of notebook 03 that read a record; return what is drawn and what was read."""
    import matplotlib.pyplot as plt

    monkeypatch.setenv("COURSE_ECG_FOLDER", str(folder))
    wanted = (
        "def preprocess_ecg",
        "def detect_r_peaks",
        "RECORD_FOLDER =",
        "def try_on_record",
        "def pooled_over_records",
        "def whole_records",
    )
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
    scores = [line for line in lines if line.startswith(("50 ms:", "150 ms"))]
    assert [line[:6] for line in scores] == ["50 ms:", "150 ms"] * 2
    assert "sensitivity 1, precision 1" in scores[0]
    assert "1 records, first lead" in lines
    assert "sensitivity 100.00 (100.0-100.0), precision 100.00 (100.0-100.0)" in scores[2]


def test_the_notebook_skips_a_missing_record_in_one_line(tmp_path, monkeypatch, capsys):
    drawn, real = run_record_cells(tmp_path, monkeypatch)
    assert real is None
    assert drawn == []
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("The real record is skipped: ")
    assert lines[1].startswith("The table of whole records is skipped: ")
