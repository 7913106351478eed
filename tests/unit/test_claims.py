"""Bands and claims."""

import json

import pytest

from benchmarks import ledger
from course_utils import claims


@pytest.fixture
def table(monkeypatch):
    band = {
        "accuracy": {"what": "accuracy", "low": 0.9, "high": None},
        "gap": {"what": "gap", "low": 0.1, "high": 0.3, "measured": {"values": [0.15, 0.2]}},
        "cause": {
            **{"what": "F1, positions audible", "low": 0.8, "high": None, "causal": True},
            "control": {"what": "same run, positions drowned", "low": 0.1, "high": None},
            "measured": {"values": [0.9, 0.95], "controls": [0.7, 0.6]},
        },
        "bare": {"what": "F1 is high because of positions", "low": 0.8, "high": None},
    }
    monkeypatch.setattr(claims, "bands", lambda notebook: band)
    for name in ("COURSE_STRICT", "COURSE_CLAIMS", "COURSE_SEED"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("table")
def test_inside_and_outside_are_told_apart(capsys, monkeypatch):
    assert claims.claim("n", "accuracy", 0.95)
    assert not claims.claim("n", "accuracy", 0.85)
    assert not claims.claim("n", "accuracy", float("nan"))
    assert claims.claim("n", "gap", 0.3)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "accuracy: 0.950 (expected at least 0.9)"
    assert out[1].endswith("outside")
    assert out[3] == "gap: 0.300 (expected 0.1 to 0.3; 2 seeds gave 0.150 to 0.200)"
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(claims.ClaimMissed, match=r"0\.850 \(expected at least 0\.9\): outside"):
        claims.claim("n", "accuracy", 0.85)


@pytest.mark.parametrize(
    ("low", "high", "words", "outside"),
    [(0.1, 0.3, "0.1 to 0.3", 0.31), (0.9, None, "at least 0.9", 0.89), (None, 1, "at most 1", 2)],
)
def test_a_band_in_words_and_its_limits(low, high, words, outside):
    band = {"low": low, "high": high}
    assert claims.words(band) == words
    assert all(claims.inside(limit, band) for limit in (low, high) if limit is not None)
    assert not claims.inside(outside, band)
    assert not claims.inside(float("nan"), band)


@pytest.mark.usefixtures("table")
def test_claims_are_logged(tmp_path, monkeypatch):
    log = tmp_path / "claims.jsonl"
    monkeypatch.setenv("COURSE_CLAIMS", str(log))
    monkeypatch.setenv("COURSE_SEED", "3")
    claims.claim("n", "gap", 0.5)
    (record,) = map(json.loads, log.read_text().splitlines())
    assert record["seed"] == 3
    assert record["inside"] is False


@pytest.mark.usefixtures("table")
def test_a_causal_claim_stands_beside_its_control(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CLAIMS", str(tmp_path / "claims.jsonl"))
    assert claims.claim("n", "cause", 0.9, control=0.7)
    first, second = capsys.readouterr().out.splitlines()
    assert (
        first == "F1, positions audible: 0.900 (expected at least 0.8; 2 seeds gave 0.900 to 0.950)"
    )
    assert second == (
        "  control, same run, positions drowned: 0.700; difference +0.200"
        " (expected at least 0.1; 2 seeds gave 0.200 to 0.350)"
    )
    assert not claims.claim("n", "cause", 0.9, control=0.85)  # the control does it as well
    assert not claims.claim("n", "cause", 0.7, control=0.1)
    assert not claims.claim("n", "cause", 0.9, control=float("nan"))
    lines = map(json.loads, (tmp_path / "claims.jsonl").read_text().splitlines())
    assert [(r["control"], r["inside"]) for r in lines][:3] == [
        (0.7, True),
        (0.85, False),
        (0.1, False),
    ]
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(claims.ClaimMissed, match="positions drowned"):
        claims.claim("n", "cause", 0.9, control=0.85)


@pytest.mark.usefixtures("table")
def test_a_control_is_given_exactly_when_it_is_needed():
    with pytest.raises(ValueError, match="cause needs the figure of its control run"):
        claims.claim("n", "cause", 0.9)
    with pytest.raises(ValueError, match="bare needs the figure of its control run"):
        claims.claim("n", "bare", 0.9)
    with pytest.raises(ValueError, match="gap has no control"):
        claims.claim("n", "gap", 0.2, control=0.1)


@pytest.mark.parametrize(
    ("band", "causal"),
    [
        ({"what": "micro-F1"}, False),
        ({"what": "planted causes among the events ranked first"}, False),
        ({"what": "micro-F1", "causal": True}, True),
        ({"what": "micro-F1", "says": "Audible positions cure it"}, True),
        ({"what": "F1, Because of the mask"}, True),
        ({"what": "gap that the scale explains"}, True),
        ({"what": "one number separates the two"}, True),
    ],
)
def test_causes_are_known_by_mark_and_by_words(band, causal):
    assert claims.is_causal(band) is causal


@pytest.mark.usefixtures("table")
def test_bad_names_and_seeds_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="name must be one of"):
        claims.claim("n", "nothing", 1)
    monkeypatch.setenv("COURSE_SEED", "two")
    with pytest.raises(ValueError, match="'two'"):
        claims.seed()


def test_an_unknown_notebook_is_refused():
    with pytest.raises(ValueError, match="notebook must be one of"):
        claims.bands("99_nothing")


def test_every_band_has_a_limit_and_words(request):
    folder = request.config.rootpath / "course_utils" / "assets" / "bands"
    for path in folder.glob("*.json"):
        for name, band in json.loads(path.read_text()).items():
            assert band["what"], name
            assert band["low"] is not None or band["high"] is not None, name


def test_every_headline_claim_about_a_cause_has_a_control(request):
    folder = request.config.rootpath / "course_utils" / "assets" / "bands"
    bare, vague = [], []
    for path in sorted(folder.glob("*.json")):
        for name, band in json.loads(path.read_text()).items():
            control = band.get("control")
            if claims.is_causal(band) and not control:
                bare.append(f"{path.stem}: {name}")
            if control and not (
                control.get("what") and (control["low"] is not None or control["high"] is not None)
            ):
                vague.append(f"{path.stem}: {name}")
    assert not bare, "name the run in which only the cause differs"
    assert not vague, "a control needs its words and a limit of the difference"


def test_no_band_is_wider_than_its_seeds_justify(request):
    folder = request.config.rootpath / "course_utils" / "assets" / "bands"
    wide = []
    for path in sorted(folder.glob("*.json")):
        for name, band in json.loads(path.read_text()).items():
            limits = ledger.narrowed(band)
            if (limits["low"], limits["high"]) != (band["low"], band["high"]):
                wide.append(f"{path.stem}: {name}, {claims.words(limits)} would do")
    assert not wide, "make bench NARROW=1, or say why under `wide`"
