"""The model answer's detector on four real records, where they lie beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal as sps

from classroom.authoring.source import read_source
from course_utils.data.ecg import read_record, score_r_peaks, score_records

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT.parent / "shared" / "data" / "mitdb"
# record -> lowest sensitivity and precision of the first lead, in per cent, at 50 and at 150 ms
FLOORS = {
    "100": ((99.9, 99.9), (99.9, 99.9)),
    "114": ((99.8, 99.5), (99.8, 99.5)),
    "207": ((99.3, 84.5), (99.5, 84.5)),
    "217": ((99.2, 99.2), (99.8, 99.8)),
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


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no real records beside the project")
def test_outside_flutter_four_records_reach_the_goal(detect):
    pytest.importorskip("wfdb")
    first = score_records(detect, FOLDER).xs(1, level="channel")
    for tolerance, goal in ((50, 0.993), (150, 0.998)):
        missed, false, flutter = (
            first[f"{what}, {tolerance} ms"].sum() for what in ("missed", "false", "in flutter")
        )
        hits = first["beats"].sum() - missed
        assert hits / (hits + missed) >= goal
        assert hits / (hits + false - flutter) >= goal
