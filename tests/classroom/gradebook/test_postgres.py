"""`--db postgresql://…` passes through to nbgrader: tried on a real server, started here."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from canned import result, scores
from course import NAME, ROOT

from classroom.authoring.source import read_source
from classroom.gradebook.export import export
from classroom.gradebook.workspace import Class

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
MISSING = [
    *([] if BINARIES or shutil.which("initdb") else ["the server (apt install postgresql)"]),
    *([] if importlib.util.find_spec("psycopg") else ["its driver (pip install psycopg[binary])"]),
]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"PostgreSQL: without {MISSING}")


@pytest.fixture(scope="module")
def server():
    """A server of its own on a socket in a temporary folder; it refuses to run as root."""
    programs = BINARIES[-1].parent if BINARIES else Path(shutil.which("initdb")).parent
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
    if user:
        shutil.chown(folder, "postgres")

    def run(program, *arguments):
        command = [*user, str(programs / program), *map(str, arguments)]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    data = folder / "data"
    run("initdb", "-D", data, "-A", "trust", "-U", "grader", "--no-sync")
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        run("createdb", "-h", folder, "-U", "grader", "grades")
        yield f"postgresql://grader@/grades?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_a_class_in_postgresql(server, tmp_path):
    source = read_source(ROOT, NAME)
    klass = Class(ROOT, tmp_path, server)
    release = klass.prepare(NAME)
    klass.record(NAME, "ann", release, result(source))
    klass.record(NAME, "bob", release, result(source, status="failed", reason="It never ended."))
    klass.record(NAME, "ann", release, result(source, {"masked_mean_pool": "right"}))
    found = scores(klass, NAME)
    assert found["ann"]["masked_mean_pool_check"] == (3, None, False)
    assert found["ann"]["scaled_dot_product_attention_check"] == (0, None, False)
    assert found["bob"]["masked_mean_pool_check"] == (None, None, True)
    paths = export(ROOT, tmp_path, NAME, db=server)
    assert ",ann," in paths[0].read_text("utf-8")
    assert not (tmp_path / "gradebook.db").exists()
