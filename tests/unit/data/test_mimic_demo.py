"""The demo of MIMIC-IV is fetched whole or not at all; a local server stands in for PhysioNet."""

from __future__ import annotations

import gzip
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from classroom.authoring.source import read_source
from course_utils import metrics
from course_utils.data import icu as icu_data
from course_utils.data.icu import SCHEMA, connect_mimic, fetch_mimic_demo, make_icu_stays

ROOT = Path(__file__).resolve().parents[3]


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


# ------------------------------------------------------------------ the notebook's own cell


def run_demo_cell(monkeypatch, folder, url: str, query: str | None) -> None:
    monkeypatch.setattr(icu_data, "fetch_mimic_demo", partial(fetch_mimic_demo, url=url))
    monkeypatch.chdir(folder)
    names = {"icu_data": icu_data, "metrics": metrics, "pd": pd, "EVENT_UNION_SQL": query}
    cells = read_source(ROOT, "05_icu_mortality").notebook.cells
    (cell,) = (c for c in cells if c.source.startswith("def look_at_demo"))
    exec(cell.source, names)


def query_of_the_model_answer() -> str:
    names: dict[str, str] = {}
    exec(read_source(ROOT, "05_icu_mortality").exercises["EVENT_UNION_SQL"].answer, names)
    return names["EVENT_UNION_SQL"]


def test_the_notebook_runs_its_query_on_the_demo(served, tmp_path, monkeypatch, capsys):
    folder, url = served
    stays = make_icu_stays(n_stays=40, events_per_stay=20, random_state=0)
    for path in SCHEMA:
        stays.connection.execute(
            f"COPY {path.split('/')[1]} TO '{folder / path}.csv.gz' (HEADER, COMPRESSION gzip)"
        )
    run_demo_cell(monkeypatch, tmp_path, url, query_of_the_model_answer())
    first, second, third = capsys.readouterr().out.splitlines()
    assert "stays of 48 h or more" in first
    assert second.startswith("events a stay: median ")
    assert "'lab': " in third


def test_the_notebook_skips_the_demo_in_one_line(tmp_path, monkeypatch, capsys):
    run_demo_cell(monkeypatch, tmp_path, "http://127.0.0.1:9", "SELECT 1")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("The demo of MIMIC-IV is skipped: http://127.0.0.1:9/hosp/patients")


def test_without_a_query_the_notebook_names_the_exercise(tmp_path, monkeypatch):
    with pytest.raises(NotImplementedError, match="EVENT_UNION_SQL"):
        run_demo_cell(monkeypatch, tmp_path, "http://127.0.0.1:9", None)
