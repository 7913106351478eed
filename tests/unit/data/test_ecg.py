"""Electrocardiograms: the truth is true, the rhythms are what they say, the numbers never drift."""

from __future__ import annotations

import hashlib
import warnings

import matplotlib
import numpy as np
import pytest

from course_utils.data.ecg import (
    LEADS,
    RATE_RANGES,
    RHYTHMS,
    WAVES,
    make_ecg,
    painting,
    score_r_peaks,
)
from course_utils.data.ecg.noise import Bases

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from course_utils.plots import ecg as pictures


def rr_ms(record, index):
    return np.diff(record.beats(index)) / record.sampling_rate * 1000.0


def test_shapes_dtypes_and_padding():
    record = make_ecg(
        7, duration_s=8.0, sampling_rate=200, rhythm="mixed", leads=("II", "V1"), random_state=0
    )
    assert record.signals.shape == record.clean.shape == (7, 2, 1600)
    assert record.signals.dtype == np.float32
    n_beats = record.r_peaks.shape[1]
    assert record.beat_types.shape == (7, n_beats)
    assert record.wave_peaks.shape == (7, n_beats, 5)
    assert np.array_equal(record.r_peaks == -1, record.beat_types == -1)
    assert np.array_equal(record.wave_peaks[..., 2], record.r_peaks)
    for i in range(7):
        beats = record.beats(i)
        assert (np.diff(beats) > 0).all()
        assert beats.min() >= 0
        assert beats.max() < 1600
        assert (record.r_peaks[i, len(beats) :] == -1).all()
    assert len(record) == 7


def test_no_records():
    record = make_ecg(0, rhythm="mixed", random_state=0)
    assert record.signals.shape == (0, 1, 2500)
    assert record.r_peaks.shape[0] == record.rhythm.shape[0] == 0


def test_same_seed_same_integers_everywhere():
    record = make_ecg(20, rhythm="mixed", leads=("I", "II"), random_state=3)
    integers = b"".join(
        np.ascontiguousarray(values, dtype="<i8").tobytes()
        for values in (record.r_peaks, record.beat_types, record.wave_peaks, record.rhythm)
    )
    assert hashlib.sha256(integers).hexdigest()[:16] == "d72e2c6a2c2f3bd6"
    again = make_ecg(20, rhythm="mixed", leads=("I", "II"), random_state=3)
    assert np.array_equal(record.signals, again.signals)
    from_generator = make_ecg(
        20, rhythm="mixed", leads=("I", "II"), random_state=np.random.default_rng(3)
    )
    assert np.array_equal(record.r_peaks, from_generator.r_peaks)
    assert not np.array_equal(record.rhythm, make_ecg(20, rhythm="mixed", random_state=4).rhythm)


def test_global_random_state_is_left_alone():
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_ecg(3, random_state=0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("bpm", [30, 75, 150, 200])
@pytest.mark.parametrize("rate", [125, 250, 1000])
def test_r_peaks_sit_on_the_tallest_sample(bpm, rate):
    record = make_ecg(4, sampling_rate=rate, heart_rate=bpm, noise="none", random_state=bpm)
    for i in range(4):
        found = len(record.beats(i))
        assert abs(found - bpm / 6) <= 0.1 * bpm / 6 + 1.5
        for beat in record.beats(i):
            low, high = max(0, beat - round(0.05 * rate)), beat + round(0.05 * rate) + 1
            if beat > 0.05 * rate and high <= record.clean.shape[-1]:
                top = low + int(record.clean[i, 0, low:high].argmax())
                assert abs(top - beat) <= max(1, 0.004 * rate)


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_rates_lie_in_their_range(rhythm):
    record = make_ecg(100, rhythm=rhythm, duration_s=20, random_state=1)
    low, high = RATE_RANGES[rhythm]
    assert (record.heart_rate >= low).all()
    assert (record.heart_rate <= high).all()
    measured = np.array([60000.0 / rr_ms(record, i).mean() for i in range(100)])
    assert np.abs(measured / record.heart_rate - 1).mean() < 0.06


def test_fibrillation_is_irregular_and_has_no_p_wave():
    mean_cv = {}
    for rhythm in ("normal", "atrial_fibrillation"):
        record = make_ecg(60, rhythm=rhythm, duration_s=30, random_state=2)
        cv = [rr_ms(record, i).std() / rr_ms(record, i).mean() for i in range(60)]
        mean_cv[rhythm] = np.mean(cv)
        has_p = (record.wave_peaks[..., 0] >= 0).any()
        assert has_p == (rhythm == "normal")
    assert 0.01 < mean_cv["normal"] < 0.08
    assert 0.15 < mean_cv["atrial_fibrillation"] < 0.40


def test_successive_intervals_of_fibrillation_do_not_predict_each_other():
    record = make_ecg(100, rhythm="atrial_fibrillation", duration_s=30, random_state=9)
    pairs = np.concatenate(
        [np.stack([rr[:-1], rr[1:]]) - rr.mean() for rr in (rr_ms(record, i) for i in range(100))],
        axis=1,
    )
    assert abs(np.corrcoef(pairs)[0, 1]) < 0.1


def test_ectopics_come_early_with_a_compensatory_pause():
    record = make_ecg(60, rhythm="ventricular_ectopics", duration_s=20, random_state=3)
    ratio_before, ratio_sum = [], []
    for i in range(60):
        types, rr = record.beat_types[i], rr_ms(record, i)
        ectopic = np.flatnonzero(types == 1)
        assert len(ectopic) >= 1
        assert (np.diff(ectopic) > 1).all()
        usual = 60000.0 / record.heart_rate[i]
        for beat in ectopic:
            if 0 < beat < len(rr):
                ratio_before.append(rr[beat - 1] / usual)
                ratio_sum.append((rr[beat - 1] + rr[beat]) / usual)
    assert 0.5 < np.mean(ratio_before) < 0.75
    assert abs(np.mean(ratio_sum) - 2.0) < 0.05
    assert (record.wave_peaks[..., 0][record.beat_types == 1] == -1).all()


def test_ectopic_beats_are_broad():
    record = make_ecg(40, rhythm="ventricular_ectopics", noise="none", random_state=3)
    widths = {0: [], 1: []}
    for i in range(40):
        for beat, kind in zip(record.beats(i), record.beat_types[i], strict=False):
            if 50 < beat < 2450:
                around = record.clean[i, 0, beat - 25 : beat + 26]
                widths[int(kind)].append((around > 0.5 * around.max()).sum())
    assert np.mean(widths[1]) > 2 * np.mean(widths[0])


def test_qt_follows_fridericia():
    """RT distances of two rates stand in the ratio of the cube roots of their intervals."""
    distance = {}
    for bpm in (50, 100):
        record = make_ecg(20, heart_rate=bpm, duration_s=20, sampling_rate=1000, random_state=4)
        waves = record.wave_peaks[(record.wave_peaks >= 0).all(axis=-1)]
        distance[bpm] = np.mean(waves[:, 4] - waves[:, 1])  # from Q
        assert (np.diff(waves, axis=1) > 0).all(), "P, Q, R, S, T come in this order"
    assert distance[50] / distance[100] == pytest.approx((1.2 / 0.6) ** (1 / 3), rel=0.08)


def test_t_wave_ends_before_the_next_beat_at_200():
    record = make_ecg(5, heart_rate=200, noise="none", random_state=0)
    for i in range(5):
        t, r = record.wave_peaks[i, :, 4], record.wave_peaks[i, :, 2]
        pairs = (t[:-1] >= 0) & (r[1:] >= 0)
        assert (t[:-1][pairs] < r[1:][pairs] - 15).all()


def test_leads_obey_einthoven_and_goldberger():
    record = make_ecg(4, rhythm="mixed", leads=LEADS, noise="none", random_state=0)
    lead = {name: record.clean[:, i] for i, name in enumerate(record.leads)}
    np.testing.assert_allclose(lead["I"] + lead["III"], lead["II"], atol=1e-5)
    np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0.0 * lead["I"], atol=1e-5)


def test_inverted_leads_are_the_negative():
    up = make_ecg(3, noise="none", random_state=1)
    down = make_ecg(3, noise="none", inverted=[True, False, True], random_state=1)
    np.testing.assert_array_equal(down.clean[0], -up.clean[0])
    np.testing.assert_array_equal(down.clean[1], up.clean[1])
    assert down.inverted.tolist() == [True, False, True]


def test_noise_has_the_strength_that_was_asked_for():
    quiet = make_ecg(20, noise="none", random_state=1)
    assert np.array_equal(quiet.signals, quiet.clean)
    noisy = make_ecg(20, noise={"wander": 0.8}, random_state=1)
    wander = noisy.signals - noisy.clean
    np.testing.assert_allclose(np.abs(wander).max(axis=-1), 0.8, rtol=1e-3)
    mains = make_ecg(20, noise={"mains": 0.1, "mains_hz": 60}, random_state=1)
    hum = mains.signals[0, 0] - mains.clean[0, 0]
    assert np.fft.rfftfreq(2500, 1 / 250)[np.abs(np.fft.rfft(hum)).argmax()] == pytest.approx(60)
    assert hum.std() == pytest.approx(0.1 / np.sqrt(2), rel=0.02)
    white = make_ecg(20, noise={"white": 0.1}, random_state=1)
    assert (white.signals - white.clean).std() == pytest.approx(0.1, rel=0.02)


def test_fast_noise_is_normal_and_independent_from_record_to_record():
    record = make_ecg(40, duration_s=20, noise={"white": 0.1}, random_state=2)
    noise = (record.signals - record.clean)[:, 0] / 0.1
    assert abs(noise.mean()) < 0.01
    assert np.mean(noise**4) == pytest.approx(3.0, abs=0.1)
    assert np.abs(noise[:, 0]).max() < 4.0, "no spike where the sinusoids of a spectrum meet"
    across = np.corrcoef(noise) - np.eye(40)
    assert np.abs(across).max() < 0.07
    steps = np.mean(noise[:, 1:] * noise[:, :-1], axis=1)
    assert np.abs(steps).max() < 0.06


@pytest.mark.parametrize("rates", [[30, 240, 200], [60, 75, 110]])
def test_waves_are_added_up_as_a_slow_loop_would(rates):
    """Slow and fast hearts in one call: long and short T waves, which may reach into each other."""
    rng = np.random.default_rng(5)
    kind, n_steps = np.array([0, 4, 0]), 2500
    beats = painting.beat_times(kind, np.array(rates, float), 10.0, 1.0, rng)
    timing = painting.wave_timing(beats)
    size = painting.amplitudes_of(("II", "V1"), 3, None, rng)
    got = np.empty((3, 2, n_steps), dtype=np.float32)
    bases = Bases.of({}, False, n_steps, 250.0)
    painting.render(beats, timing, size, kind, bases, rng, got)
    want, time = np.zeros(got.shape), np.arange(n_steps) / 250.0
    for column, (wave, (centre, width)) in enumerate(timing.items()):
        for i, k in np.ndindex(centre.shape):
            broad = wave in ("V", "VT")
            if broad == beats.ectopic[i, k] and (wave != "P" or beats.has_p[i, k]):
                bell = np.exp(-0.5 * ((time - centre[i, k]) / width[i, k]) ** 2)
                want[i] += size[i, :, column, None] * bell
    np.testing.assert_allclose(got, want, atol=3e-3)  # waves are cut off at a thousandth


def test_muscle_noise_ratio_in_decibels():
    record = make_ecg(30, noise={"muscle_snr_db": 6.0}, random_state=1)
    noise = record.signals - record.clean
    ratio = record.clean.var(axis=-1) / noise.var(axis=-1)
    assert 10 * np.log10(ratio).mean() == pytest.approx(6.0, abs=0.1)
    power = np.abs(np.fft.rfft(noise[:, 0])) ** 2
    low = np.fft.rfftfreq(2500, 1 / 250) < 19.0
    assert power[:, low].sum() < 1e-3 * power.sum()


def test_t_wave_as_a_fraction_of_r():
    record = make_ecg(5, t_to_r=0.5, heart_rate=60, noise="none", random_state=0)
    for i in range(5):
        waves = record.wave_peaks[i][(record.wave_peaks[i] >= 0).all(axis=-1)]
        values = record.clean[i, 0][waves]
        np.testing.assert_allclose(values[:, 4] / values[:, 2], 0.5, atol=0.03)


def test_each_record_may_have_its_own_rhythm_and_rate():
    record = make_ecg(
        3, rhythm=["normal", "tachycardia", "normal"], heart_rate=[60, 150, 80], random_state=0
    )
    assert record.rhythm.tolist() == [0, 2, 0]
    assert record.heart_rate.tolist() == [60.0, 150.0, 80.0]
    assert make_ecg(2, rhythm=np.array([3, 4]), random_state=0).rhythm.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_samples": -1}, "n_samples"),
        ({"n_samples": 2.5}, "n_samples"),
        ({"duration_s": 1.0}, "duration_s"),
        ({"sampling_rate": 50}, "sampling_rate"),
        ({"rhythm": "waltz"}, "waltz"),
        ({"rhythm": ["normal"]}, "rhythm"),
        ({"rhythm": np.array([0, 9])}, "rhythm"),
        ({"leads": ("II", "V9")}, "V9"),
        ({"leads": ()}, "leads"),
        ({"noise": "loud"}, "loud"),
        ({"noise": {"hum": 1.0}}, "hum"),
        ({"heart_rate": 10}, "heart_rate"),
        ({"heart_rate": [60, 70, 80]}, "heart_rate"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_ecg(**({"n_samples": 2, "random_state": 0} | arguments))


def test_duration_need_not_be_whole_seconds():
    assert make_ecg(1, duration_s=2.5, sampling_rate=360, random_state=0).signals.shape[-1] == 900


# ------------------------------------------------------------------ scoring


def test_scores_by_hand():
    true = [100, 200, 300, 400]
    score = score_r_peaks(true, [102, 198, 305, 350], 1000, tolerance_ms=10)
    assert score["sensitivity"] == 0.75
    assert score["precision"] == 0.75
    assert score["offset_ms"] == 2.0


def test_a_true_beat_is_found_once():
    score = score_r_peaks([100], [95, 100, 105], 1000, tolerance_ms=10)
    assert (score["sensitivity"], score["matched"], score["found"]) == (1.0, 1, 3)
    assert score["offset_ms"] == 0.0


def test_edges_are_not_scored():
    score = score_r_peaks([50, 500, 950], [500, 951], 1000, edge_ms=100, n_steps=1000)
    assert (score["true"], score["found"], score["matched"]) == (1, 1, 1)
    score = score_r_peaks([95, 500], [105, 500], 1000, edge_ms=100, n_steps=1000, tolerance_ms=50)
    assert (score["true"], score["found"]) == (1, 1), "a beat across the border is nobody's fault"


def test_nothing_found_and_nothing_there():
    score = score_r_peaks([100, 200], [], 1000)
    assert score["sensitivity"] == 0.0
    assert np.isnan(score["precision"])
    assert np.isnan(score_r_peaks([], [5], 1000)["sensitivity"])
    assert score_r_peaks([], [5], 1000)["precision"] == 0.0


def matched_by_table(true, found, tolerance):
    """How many pairs: the table of all by all, nearest first."""
    gaps = np.abs(np.subtract.outer(found, true))
    used_found, used_true = set(), set()
    for flat in np.argsort(gaps, axis=None, kind="stable"):
        i, j = divmod(int(flat), len(true))
        if gaps[i, j] <= tolerance and i not in used_found and j not in used_true:
            used_found.add(i)
            used_true.add(j)
    return len(used_found)


@pytest.mark.parametrize("seed", range(20))
def test_score_matches_as_the_table_of_all_pairs_does(seed):
    rng = np.random.default_rng(seed)
    true, found = rng.integers(0, 300, 30), rng.integers(0, 300, 25)  # unsorted, with ties
    score = score_r_peaks(true, found, 1000, tolerance_ms=8)
    assert score["matched"] == matched_by_table(true, found, 8)


def test_a_record_of_a_whole_day_is_scored():
    true = np.cumsum(np.random.default_rng(0).integers(200, 400, 100_000))
    score = score_r_peaks(true, true + 3, 360)  # a table of all pairs would take 80 GB
    assert score["matched"] == 100_000
    assert score["offset_ms"] == pytest.approx(3 / 360 * 1000)


# ------------------------------------------------------------------ pictures


def test_pictures_are_labelled():
    record = make_ecg(1, leads=("I", "II", "V1"), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = pictures.ecg_paper(record.signals[0], 250, leads=record.leads, duration_s=4)
        assert "25 mm/s" in ax.get_xlabel()
        assert "10 mm/mV" in ax.get_ylabel()
        assert ax.get_aspect() == pytest.approx(0.4), "squares of the paper are square"
        ax = pictures.ecg_paper(record.signals[0, 1], 250, duration_s=3, start_s=2)
        pictures.mark_waves(
            ax,
            record.signals[0, 1],
            250,
            {w: record.wave_peaks[0, :, k] for k, w in enumerate(WAVES)},
        )
        assert [t.get_text() for t in ax.get_legend().get_texts()] == list(WAVES)
        ax = pictures.spectra({"raw": record.signals[0, 0]}, 250, band=(0.5, 40))
        assert ax.get_xlabel() == "frequency in Hz"
        ax = pictures.tachogram({"beats": record.beats(0)}, 250)
        assert ax.get_ylabel().endswith("ms")
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
        plt.close("all")


def test_the_worst_strip_shows_what_is_wrong():
    signal = np.sin(np.arange(20_000) / 30.0)
    true = np.arange(100, 20_000, 400)
    found = np.delete(true, [30, 32]) + 3  # two missed near sample 12,500
    found = np.sort(np.append(found, 12_600))
    ax = pictures.worst_strip(signal, 250, true, found)
    lines = {line.get_label(): np.rint(line.get_xdata() * 250) for line in ax.get_lines()}
    assert lines["found, wrong"].tolist() == [12_600]
    assert {12_100, 12_900} < set(lines["annotated"])
    assert 12_600 in lines["found"]
    assert ax.get_ylabel() == "mV"
    right = pictures.worst_strip(signal, 250, true, true)
    assert right.get_xlim()[0] < 0.1, "nothing is wrong: the beginning is shown"
    pictures.worst_strip(signal[:500], 250, true[:1], np.zeros(0, dtype=np.int64))
    plt.close("all")
