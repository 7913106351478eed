"""The box itself: what it binds, how it refuses, how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from course import NAME, ROOT

from classroom.judging import sandbox
from classroom.judging.judge import Judge


def test_without_bubblewrap_it_refuses_and_names_the_package(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="Debian package bubblewrap"):
        Judge(ROOT, NAME)


def test_a_bubblewrap_that_cannot_is_said(monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: str(fake))
    with pytest.raises(RuntimeError, match="No permissions"):
        Judge(ROOT, NAME)


def test_unsafe_is_loud(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    with pytest.warns(UserWarning, match="WITHOUT a sandbox"):
        Judge(ROOT, NAME, unsafe=True)


@pytest.mark.slow
def test_unsafe_judges_all_the_same(recwarn):
    with Judge(ROOT, NAME, unsafe=True) as judge:
        result = judge.judge_cells(judge.source.notebook, ["masked_mean_pool"])
    assert result["exercises"]["masked_mean_pool"]["points"] == 3, result


def test_the_box_sees_no_course_and_no_grading():
    command = sandbox._command(sandbox.Limits(), 9)
    sources = [command[i + 1] for i, word in enumerate(command) if word.startswith("--ro-bind")]
    for source in map(Path, sources):
        for private in ("solutions", "tests", "notebooks", "submitted"):
            assert not (ROOT / private).is_relative_to(source), source
    names = {Path(s).name for s in sources}
    assert not names & {
        "examiner.py",
        "examination.py",
        "trial_worker.py",
        "trial.py",
        "judge.py",
        "classroom",
    }


def test_an_environment_below_tmp_is_seen_in_the_box(monkeypatch, tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "python").touch()
    (tmp_path / "secret").touch()
    places = [*sandbox._places(), tmp_path / "env"]
    monkeypatch.setattr(sandbox, "_places", lambda: places)
    command = sandbox._command(sandbox.Limits(), 0)
    command = [*command[: command.index("--") + 1], "/usr/bin/ls", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == ["env"], done.stderr


def test_a_box_ends_with_all_its_processes():
    box = sandbox.Box(sandbox.Limits())
    assert box.process.poll() is None
    box.close()
    deadline = time.monotonic() + 5
    while box.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert box.process.returncode is not None
    assert not os.path.exists(f"/proc/{box.process.pid}/root")


@pytest.mark.parametrize("listed", [True, False])
def test_memory_of_all_processes_is_added_up(monkeypatch, listed):
    monkeypatch.setattr(sandbox, "CHILDREN_LISTED", listed and sandbox.CHILDREN_LISTED)
    script = """
import os, time
def fork(): return os.fork() == 0
if fork():  # stands for the template: what is below it counts
    for number in range(2):
        if fork():
            fork()  # its child does the same
            own = bytearray(b"x") * (40 * 2**20)
            if number:
                file = os.memfd_create("unmapped")
                os.pwrite(file, b"y" * (30 * 2**20), 0)
            print(".", flush=True)
            time.sleep(60)
print(".", flush=True)
time.sleep(60)
"""
    top = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        for _ in range(6):
            top.stdout.readline()
        box = object.__new__(sandbox.Box)
        box.limits, box.boxed, box.process = sandbox.Limits(memory_mib=100), False, top
        box.peak, box.looked = 0, 0.0
        first, second = box.used().memory / 2**20, box.used().memory / 2**20
    finally:
        os.killpg(top.pid, signal.SIGKILL)
        top.communicate()
    assert 4 * 40 + 2 * 30 < first < 4 * 40 + 2 * 30 + 40
    assert abs(second - first) < 1
    assert box.peak / 2**20 == pytest.approx(first, abs=1)
