"""Bands and claims."""

import json

import pytest

from course_utils import claims


@pytest.fixture
def table(monkeypatch):
    band = {
        "accuracy": {"what": "accuracy", "low": 0.9, "high": None},
        "gap": {"what": "gap", "low": 0.1, "high": 0.3, "measured": {"values": [0.15, 0.2]}},
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
