"""The model answer's detector on four real records, where they lie beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal as sps

from classroom.authoring.source import read_source
from course_utils.data.ecg import read_record, score_r_peaks

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT.parent / "shared" / "data" / "mitdb"
# record -> lowest sensitivity and precision of the first lead, in per cent, at 50 and at 150 ms
FLOORS = {
    "100": ((99.9, 99.9), (99.9, 99.9)),
    "114": ((99.0, 90.0), (99.0, 90.0)),
    "207": ((98.0, 80.0), (99.0, 81.0)),
    "217": ((85.0, 85.0), (99.7, 99.7)),
}


@pytest.fixture(scope="module")
def detect():
    exercise = read_source(ROOT, "03_multimodal_fusion_ecg").exercises["detect_r_peaks"]
    names = {"np": np, "pd": pd, "sps": sps}
    exec(exercise.answer, names)
    return names["detect_r_peaks"]


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no real records beside the project")
@pytest.mark.parametrize("name", FLOORS)
def test_a_whole_record(detect, name):
    pytest.importorskip("wfdb")
    record = read_record(name, folder=FOLDER, duration_s=None)
    found = detect(record.signals[0, 0], record.sampling_rate)
    for tolerance, floors in zip((50.0, 150.0), FLOORS[name], strict=True):
        score = score_r_peaks(record.beats(0), found, record.sampling_rate, tolerance_ms=tolerance)
        assert 100 * score["sensitivity"] >= floors[0]
        assert 100 * score["precision"] >= floors[1]
