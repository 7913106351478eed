"""Intervals and accuracy by assertion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from course_utils import metrics


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (10, 10), (7, 20), (990, 1000)])
def test_wilson_interval_is_scipys(hits, total):
    expected = stats.binomtest(hits, total).proportion_ci(method="wilson")
    got = metrics.wilson_interval(hits, total)
    assert got == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_wilson_interval_of_nothing_and_of_nonsense():
    assert all(map(math.isnan, metrics.wilson_interval(0, 0)))
    with pytest.raises(ValueError, match="hits=3"):
        metrics.wilson_interval(3, 2)


def test_bootstrap_interval_covers_the_mean():
    x = np.random.default_rng(0).normal(size=200)
    low, high = metrics.bootstrap_interval(np.mean, x, n_boot=500)
    assert low < x.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(200), rel=0.2)
    assert (low, high) == metrics.bootstrap_interval(np.mean, x, n_boot=500)
    with pytest.raises(ValueError, match="rows"):
        metrics.bootstrap_interval(lambda a, b: 0.0, x, x[:3])


def test_spread():
    assert metrics.spread([0.5, 0.7], digits=2) == "0.60 (0.50-0.70)"
    with pytest.raises(ValueError, match="empty"):
        metrics.spread([])


def test_assertion_accuracy_by_hand():
    labels = np.array([[1, 0, 0], [0, 0, 0]])
    mentioned = np.array([[1, 1, 0], [1, 0, 0]])
    predictions = np.array([[1, 1, 0], [0, 0, 1]])
    got = metrics.assertion_accuracy(predictions, labels, mentioned)
    assert got == {"asserted": 1.0, "negated": 0.5, "unmentioned": 2 / 3, "both_kinds": 0.5}
    none = metrics.assertion_accuracy(labels * 0, labels * 0, mentioned * 0)
    assert math.isnan(none["negated"])
    assert none["unmentioned"] == 1.0
    with pytest.raises(ValueError, match="shape"):
        metrics.assertion_accuracy(predictions, labels[:1], mentioned)


def test_net_benefit():
    outcome = np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    risk = np.where(outcome == 1, 0.9, 0.1)
    assert metrics.net_benefit(outcome, risk, 0.5) == pytest.approx(0.2)
    everyone = metrics.net_benefit(outcome, np.ones(10), 0.2)
    assert everyone == pytest.approx(0.2 - 0.8 * 0.25)
    assert metrics.net_benefit(outcome, np.zeros(10), 0.2) == 0
    assert metrics.net_benefit(outcome, risk, 0.9) == pytest.approx(0.2)  # from it on, not above
    with pytest.raises(ValueError, match="threshold=1"):
        metrics.net_benefit(outcome, risk, 1)
    with pytest.raises(ValueError, match="shape"):
        metrics.net_benefit(outcome, risk[:3], 0.5)


def test_alarms_at_sensitivity():
    outcome = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    risk = np.array([0.9, 0.8, 0.7, 0.6, 0.1, 0.65, 0.5, 0.05, 0.02, 0.01])
    got = metrics.alarms_at_sensitivity(outcome, risk, 0.8)
    assert got["threshold"] == 0.6
    assert got["sensitivity"] == 0.8
    assert got["alarm_share"] == 0.5
    assert got["alarms_per_true"] == 1.25
    every = metrics.alarms_at_sensitivity(outcome, risk, 1.0)
    assert (every["threshold"], every["sensitivity"]) == (0.1, 1.0)
    ties = metrics.alarms_at_sensitivity(outcome, np.full(10, 0.3), 0.5)
    assert (ties["sensitivity"], ties["alarms_per_true"]) == (1.0, 2.0)
    for bad in ({"sensitivity": 0}, {"sensitivity": 1.1}):
        with pytest.raises(ValueError, match="sensitivity"):
            metrics.alarms_at_sensitivity(outcome, risk, **bad)
    with pytest.raises(ValueError, match="deaths"):
        metrics.alarms_at_sensitivity(np.zeros(3), np.zeros(3))
