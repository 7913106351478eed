"""The claims' ledger: paired differences, verdicts, bands that the seeds justify, and the page."""

import numpy as np
import pytest
from scipy import stats

from benchmarks import ledger
from course_utils import claims

CONTROL = {"what": "the same run without it", "low": 0.1, "high": None}


def band(values, controls=None, low=0.5, high=None, **more):
    made = {"what": "accuracy", "low": low, "high": high, "measured": {"values": values}, **more}
    if controls is not None:
        made["control"] = CONTROL
        made["measured"]["controls"] = controls
    return made


def test_the_interval_is_that_of_a_paired_t_test():
    values, controls = [0.9, 0.8, 0.95, 0.85, 0.9], [0.6, 0.7, 0.65, 0.5, 0.62]
    mean, low, high = ledger.paired_difference(values, controls)
    wanted = stats.ttest_rel(values, controls).confidence_interval(0.95)
    assert (low, high) == pytest.approx((wanted.low, wanted.high))
    assert mean == pytest.approx(np.mean(values) - np.mean(controls))
    for bad in (([0.5], [0.4]), ([0.5, 0.6], [0.4])):
        with pytest.raises(ValueError, match="two or more pairs"):
            ledger.paired_difference(*bad)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (band([]), "not measured"),
        (band([0.6, 0.7]), "holds"),
        (band([0.6, 0.4]), "fails"),
        (band([0.9, 0.9], []), "not measured"),
        (band([0.9, 0.9], [0.5]), "not measured"),
        (band([0.9, 0.91, 0.9], [0.6, 0.62, 0.61]), "holds"),
        (band([0.9, 0.91, 0.9], [0.5, 0.89, 0.6]), "open"),  # the mean is .23, its interval wide
        (band([0.9, 0.91, 0.9], [0.88, 0.89, 0.85]), "fails"),  # the control does it too
        (band([0.9, 0.4, 0.9], [0.1, 0.1, 0.1]), "fails"),
    ],
)
def test_verdicts(made, verdict):
    assert ledger.verdict(made) == verdict


def test_equal_runs_are_judged_by_the_width_of_the_interval():
    made = band([0.9, 0.91, 0.9], [0.9, 0.9, 0.91])
    made["control"] = {"what": "the same run with it", "low": -0.05, "high": 0.05}
    assert ledger.verdict(made) == "holds"
    made["control"] = {"what": "the same run with it", "low": -0.01, "high": 0.01}
    assert ledger.verdict(made) == "open"


@pytest.mark.parametrize("seed", range(5))
def test_narrowed_bands_still_hold_every_value_and_are_narrow_enough(seed):
    values = list(np.random.default_rng(seed).normal(0.7, 0.02 * seed, 5))
    made = band(values, low=-1e3, high=1e3)
    made |= ledger.narrowed(made)
    low, high = ledger.justified(values)
    assert made["low"] <= low < high <= made["high"]
    assert (made["high"] - made["low"]) < 2 * (high - low)
    assert all(claims.inside(value, made) for value in values)
    assert ledger.narrowed(made) == {"low": made["low"], "high": made["high"]}


def test_narrowing_never_widens_and_leaves_alone_what_it_cannot_judge():
    tight = band([0.7, 0.71, 0.72, 0.7, 0.7], low=0.69, high=None)
    assert ledger.narrowed(tight) == {"low": 0.69, "high": None}
    few = band([0.7, 0.71], low=0.0)
    assert ledger.narrowed(few)["low"] == 0.0
    free = band([0.7] * 5, low=0.0, wide="depends on the processor")
    assert ledger.narrowed(free)["low"] == 0.0


def test_the_page_shows_both_kinds_of_claim():
    cause = band([0.9, 0.91, 0.9], [0.6, 0.62, 0.61], says="Positions cure it")
    page = ledger.page({"01_tiny": {"cause": cause, "plain": band([0.6, 0.7]), "new": band([])}})
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert rows[2].startswith("| Positions cure it *(accuracy)* | 0.903 | the same run without it")
    assert rows[2].endswith("| +0.293 (+0.279 to +0.308) | at least 0.1 | 3 | holds |")
    assert rows[5] == "| accuracy | at least 0.5 | 2 | 0.600 to 0.700 | holds |"
    assert rows[6] == "| accuracy | at least 0.5 | 0 | – | not measured |"
