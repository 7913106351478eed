"""Patients with several modalities: the ceilings are right, the seeds agree, gaps are gaps."""

from __future__ import annotations

import hashlib
from itertools import chain, combinations

import numpy as np
import pytest

from course_utils.data.patients import (
    FACTS,
    LABELS,
    MODALITIES,
    TABLE_COLUMNS,
    best_accuracy,
    make_patients,
)

SUBSETS = list(chain.from_iterable(combinations(MODALITIES, k) for k in range(4)))


@pytest.fixture(scope="module")
def patients():
    return make_patients(
        150, random_state=0, with_text=True, missing=0.3, image_size=32, duration_s=4.0
    )


def test_shapes_and_gaps(patients):
    assert patients.table.shape == (150, len(TABLE_COLUMNS))
    assert patients.films.shape == (150, 1, 32, 32)
    assert patients.ecg.shape == (150, 500)
    assert patients.facts.shape == (150, len(FACTS))
    for column, values in enumerate((patients.table, patients.films, patients.ecg)):
        there = patients.available[:, column]
        flat = values.reshape(150, -1)
        assert np.isfinite(flat[there]).all()
        assert np.isnan(flat[~there]).all()
        assert 0.15 < (~there).mean() < 0.45
    assert len(patients) == len(patients.texts) == 150


def test_facts_are_what_the_modalities_show():
    everyone = make_patients(400, random_state=1, image_size=32, duration_s=8.0)
    lactate = everyone.table[:, TABLE_COLUMNS.index("lactate")]
    assert ((lactate > 2.2) == everyone.facts[:, 0]).mean() > 0.98
    assert np.array_equal(
        everyone.table[:, TABLE_COLUMNS.index("drug_b")] == 1, everyone.facts[:, 1]
    )
    assert np.array_equal(everyone.film_truth.present[:, [1, 3]].any(axis=1), everyone.facts[:, 2])
    assert np.array_equal(everyone.ecg_truth.rhythm == 3, everyone.facts[:, 3])
    assert set(everyone.ecg_truth.rhythm.tolist()) == {0, 3}


def test_facts_are_even_and_independent():
    """The ceilings assume this, for the films as they are drawn."""
    facts = make_patients(6000, random_state=2, modalities=["table"], image_size=32).facts
    assert np.abs(facts.mean(axis=0) - 0.5).max() < 0.03
    assert np.abs(np.corrcoef(facts.T) - np.eye(4)).max() < 0.05


@pytest.mark.parametrize("label", list(LABELS))
@pytest.mark.parametrize("seen", SUBSETS)
def test_best_accuracy_is_what_the_best_rule_reaches(label, seen):
    """Look up the majority outcome of each pattern of visible facts in a large sample."""
    visible = {"table": (0, 1), "film": (2,), "ecg": (3,)}
    columns = [c for name in seen for c in visible[name]]
    rng = np.random.default_rng(3)
    facts = rng.random((40_000, 4)) < 0.5
    sign = np.where(facts, 1.0, -1.0)
    score = np.zeros(len(facts))
    for names, weight in LABELS[label].items():
        score += weight * np.prod([sign[:, FACTS.index(n)] for n in names], axis=0)
    outcome = rng.random(len(facts)) < 1 / (1 + np.exp(-score))
    code = (facts[:, columns] * (2 ** np.arange(len(columns)))).sum(axis=1).astype(int)
    share = np.bincount(code, outcome, minlength=16) / np.maximum(
        np.bincount(code, minlength=16), 1
    )
    reached = ((share[code] > 0.5) == outcome).mean()
    assert best_accuracy(label, seen) == pytest.approx(reached, abs=0.012)


def test_ceilings_tell_the_story():
    assert best_accuracy("interaction", ["table"]) == pytest.approx(0.5)
    assert best_accuracy("interaction", ["film"]) == pytest.approx(0.5)
    assert best_accuracy("interaction") == pytest.approx(1 / (1 + np.exp(-2.2)))
    assert best_accuracy("film_useless", ["table", "ecg"]) == best_accuracy("film_useless")
    for label in LABELS:
        for small in SUBSETS:
            assert best_accuracy(label, small) <= best_accuracy(label) + 1e-12


def test_outcomes_follow_the_chances():
    many = make_patients(4000, random_state=4, label="mixed", modalities=["table"], image_size=32)
    for low in (0.0, 0.25, 0.5, 0.75):
        rows = (many.probability >= low) & (many.probability < low + 0.25)
        if rows.any():
            assert many.outcome[rows].mean() == pytest.approx(
                many.probability[rows].mean(), abs=0.05
            )


def test_same_seed_same_patients_whatever_is_asked(patients):
    other = make_patients(150, random_state=0, label="additive", image_size=32, duration_s=4.0)
    there = patients.available.all(axis=1)
    np.testing.assert_array_equal(other.facts, patients.facts)
    np.testing.assert_array_equal(other.table[there], patients.table[there])
    np.testing.assert_array_equal(other.films[there], patients.films[there])
    np.testing.assert_array_equal(other.ecg[there], patients.ecg[there])
    short = make_patients(150, random_state=0, modalities=["table"], image_size=32)
    np.testing.assert_array_equal(short.facts, patients.facts)
    assert short.films is None
    assert short.ecg is None
    assert short.texts is None


def test_integers_never_drift(patients):
    integers = b"".join(
        np.ascontiguousarray(v, dtype="<i8").tobytes()
        for v in (patients.facts, patients.available, patients.outcome)
    )
    assert hashlib.sha256(integers).hexdigest()[:16] == "93af500328f77768"


def test_texts_say_what_is_there_and_only_that(patients):
    for text, (table, film, ecg), facts in zip(
        patients.texts, patients.available, patients.facts, strict=True
    ):
        assert ("lactate" in text) == table
        assert ("film:" in text) == film
        assert ("ecg:" in text) == ecg
        if ecg:
            assert ("fibrillation" in text) == facts[3]


def test_nobody():
    nobody = make_patients(0, random_state=0, with_text=True)
    assert len(nobody) == 0
    assert nobody.ecg.shape == (0, 1250)
    assert nobody.texts == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_samples": -1}, "n_samples"),
        ({"label": "xor"}, "xor"),
        ({"modalities": ["mri"]}, "mri"),
        ({"missing": 1.5}, "missing"),
        ({"missing": {"mri": 0.1}}, "mri"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_patients(**({"n_samples": 2, "random_state": 0} | arguments))
    if "label" in arguments or "modalities" in arguments:
        with pytest.raises(ValueError, match=words):
            best_accuracy(arguments.get("label", "mixed"), arguments.get("modalities", ()))
