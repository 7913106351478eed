"""The built site, and a browser to read it with where there is one."""

import os
import shutil
from pathlib import Path

import pytest

from classroom.authoring.site import build_site

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Folder of the site's HTML, built once from stored outputs."""
    return build_site(ROOT, tmp_path_factory.mktemp("site"), repo="someone/attention").parent


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium here (Debian package: chromium)")
    with api.sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Open a local file; a console error or a request to another place fails the test."""
    pages, troubles = [], []

    def visit(path, width=1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:")) else troubles.append(r.url),
        )
        page.goto(Path(path).as_uri())
        return page

    yield visit
    for page in pages:
        page.close()
    assert not troubles
