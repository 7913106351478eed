"""The model answer's R-peak detector on records as bad as real ones: artefacts, ectopic beats."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal as sps

from classroom.authoring.source import read_source
from course_utils.data.ecg import make_ecg, make_hard_ecg, score_r_peaks

ROOT = Path(__file__).resolve().parents[3]
RATE = 360.0
SECONDS = 90


@pytest.fixture(scope="module")
def detect():
    exercise = read_source(ROOT, "03_multimodal_fusion_ecg").exercises["detect_r_peaks"]
    names = {"np": np, "pd": pd, "sps": sps}
    exec(exercise.answer, names)
    return names["detect_r_peaks"]


def drawn(seed, **settings):
    settings = {"noise": "light", "heart_rate": 75} | settings
    made = make_ecg(1, duration_s=SECONDS, sampling_rate=RATE, random_state=seed, **settings)
    return made, made.signals[0, 0].astype(np.float64), made.beats(0)


def bells(n_steps, places, width_s):
    time_s = (np.arange(n_steps)[:, None] - np.asarray(places)[None]) / RATE
    return np.exp(-0.5 * (time_s / width_s) ** 2).sum(axis=1)


def scores(detect, signal, beats):
    found = detect(signal, RATE)
    assert found.dtype.kind == "i"
    assert (np.diff(found) > 0).all()
    score = score_r_peaks(beats, found, RATE, edge_ms=200, n_steps=len(signal))
    return np.array([score["matched"], score["true"], score["found"]])


def pooled(detect, make):
    matched, true, found = sum(scores(detect, *make(seed)) for seed in (1, 2, 3))
    return matched / true, matched / found


# ---------------------------------------------------------------- where nothing may be lost


def converter_counts(seed):
    _, x, beats = drawn(seed, noise="ward")
    return np.rint(1024 + 200 * x).astype(np.int16), beats


def low_voltage(seed):
    made, _, beats = drawn(seed, noise="none")
    noise = 0.01 * np.random.default_rng(seed).standard_normal(made.clean.shape[-1])
    return 0.15 * made.clean[0, 0] + noise, beats


def tall_t_waves(seed):
    return drawn(seed, t_to_r=0.9, heart_rate=45)[1:]


def tall_p_waves(seed):
    made, x, beats = drawn(seed)
    p = made.wave_peaks[0, :, 0]
    return x + 0.4 * bells(len(x), p[p >= 0], 0.022), beats


def clipped_tops(seed):
    _, x, beats = drawn(seed)
    return np.clip(x, -0.6, 0.6), beats


def fading_lead(seed):
    _, x, beats = drawn(seed)
    x[len(x) // 2 :] *= 0.25
    return x, beats


def lead_comes_back(seed):
    _, x, beats = drawn(seed)
    x[: len(x) // 2] *= 0.2
    return x, beats


def lead_off_for_eight_seconds(seed):
    _, x, beats = drawn(seed)
    start, end = round(40 * RATE), round(48 * RATE)
    x[start:end] = 0.0
    return x, beats[(beats < start) | (beats > end)]


def lead_off_for_most_of_the_time(seed):
    _, x, beats = drawn(seed)
    end = round(0.6 * len(x))
    x[:end] = 0.0
    return x, beats[beats > end]


def pauses_of_three_seconds(seed):
    _, x, beats = drawn(seed)
    rest = round(3 * RATE)
    for k in (80, 50, 20):
        middle = (beats[k] + beats[k + 1]) // 2
        quiet = 0.01 * np.random.default_rng(seed + k).standard_normal(rest)
        x = np.concatenate([x[:middle], x[middle] + quiet, x[middle:]])
        beats = np.concatenate([beats[: k + 1], beats[k + 1 :] + rest])
    return x, beats


def bundle_branch_block(seed):
    made, x, beats = drawn(seed)
    wide = bells(len(x), beats, 0.030) - 0.35 * bells(len(x), beats + 100, 0.06)
    return wide + x - made.clean[0, 0], beats


def small_ectopic_beats(seed):
    made, x, beats = drawn(seed, rhythm="ventricular_ectopics")
    return x - 0.4 * bells(len(x), beats[made.beat_types[0] == 1], 0.032), beats


def tall_ectopic_beats(seed):
    made, x, beats = drawn(seed, rhythm="ventricular_ectopics")
    return x + 2.0 * bells(len(x), beats[made.beat_types[0] == 1], 0.032), beats


def ectopic_beats_upside_down(seed):
    made, x, beats = drawn(seed, rhythm="ventricular_ectopics")
    return x - 2.8 * bells(len(x), beats[made.beat_types[0] == 1], 0.032), beats


def ectopic_beats_in_v5(seed):
    return drawn(seed, rhythm="ventricular_ectopics", leads=("V5",))[1:]


def fibrillation(seed):
    return drawn(seed, rhythm="atrial_fibrillation", heart_rate=110)[1:]


def atrial_pacing(seed):
    made = make_hard_ecg("pacing spikes", 1, duration_s=60, sampling_rate=RATE, random_state=seed)
    return made.signals[0, 0].astype(np.float64), made.beats(0)


def ventricular_tachycardia(seed):
    """Broad complexes at 180 a minute, T waves that run into them."""
    rng = np.random.default_rng(seed)
    beats = np.rint(RATE * (0.5 + np.arange(165) / 3 + 0.004 * rng.normal(size=165))).astype(int)
    size = round(56 * RATE)
    x = bells(size, beats, 0.045) - 0.5 * bells(size, beats + round(0.15 * RATE), 0.06)
    return x + 0.02 * rng.standard_normal(size), beats


def muscle_bursts(seed):
    _, x, beats = drawn(seed)
    rng = np.random.default_rng(seed)
    for start in rng.integers(0, len(x) - 1080, 4):
        x[start : start + 1080] += 0.25 * rng.standard_normal(1080)
    return x, beats


@pytest.mark.parametrize(
    "make",
    [
        converter_counts,
        low_voltage,
        tall_t_waves,
        tall_p_waves,
        clipped_tops,
        fading_lead,
        lead_comes_back,
        lead_off_for_eight_seconds,
        lead_off_for_most_of_the_time,
        pauses_of_three_seconds,
        bundle_branch_block,
        small_ectopic_beats,
        tall_ectopic_beats,
        ectopic_beats_upside_down,
        ectopic_beats_in_v5,
        fibrillation,
        atrial_pacing,
        ventricular_tachycardia,
        muscle_bursts,
    ],
    ids=lambda make: make.__name__,
)
def test_finds_the_beats_of_a_difficult_record(detect, make):
    sensitivity, precision = pooled(detect, make)
    assert sensitivity >= 0.99
    assert precision >= (0.98 if make is muscle_bursts else 0.99)  # a burst costs a mark or two


# ---------------------------------------------------------------- where an artefact costs a beat


def baseline_steps(seed):
    _, x, beats = drawn(seed)
    rng = np.random.default_rng(seed)
    for start in rng.integers(0, len(x), 6):
        x[start:] += rng.choice([-5, -3, 3, 5])
    return x, beats


def electrode_pops(seed):
    _, x, beats = drawn(seed)
    rng = np.random.default_rng(seed)
    for start in rng.integers(0, len(x) - 360, 6):
        x[start : start + 360] += rng.choice([-1, 1]) * 10 * np.exp(-np.arange(360) / 40)
    return x, beats


@pytest.mark.parametrize("make", [baseline_steps, electrode_pops], ids=lambda make: make.__name__)
def test_an_artefact_costs_no_more_than_about_a_beat(detect, make):
    for seed in (1, 2, 3):
        matched, true, found = scores(detect, *make(seed))
        assert true - matched <= 6
        assert found - matched <= 9


def test_as_much_white_noise_as_signal_costs_no_beats(detect):
    """0 dB on the scale of the noise stress test: the noise's power is (height of QRS)² / 8."""

    def shaken(seed):
        made, _, beats = drawn(seed)
        x = made.clean[0, 0].astype(np.float64)
        height = np.median([np.ptp(x[max(0, i - 18) : i + 18]) for i in beats])
        return x + height / 8**0.5 * np.random.default_rng(seed).standard_normal(len(x)), beats

    sensitivity, precision = pooled(detect, shaken)
    assert sensitivity >= 0.97
    assert precision >= 0.68


def test_noise_at_the_start_does_not_spoil_the_rest(detect):
    for seed in (1, 2, 3):
        _, x, beats = drawn(seed)
        noisy = round(6 * RATE)
        x[:noisy] += 4.0 * np.random.default_rng(seed).standard_normal(noisy)
        found = detect(x, RATE)
        after = noisy + round(0.3 * RATE)
        score = score_r_peaks(beats[beats > after], found[found > after], RATE)
        assert score["sensitivity"] >= 0.99
        assert score["precision"] >= 0.99


def test_saturation_does_not_spoil_the_rest(detect):
    for seed in (1, 2, 3):
        _, x, beats = drawn(seed)
        start, end = round(20 * RATE), round(24 * RATE)
        x[start:end] = 5.0
        found = detect(x, RATE)
        true, marked = (v[(v < start - RATE) | (v > end + RATE)] for v in (beats, found))
        score = score_r_peaks(true, marked, RATE)
        assert score["sensitivity"] == score["precision"] == 1.0


# ---------------------------------------------------------------- edges


def test_half_an_hour_takes_seconds(detect):
    made = make_ecg(1, duration_s=1800, sampling_rate=RATE, noise="ward", random_state=9)
    start = time.process_time()
    found = detect(made.signals[0, 0], RATE)
    assert time.process_time() - start < 5.0
    assert abs(len(found) - len(made.beats(0))) <= 2


@pytest.mark.parametrize("line", [np.zeros(2500), np.full(2500, 1024), np.arange(2500) * 0.1 + 5])
def test_a_line_has_no_beats(detect, line):
    assert len(detect(line, 250.0)) == 0


def test_noise_alone_raises_nothing(detect):
    found = detect(np.random.default_rng(0).standard_normal(1250), 250.0)
    assert (np.diff(found) > 0).all()


def test_the_input_is_left_alone(detect):
    _, x, _ = drawn(1)
    before = x.copy()
    detect(x, RATE)
    assert np.array_equal(x, before)
