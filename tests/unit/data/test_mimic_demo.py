"""The demo of MIMIC-IV is fetched whole or not at all; a local server stands in for PhysioNet."""

from __future__ import annotations

import gzip
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from course_utils.data.icu import SCHEMA, connect_mimic, fetch_mimic_demo


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def served(tmp_path):
    """A folder of packed tables with a header each, and its address."""
    folder = tmp_path / "served"
    for path, columns in SCHEMA.items():
        file = folder / f"{path}.csv.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress((",".join(columns) + "\n").encode()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_tables_are_fetched_once_and_opened(served, tmp_path, capsys):
    folder, url = served
    demo = fetch_mimic_demo(tmp_path / "demo", url=url + "/")
    assert not list(demo.rglob("*.part"))
    for path in SCHEMA:  # gone from the server: what is there already is not asked for again
        (folder / f"{path}.csv.gz").unlink()
    opened = connect_mimic(fetch_mimic_demo(tmp_path / "demo", url=url))
    assert opened.sql("SELECT count(*) FROM icustays").fetchall() == [(0,)]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda file: file.unlink(), "answers 404"),
        (lambda file: file.write_bytes(b"<html>please log in</html>"), "no whole packed table"),
        (lambda file: file.write_bytes(file.read_bytes()[:-9]), "no whole packed table"),
    ],
    ids=["missing", "page", "half"],
)
def test_what_cannot_be_fetched_is_said_in_one_line(served, tmp_path, spoil, why):
    folder, url = served
    spoil(folder / "icu" / "icustays.csv.gz")
    with pytest.raises(ConnectionError, match=why) as error:
        fetch_mimic_demo(tmp_path / "demo", url=url)
    assert f"{url}/icu/icustays.csv.gz" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "demo" / "icu" / "icustays.csv.gz").exists()


def test_without_a_network_one_line_says_so(tmp_path):
    with pytest.raises(ConnectionError, match="cannot be fetched"):
        fetch_mimic_demo(tmp_path, url="http://127.0.0.1:9", timeout_s=1.0)


def test_another_kind_of_address_is_refused(tmp_path):
    with pytest.raises(ValueError, match="http"):
        fetch_mimic_demo(tmp_path, url="file:///etc")
