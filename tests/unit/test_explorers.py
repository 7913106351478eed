"""Explorers: self-contained and small, with honest numbers; a browser tries what they do."""

import base64
import json
import re

import numpy as np
import pytest
import torch

from course_utils.plots.explorers import LARGEST, attention_explorer, film_explorer

TOKENS = ["denies", "<chest>", "pain", '"&amp;']


def softmax(*shape, seed=0):
    return torch.softmax(torch.from_numpy(np.random.default_rng(seed).normal(size=shape)), -1)


def data_of(page):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])


def test_the_numbers_are_in_the_page():
    weights = softmax(2, 3, 4, 4)
    data = data_of(attention_explorer(TOKENS, weights, query=2).html)
    kept = np.frombuffer(base64.b64decode(data["weights"]), "<u2").reshape(2, 3, 4, 4) / 10_000
    assert np.abs(kept - weights.numpy()).max() < 1e-4
    assert data["words"] == TOKENS
    assert data["query"] == 2


def test_no_address_outside_and_every_word_escaped():
    page = attention_explorer(TOKENS, softmax(4, 4), title="<i>x</i>").html
    assert not re.findall(r"(?:https?:)?//[\w.]+\.\w+", page)
    assert "<chest>" not in page
    assert "<i>" not in page


def test_a_still_picture_stands_beside_it():
    bundle = attention_explorer(TOKENS, softmax(2, 4, 4))._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    film = film_explorer(np.eye(64), TOKENS, softmax(4, 64))
    assert base64.b64decode(film._repr_mimebundle_()["image/png"]).startswith(b"\x89PNG")


def test_two_on_one_page_do_not_meet():
    pages = [attention_explorer(TOKENS, softmax(4, 4)).html for _ in range(2)]
    ids = [re.match(r'<div id="([\w-]+)"', page)[1] for page in pages]
    assert ids[0] != ids[1]
    assert ids[0] not in pages[1]


def test_sizes_at_the_notebooks_scale():
    words = [f"word{i}" for i in range(60)]
    assert len(attention_explorer(words, softmax(2, 4, 60, 60)).html) < LARGEST
    assert (
        len(
            film_explorer(
                np.random.default_rng(0).random((128, 128)), words[:40], softmax(40, 64)
            ).html
        )
        < LARGEST
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: attention_explorer(TOKENS, softmax(3, 3)), "for 4 tokens, got shape"),
        (lambda: attention_explorer(TOKENS, -softmax(4, 4)), "between 0 and 1"),
        (lambda: attention_explorer(TOKENS, np.full((4, 4), np.nan)), "finite"),
        (lambda: attention_explorer([], np.zeros((0, 0))), "at least one"),
        (lambda: attention_explorer(TOKENS, softmax(4, 4), query=4), "from 0 to 3, got 4"),
        (lambda: attention_explorer(["x"] * 400, softmax(400, 400)), "300 are allowed"),
        (lambda: film_explorer(np.eye(64), TOKENS, softmax(4, 63)), "4 words"),
        (lambda: film_explorer(np.zeros(64), TOKENS, softmax(4, 64)), r"film must be \(H, W\)"),
    ],
)
def test_bad_input_is_explained(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_still_picture_shows_the_words_that_are_asked_for():
    film, weights = np.random.default_rng(0).random((16, 16)), np.eye(4)
    words = ["a", "b", "c", "d"]
    pictures = {
        still: film_explorer(film, words, weights, still=still)._repr_mimebundle_()["image/png"]
        for still in (None, (0, 1, 2, 3), (2,))
    }
    assert pictures[None] == pictures[0, 1, 2, 3]
    assert pictures[2,] != pictures[None]
