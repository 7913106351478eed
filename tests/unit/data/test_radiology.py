"""Chest films: labels, reports, masks and grey values agree with each other."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest

from course_utils.data import radiology
from course_utils.data.radiology import (
    KINDS,
    PAD_ID,
    SIDES,
    SIZES,
    UNK_ID,
    VOCABULARY,
    ZONES,
    decode_report,
    encode_report,
    make_chest_films,
    parse_report,
    token_patch_masks,
)

NODULE, EFFUSION, PNEUMOTHORAX, CARDIOMEGALY = range(4)


@pytest.fixture(scope="module")
def films() -> radiology.ChestFilms:
    return make_chest_films(600, random_state=3)


def test_shapes_and_kinds(films):
    assert films.images.shape == (600, 1, 64, 64)
    assert films.images.dtype == np.float32
    assert films.images.min() >= 0
    assert films.images.max() <= 1
    assert films.token_ids.shape == films.word_finding.shape == (600, radiology.MAX_REPORT_LENGTH)
    assert films.token_ids.dtype == np.int64
    assert films.masks.shape == (600, 4, 64, 64)
    assert films.masks.dtype == bool
    assert len(films) == len(films.texts()) == 600


def test_same_seed_same_films():
    first, second = make_chest_films(70, random_state=5), make_chest_films(70, random_state=5)
    other = make_chest_films(70, random_state=6)
    for name, values in vars(first).items():
        assert np.array_equal(values, getattr(second, name)), name
    assert not np.array_equal(first.token_ids, other.token_ids)


MEANS = [0.4527006, 0.3701110, 0.4903070]


def test_integers_are_the_same_everywhere():
    films = make_chest_films(100, random_state=0)
    digest = hashlib.sha256()
    for values in (films.token_ids, films.word_finding, films.side, films.zone, films.size):
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(np.packbits(films.masks).tobytes())
    assert digest.hexdigest()[:16] == "c3737c9f7a92cfed"
    assert np.allclose(films.images[:3].mean(axis=(1, 2, 3)), MEANS, atol=1e-6)


def test_reports_say_what_is_in_the_film(films):
    for i in range(len(films)):
        asserted = parse_report(films.token_ids[i])
        assert set(asserted) == {kind for k, kind in enumerate(KINDS) if films.present[i, k]}
        for k, kind in enumerate(KINDS):
            if films.present[i, k]:
                side, zone, size = (x[i, k] for x in (films.side, films.zone, films.size))
                assert asserted[kind] == (SIDES[side], ZONES[zone], SIZES[size])


def test_reports_name_what_is_absent(films):
    for text, present in zip(films.texts(), films.present, strict=True):
        assert ("no effusion" in text) is not bool(present[EFFUSION])
        assert ("no pneumothorax" in text) is not bool(present[PNEUMOTHORAX])
        assert ("lungs clear" in text) is not bool(present[NODULE])
        assert ("heart size normal" in text) is not bool(present[CARDIOMEGALY])


def test_every_word_is_known(films):
    assert not (films.token_ids == UNK_ID).any()
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    for text, tokens in zip(films.texts()[:50], films.token_ids, strict=False):
        assert encode_report(text) == [t for t in tokens.tolist() if t > 2]
    assert set(films.token_ids.ravel().tolist()) == set(range(len(VOCABULARY))) - {UNK_ID}


def test_unknown_words_are_not_padding():
    assert encode_report("Small left-sided fracture.") == [
        *(VOCABULARY.index(word) for word in ("small", "left-sided")),
        UNK_ID,
        VOCABULARY.index("."),
    ]
    assert decode_report([1, UNK_ID, 4, 2, 7]) == "<unk>."


def test_frequencies():
    films = make_chest_films(4000, image_size=32, random_state=1)
    shares = np.bincount(films.present.sum(axis=1), minlength=3) / 4000
    assert np.allclose(shares, [0.2, 0.5, 0.3], atol=0.03)
    assert np.allclose(films.present.mean(axis=0), 0.275, atol=0.03)
    for k in range(3):
        there = films.present[:, k]
        assert abs((films.side[there, k] == 1).mean() - 0.5) < 0.12
        assert abs((films.size[there, k] == 1).mean() - 0.5) < 0.06


def test_right_of_the_patient_is_left_of_the_film(films):
    columns = np.arange(64)
    for k in (NODULE, EFFUSION, PNEUMOTHORAX):
        for i in np.flatnonzero(films.present[:, k]):
            centre = (films.masks[i, k].sum(axis=0) * columns).sum() / films.masks[i, k].sum()
            assert (centre < 31.5) == (films.side[i, k] == 1)


def test_zones_lie_above_each_other(films):
    rows = np.arange(64)
    heights = [[], [], [], []]
    for i in np.flatnonzero(films.present[:, NODULE]):
        mask = films.masks[i, NODULE]
        heights[films.zone[i, NODULE]].append((mask.sum(axis=1) * rows).sum() / mask.sum())
    assert max(heights[1]) < min(heights[2])
    assert max(heights[2]) < min(heights[3])


def test_masks_exist_exactly_where_findings_are(films):
    areas = films.masks.sum(axis=(2, 3))
    assert np.array_equal(areas > 0, films.present)
    for k in range(4):
        small, large = (areas[films.size[:, k] == size, k].mean() for size in (1, 2))
        assert large > 1.2 * small


def test_fluid_is_bright_and_air_is_dark():
    films = make_chest_films(1500, random_state=8)
    alone = films.present.sum(axis=1) == 1
    normal = films.images[films.present.sum(axis=1) == 0, 0].mean(axis=0)
    for k, sign in ((NODULE, 1), (EFFUSION, 1), (PNEUMOTHORAX, -1)):
        for i in np.flatnonzero(alone & films.present[:, k])[:60]:
            mask = films.masks[i, k]
            assert sign * (films.images[i, 0][mask].mean() - normal[mask].mean()) > 0, KINDS[k]


def test_no_finding_can_be_pointed_at_by_brightness(films):
    patches = films.images[:, 0].reshape(-1, 8, 8, 8, 8).mean(axis=(2, 4)).reshape(-1, 64)
    masks = token_patch_masks(films, 8)
    has = masks.any(axis=-1)
    for best in (patches.argmax(axis=1), patches.argmin(axis=1)):
        hit = np.take_along_axis(masks, best[:, None, None], axis=2)[..., 0]
        assert hit[has].mean() < 0.5


def test_links_and_patch_masks(films):
    masks = token_patch_masks(films, 8)
    assert masks.shape == (600, radiology.MAX_REPORT_LENGTH, 64)
    assert np.array_equal(masks.any(axis=-1), films.word_finding >= 0)
    assert not masks[films.token_ids == PAD_ID].any()
    for i in range(40):  # an independent, slow way
        for t, kind in enumerate(films.word_finding[i]):
            if kind < 0:
                continue
            assert films.present[i, kind]
            shares = [
                films.masks[i, kind, r : r + 8, c : c + 8].mean()
                for r in range(0, 64, 8)
                for c in range(0, 64, 8)
            ]
            want = [s > 0 and (s >= 0.15 or s == max(shares)) for s in shares]
            assert masks[i, t].tolist() == want
    words = {VOCABULARY[w] for w in films.token_ids[films.word_finding >= 0]}
    assert {"nodule", "left-sided", "upper", "mild", "apex"} <= words
    assert not words & {".", "in", "the", "at", "no", "lungs", "clear", "heart", "normal"}


def test_findings_move(films):
    """A finding is not always in the same patches."""
    masks = token_patch_masks(films, 8)
    first = masks[films.word_finding == NODULE].argmax(axis=-1)
    assert len(set(first.tolist())) > 15


def test_pairs_that_would_hide_each_other(films):
    both = films.present[:, EFFUSION] & films.present[:, PNEUMOTHORAX]
    assert (films.side[both, EFFUSION] != films.side[both, PNEUMOTHORAX]).all()
    same = films.present[:, NODULE] & (films.side[:, NODULE] == films.side[:, EFFUSION])
    assert (films.zone[same, NODULE] != 3).all()


def test_scores_of_the_truth_and_of_the_blind(films):
    perfect = radiology.report_scores(films.token_ids, films)
    assert perfect == dict.fromkeys(("exact", "finding", "side", "zone", "size"), 1.0)
    nothing = [radiology.BOS_ID, *encode_report("lungs clear. no effusion."), radiology.EOS_ID]
    scores = radiology.report_scores(np.array([nothing] * 100), films)
    assert scores["exact"] == scores["side"] == scores["zone"] == scores["size"] == 0
    assert scores["finding"] == pytest.approx(1 - films.present[:100].mean())
    blind = radiology.blind_scores(films, films)
    assert blind["exact"] < 0.35
    assert all(0.25 < blind[name] < 0.65 for name in ("side", "zone", "size"))


def test_any_size_and_none():
    assert make_chest_films(0, random_state=0).images.shape == (0, 1, 64, 64)
    assert make_chest_films(0, random_state=0).texts() == []
    films = make_chest_films(40, image_size=96, random_state=np.random.default_rng(4))
    assert films.images.shape == (40, 1, 96, 96)
    assert np.array_equal(films.masks.any(axis=(2, 3)), films.present)
    assert token_patch_masks(films, 12).shape[-1] == 64


@pytest.mark.parametrize("bad", [-1, 2.5, True])
def test_bad_number_of_films(bad):
    with pytest.raises(ValueError, match="n_samples"):
        make_chest_films(bad, random_state=0)


@pytest.mark.parametrize("bad", [16, 64.5])
def test_bad_image_size(bad):
    with pytest.raises(ValueError, match="image_size"):
        make_chest_films(1, image_size=bad, random_state=0)


@pytest.mark.parametrize("bad", [7, 0, 128])
def test_bad_patch_size(films, bad):
    with pytest.raises(ValueError, match="patch_size"):
        token_patch_masks(films, bad)


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_chest_films(5, random_state=1)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_speed():
    """2,000 films a second on one core are the aim; a busy machine gets room."""
    make_chest_films(50, random_state=0)
    start = time.process_time()
    make_chest_films(1000, random_state=0)
    assert 1000 / (time.process_time() - start) > 700
