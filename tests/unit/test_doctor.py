"""The doctor: every finding in one line, and what to do where something is missing."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils import doctor

ROOT = Path(__file__).resolve().parents[2]


def states(findings):
    return {f.subject: f.state for f in findings}


def refuse(*arguments, **options):
    raise OSError("unreachable")


def test_this_machine_is_ready(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert doctor.report(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Ready."
    assert [line for line in lines if line.startswith("note    network")]
    assert all("\n" not in str(f) for f in doctor.examine(tmp_path, timeout=0.1))


@pytest.mark.parametrize(
    ("change", "subject", "words"),
    [
        (("OLDEST", (4, 0)), "Python", "install 4.0 or newer"),
        (
            ("PACKAGES", {"torch": "99.0"}),
            "packages",
            "too old: pip install --upgrade 'torch>=99.0'",
        ),
        (("PACKAGES", {"no-such-thing": "1"}), "packages", "pip install 'no-such-thing>=1'"),
        (("FREE_GIB", 1e9), "disk", "make room"),
    ],
)
def test_what_is_missing_is_said_with_the_cure(
    monkeypatch, tmp_path, capsys, change, subject, words
):
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(doctor, *change)
    assert not doctor.report(tmp_path)
    out = capsys.readouterr().out
    assert words in out
    assert f"Not ready: see {subject} above." in out


def test_a_folder_that_is_not_there():
    assert states(doctor.examine("no/such/folder", timeout=0.01))["disk"] == "missing"


def test_the_oldest_versions_are_those_of_the_project():
    import tomllib

    rows = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = dict(row.split(",")[0].split(">=") for row in rows)
    assert {name: wanted[name] for name in doctor.PACKAGES} == doctor.PACKAGES


def test_the_tool_needs_nothing_installed():
    done = subprocess.run(
        [sys.executable, "-I", "-S", "tools/doctor.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert "pip install 'torch>=" in done.stdout
    assert done.returncode == 1
