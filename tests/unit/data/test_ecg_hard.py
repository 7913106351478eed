"""Records that are hard for a detector: their truth is where it is said to be."""

import numpy as np
import pytest

from course_utils.data.ecg import HARD_KINDS, make_hard_ecg

RATE = 250.0


@pytest.mark.parametrize("kind", HARD_KINDS)
def test_shapes_and_seeds(kind):
    a, b = (make_hard_ecg(kind, 2, random_state=3) for _ in range(2))
    assert a.signals.shape == (2, 1, 5000)
    assert np.array_equal(a.signals, b.signals)
    assert np.isfinite(a.signals).all()
    assert np.array_equal(a.beat_types >= 0, a.r_peaks >= 0)
    for i in range(2):
        beats = a.beats(i)
        assert (np.diff(beats) > 0).all()
        assert beats[-1] < 5000


def test_pauses_are_long():
    record = make_hard_ecg("pauses", 3, random_state=1)
    for i in range(3):
        assert (np.diff(record.beats(i)) > 3.0 * RATE).sum() == 2


def test_a_spike_before_each_beat():
    record = make_hard_ecg("pacing spikes", 1, random_state=1)
    at = record.beats(0) - round(0.18 * RATE)
    assert (record.clean[0, 0, at[at >= 0]] > 4.5).all()


def test_nothing_is_true_while_the_lead_is_off():
    record = make_hard_ecg("lead off", 2, random_state=1)
    for i in range(2):
        off = np.flatnonzero(record.clean[i, 0] == 4.0)
        assert len(off) == 4 * RATE
        assert not np.isin(record.beats(i), off).any()


def test_bigeminy_is_early_and_late_in_turn():
    record = make_hard_ecg("bigeminy", 3, random_state=1)
    for i in range(3):
        gaps = np.diff(record.beats(i))
        assert (gaps[0:-1:2] < gaps[1::2]).all()
        assert (record.beat_types[i, 1 : len(gaps) : 2] == 1).all()


def test_st_elevation_stays_high_behind_r():
    record = make_hard_ecg("ST elevation", 1, random_state=1)
    lead, beats = record.clean[0, 0], record.beats(0)[1:-1]
    assert (lead[beats + 50] > 0.7 * lead[beats]).all()


@pytest.mark.parametrize(
    ("kind", "n", "seconds"), [("flutter", 1, 20.0), ("pauses", 0, 20.0), ("pauses", 1, 10.0)]
)
def test_bad_input(kind, n, seconds):
    with pytest.raises(ValueError, match="wanted"):
        make_hard_ecg(kind, n, duration_s=seconds)
