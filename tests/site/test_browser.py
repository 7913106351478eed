"""The site and the explorers in a real browser, wide and on a phone, by mouse and by keyboard."""

import base64
import json
import re

import numpy as np
import pytest
from matplotlib.image import imread

from course_utils.data.radiology import make_chest_films
from course_utils.plots.explorers import attention_explorer, film_explorer

PAGES = ("index", "library", "claims", "student", "for_instructors", "grading")
WORDS = ["patient", "denies", "chest", "pain", "but", "reports", "fever"]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", [*PAGES, "notebooks/00_start_here", "notebooks/01_self_attention"])
def test_a_page_loads_without_errors_and_fits(site, open_page, name, width):
    page = open_page(site / f"{name}.html", width)
    assert page.locator("article h1").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth)")


def test_formulas_are_drawn_without_a_network(site, open_page):
    page = open_page(site / "notebooks" / "01_self_attention.html")
    page.wait_for_selector("mjx-container svg", state="attached", timeout=20_000)
    assert page.locator("mjx-merror").count() == 0


def test_the_search_finds_negation(site, open_page):
    page = open_page(site / "search.html")
    page.goto((site / "search.html").as_uri() + "?q=negation")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    assert "01_self_attention" in " ".join(
        a.get_attribute("href") for a in page.locator("#search-results li a").all()
    )


def test_hints_open_by_keyboard_and_pages_lead_on(site, open_page):
    page = open_page(site / "notebooks" / "01_self_attention.html", 390)
    hint = page.locator("article details summary").first
    hint.focus()
    page.keyboard.press("Enter")
    assert page.locator("article details").first.get_attribute("open") is not None
    assert page.locator("a.right-next").count() == 1


def shown(tmp_path, explorer):
    path = tmp_path / "explorer.html"
    path.write_text(f"<!doctype html><meta charset='utf-8'>{explorer.html}", "utf-8")
    return path


def strength(element):
    """Opacity of the blue behind a word."""
    colour = element.evaluate("e => getComputedStyle(e).backgroundColor")
    parts = [float(x) for x in re.findall(r"[\d.]+", colour)]
    return parts[3] if len(parts) == 4 else 1.0


@pytest.mark.parametrize("width", [1280, 390])
def test_words_show_the_weights_of_the_head_and_word_pointed_at(tmp_path, open_page, width):
    weights = np.random.default_rng(3).dirichlet(np.ones(7), size=(2, 3, 7))
    page = open_page(shown(tmp_path, attention_explorer(WORDS, weights)), width)
    words, heads = page.locator(".words button"), page.locator(".heads button")
    heads.nth(4).click()  # layer 2, head 2
    words.nth(3).hover()
    got = [strength(words.nth(i)) for i in range(7)]
    np.testing.assert_allclose(got, weights[1, 1, 3], atol=6e-3)
    best = WORDS[int(weights[1, 1, 3].argmax())]
    assert page.locator(".said").inner_text().startswith(f"“pain” looks at {best} (")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_walks_and_says_where_it_is(tmp_path, open_page):
    weights = np.eye(7)[None, None]
    page = open_page(shown(tmp_path, attention_explorer(WORDS, weights, query=1)))
    page.locator(".words button").nth(1).focus()
    page.keyboard.press("ArrowRight")
    assert "“chest” looks at chest (100 %)" in page.locator(".said").inner_text()
    page.keyboard.press("End")
    assert page.locator(".words button[aria-pressed='true']").inner_text() == WORDS[-1]
    assert page.locator(".said").get_attribute("aria-live") == "polite"


def test_patches_are_as_strong_as_the_numbers_say(tmp_path, open_page):
    film = np.asarray(make_chest_films(1, random_state=0).images[0]).squeeze()
    weights = np.random.default_rng(4).dirichlet(np.ones(64), size=7)
    page = open_page(shown(tmp_path, film_explorer(film, WORDS, weights)))
    page.locator(".words button").nth(5).click()
    got = page.eval_on_selector_all("svg rect", "r => r.map(e => +e.getAttribute('fill-opacity'))")
    np.testing.assert_allclose(got, 0.75 * weights[5] / weights[5].max(), atol=2e-3)
    most = int(weights[5].argmax())
    assert f"row {most // 8 + 1}, column {most % 8 + 1} (" in page.locator(".said").inner_text()


def test_the_film_is_the_film(tmp_path):
    film = np.asarray(make_chest_films(1, random_state=0).images[0]).squeeze()
    page = film_explorer(film, ["a"], np.full((1, 64), 1 / 64)).html
    path = tmp_path / "film.png"
    path.write_bytes(base64.b64decode(re.search(r'href="data:image/png;base64,([^"]+)"', page)[1]))
    grey = imread(path)[..., 0]
    assert np.corrcoef(grey.ravel(), film.ravel())[0, 1] > 0.999
    assert json.dumps(page)
