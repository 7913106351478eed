"""One submission's fault is that submission's result, at every stage of grading a class.

Hostile names, bytes, messages and exceptions go through collect, repair, autograde, feedback,
report and export together with an honest student, whose points must be the same as alone.
"""

import csv
import io
import json
import os
import random
import struct
import subprocess
import sys
import zipfile

import canned
import cloudpickle
import nbformat
import pytest
from canned import CannedJudge, put, result, scores
from course import NAME, ROOT

from classroom import files
from classroom.authoring.source import read_source
from classroom.gradebook.autograde import autograde
from classroom.gradebook.export import export
from classroom.gradebook.feedback import feedback
from classroom.gradebook.report import class_report
from classroom.gradebook.results import checked, read_results
from classroom.gradebook.workspace import Class
from classroom.intake.collect import collect, describe
from classroom.intake.repair_all import repair_all

SOURCE = read_source(ROOT, NAME)
FULL = sum(most for e in SOURCE.exercises.values() for most in e.points.values())
cloudpickle.register_pickle_by_value(canned)
RELEASE = (ROOT / "notebooks" / NAME / f"{NAME}.ipynb").read_bytes()
LONE = "\ud800 and \udcff"


def submission(**told):
    notebook = json.loads(RELEASE)
    notebook["metadata"]["canned"] = told
    notebook["cells"].append(
        {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": f"mine {told}"}
    )
    return json.dumps(notebook).encode()


# ---- collect and repair


def zipped(method, name="x.ipynb", data=RELEASE):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, data)
    return stream.getvalue()


def broken(method):
    """A zip whose packed data are damaged, its directory whole."""
    data = bytearray(zipped(method))
    start = 30 + struct.unpack("<H", data[26:28])[0] + 20
    data[start : start + 400] = bytes(range(256)) + bytes(144)
    return bytes(data)


def unknown_method(number):
    """A zip that claims a compression that this Python may not know."""
    data = bytearray(zipped(zipfile.ZIP_DEFLATED))
    for mark, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        at = data.index(mark) + offset
        data[at : at + 2] = struct.pack("<H", number)
    return bytes(data)


DAMAGED = {
    "lzma": broken(zipfile.ZIP_LZMA),
    "bzip2": broken(zipfile.ZIP_BZIP2),
    "deflate": broken(zipfile.ZIP_DEFLATED),
    "zstd": unknown_method(93),
    "xz": unknown_method(95),
    "ppmd": unknown_method(98),
    "deep": zipped(zipfile.ZIP_STORED, "/".join("a" * 2000) + "/x.ipynb"),
    "long": zipped(zipfile.ZIP_STORED, "x" * 60_000 + ".zip" * 1000 + "y"),
    "none": zipped(zipfile.ZIP_STORED, "readme", b"")[:0],
    "empty": b"PK\5\6" + bytes(18),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_zip_costs_its_own_student_alone(tmp_path, kind):
    source = tmp_path / "in"
    (source / "anna").mkdir(parents=True)
    (source / "anna" / "x.ipynb").write_bytes(RELEASE)
    (source / "ben.zip").write_bytes(DAMAGED[kind])
    summary = collect(source, NAME, tmp_path / "ws", progress=False, root=ROOT)
    assert summary.students == ["anna"]
    rows = {row["student"]: row for row in repair_all(ROOT, tmp_path / "ws", NAME, progress=False)}
    assert rows["anna"]["status"] == "ok"
    assert rows["ben"]["status"] == "failed"
    assert rows["ben"]["reason"].startswith("ben.zip")


NAMES = [
    "log.jsonl", "LOG.JSONL", "log", "students.json", "repair.json", "timestamp.txt",
    "gradebook.db",
    "results", "feedback", "autograded", ".collecting-x", "con", "nul.txt", "Łukasz", "张伟",
    "a" * 250,
    "=cmd()", "@sum", "-1", "$(id)", "`id`", "a;b", "a'b", '"', "<b>x", "{{ 7*7 }}", "%s", "\\x41",
    "a\tb", "a\nb", "a\u2028b", "\u202eanna", "Jose\u0301", "ﬀ", "ß", "SS", "2026-01-30", "1e5",
    "+x",
    "Mar 1", "...", "a.", " b ", "[x]", "*", "x?y", "NULL", "None", "0", "\udcff".encode(
        "utf-8", "surrogateescape"
    ).decode("latin-1"),
]  # fmt: skip


def test_students_of_any_name_are_all_there(tmp_path):
    source = tmp_path / "in"
    for k, name in enumerate(NAMES):
        (source / name).mkdir(parents=True)
        (source / name / "x.ipynb").write_bytes(submission(number=k))
    odd = os.path.join(os.fsencode(source), b"\xff\xfe")  # no UTF-8 at all
    os.mkdir(odd)
    with open(os.path.join(odd, b"x.ipynb"), "wb") as file:
        file.write(submission(number=-1))
    workspace = tmp_path / "ws"
    for _ in range(2):  # a second time: what was written can be read
        summary = collect(source, NAME, workspace, progress=False, root=ROOT)
        assert len(summary.students) == len(NAMES) + 1
    assert (workspace / "collected" / NAME / "log.jsonl").is_file()
    rows = repair_all(ROOT, workspace, NAME, progress=False)
    assert [row["status"] for row in rows] == ["ok"] * (len(NAMES) + 1)
    contents = {p.read_bytes() for p in workspace.glob(f"submitted/*/{NAME}/{NAME}.ipynb")}
    assert len(contents) == len(NAMES) + 1
    describe(summary).encode("ascii", "backslashreplace")


@pytest.mark.parametrize("seed", range(40))
def test_random_notebooks_are_repaired_or_refused(tmp_path, seed):
    rng = random.Random(seed)
    notebook = json.loads(RELEASE)
    values = [None, -1, 1e400, LONE, "\0", [], {}, [[]], {"a": LONE}, "x" * 5000, True, "\u2028"]
    for _ in range(rng.choice([1, 5, 50])):
        place = rng.choice([notebook, notebook["metadata"], *notebook["cells"]])
        if isinstance(place, dict):
            key = rng.choice([*place, LONE, "metadata", "source", "attachments", "id"])
            place[key] = rng.choice(values)
    source = tmp_path / "in"
    (source / "anna").mkdir(parents=True)
    (source / "ben").mkdir(parents=True)
    (source / "anna" / "x.ipynb").write_bytes(RELEASE)
    (source / "ben" / "x.ipynb").write_text(json.dumps(notebook))
    workspace = tmp_path / "ws"
    assert "anna" in collect(source, NAME, workspace, progress=False, root=ROOT).students
    rows = {row["student"]: row for row in repair_all(ROOT, workspace, NAME, progress=False)}
    assert rows.keys() == {"anna", "ben"}
    assert rows["anna"]["status"] == "ok"
    assert rows["ben"]["status"] == "ok" or rows["ben"]["reason"]
    json.dumps(rows, ensure_ascii=False).encode()


# ---- judge, record, feedback, report, export


class Unpicklable(Exception):
    def __reduce__(self):
        raise TypeError("not to be sent")


class NoWords(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


def hostile(kind):
    """What a judge may do or return when a submission makes it."""
    if kind == "surrogate":
        found = result(SOURCE, {}, message=f"ValueError: lone {LONE}\n  {LONE}")
        return found | {"flags": [LONE]}
    if kind == "markup":
        return result(
            SOURCE, {}, message="<script>x</script> {{ 7*7 }} \0\x1b[31m $$ `" + "x" * 10**5
        )
    if kind == "flagged surrogate":
        return result(SOURCE, status="flagged", reason=LONE, flags=[LONE, "\0"])
    if kind == "numbers":
        return result(SOURCE, {"masked_mean_pool": float("nan")}) | {
            "peak_mib": float("inf"),
            "seconds": {"total": float("nan"), "cells": None},
        }
    if kind == "nothing":
        return None
    if kind == "half":
        return {"status": "graded", "exercises": {"masked_mean_pool": {}}}
    if kind == "unknown exercise":
        return result(SOURCE) | {"exercises": {}}
    errors = {
        "raises surrogate": ValueError(LONE),
        "raises group": ExceptionGroup(LONE, [ValueError(LONE)]),
        "raises memory": MemoryError(),
        "raises recursion": RecursionError("deep"),
        "raises unpicklable": Unpicklable(LONE),
        "raises without words": NoWords(),
        "exits": SystemExit(3),
    }
    if kind == "kills its process":
        os._exit(9)
    raise errors[kind]


KINDS = ["surrogate", "markup", "flagged surrogate", "numbers", "nothing", "half"]
KINDS += ["unknown exercise", "raises surrogate", "raises group", "raises memory"]
KINDS += [
    "raises recursion",
    "raises unpicklable",
    "raises without words",
    "exits",
    "kills its process",
]


class HostileJudge(CannedJudge):
    def judge(self, notebook):
        kind = nbformat.read(notebook, as_version=4).metadata["canned"].get("kind")
        return hostile(kind) if kind else result(self.source)


def test_a_hostile_result_is_one_students_result(tmp_path):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    release = nbformat.reads(RELEASE.decode(), as_version=4)
    for k, kind in enumerate(["", *KINDS]):
        notebook = nbformat.from_dict(release)
        notebook.metadata["canned"] = {"kind": kind}
        put(tmp_path, f"s{k:02d}", NAME, notebook, repairs=["x"])
    found = autograde(ROOT, tmp_path, NAME, workers=2, progress=False, make_judge=HostileJudge)
    assert [r["student"] for r in found] == [f"s{k:02d}" for k in range(len(KINDS) + 1)]
    status = dict(zip(["", *KINDS], (r["status"] for r in found), strict=True))
    graded = {"", "surrogate", "markup", "numbers"}
    assert {kind for kind in status if status[kind] == "graded"} == graded, found
    assert status["flagged surrogate"] == "flagged"
    assert all(r["reason"] for r in found if r["status"] != "graded")
    mine = scores(Class(ROOT, tmp_path), NAME)["s00"]
    assert sum(mine[key][0] for e in SOURCE.exercises.values() for key in e.points) == FULL
    assert len(feedback(ROOT, tmp_path, NAME, progress=False)) == len(found)
    page = class_report(ROOT, tmp_path, NAME).read_text("utf-8")
    assert "<script>x" not in page
    export(ROOT, tmp_path, NAME)
    with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert float(rows["s00"]["score"]) == FULL
    assert len(rows) == len(found)
    for path in tmp_path.rglob("*"):
        if path.suffix in (".json", ".html", ".csv", ".jsonl"):
            path.read_text("utf-8")


@pytest.mark.parametrize(
    "found", [None, [], {}, {"status": "graded"}, {"status": "great", "exercises": {}}, "x"]
)
def test_what_a_judge_must_not_return_is_a_failed_result(found):
    made = checked(NAME, found)
    assert made["status"] == "failed"
    assert made["fingerprint"] == ""
    assert "no usable result" in made["reason"]


def test_what_nbgrader_cannot_take_in_is_one_students_result(tmp_path, monkeypatch):
    release = nbformat.reads(RELEASE.decode(), as_version=4)
    release.metadata["canned"] = {"outcomes": None}
    for student in ("ann", "ben"):
        put(tmp_path, student, NAME, release)
    real = Class.record

    def record(self, assignment, student, notebook, found, timestamp=None):
        if student == "ann" and found["status"] == "graded":
            raise SystemExit(LONE)
        real(self, assignment, student, notebook, found, timestamp)

    monkeypatch.setattr(Class, "record", record)
    options = {"workers": 1, "progress": False, "make_judge": CannedJudge}
    found = autograde(ROOT, tmp_path, NAME, **options)
    assert [r["status"] for r in found] == ["failed", "graded"]
    assert "could not be entered" in found[0]["reason"]
    monkeypatch.undo()
    assert [r["status"] for r in autograde(ROOT, tmp_path, NAME, **options)] == ["graded"] * 2


def test_damaged_files_of_ours_are_made_again_or_named(tmp_path):
    release = nbformat.reads(RELEASE.decode(), as_version=4)
    release.metadata["canned"] = {"outcomes": None}
    for student in ("ann", "ben", "cem"):
        put(tmp_path, student, NAME, release)
    options = {"workers": 1, "progress": False, "make_judge": CannedJudge}
    autograde(ROOT, tmp_path, NAME, **options)
    (tmp_path / "results" / "ann" / f"{NAME}.json").write_text('{"half": ')
    (tmp_path / "repaired" / "ben" / NAME / "repair.json").write_bytes(b"\xff{")
    (tmp_path / "repaired" / "cem" / NAME / f"{NAME}.ipynb").unlink()
    assert set(read_results(tmp_path, NAME)) == {"ben", "cem"}
    found = {r["student"]: r for r in autograde(ROOT, tmp_path, NAME, **options)}
    assert found["ann"]["status"] == "graded"
    assert "run `repair` again" in found["ben"]["reason"]
    assert "run `repair` again" in found["cem"]["reason"]


# ---- text everywhere


def test_text_that_no_file_takes():
    assert files.well_formed({"a": [LONE, 1]}) == {"a": ["\ufffd and \ufffd", 1]}
    assert files.well_formed("\ud83d\ude00") == "\U0001f600"
    assert files.one_line(NoWords()) == "NoWords"
    assert files.one_line("a\n\tb\x1b" + "x" * 999, 10) == "a b\ufffdxxxxx…"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_any_terminal_shows_any_name(tmp_path, encoding):
    for student in ("Łukasz", "张伟"):
        folder = tmp_path / "in" / student
        folder.mkdir(parents=True)
        (folder / "x.ipynb").write_bytes(b"no notebook")
    command = [sys.executable, "-m", "classroom", "collect", NAME, tmp_path / "in"]
    command += ["--workspace", tmp_path / "ws"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = "Łukasz" if encoding == "utf-8" else "\\u0141ukasz"
    assert f"nothing of {shown} can be graded" in done.stdout.decode(encoding)


def test_nothing_waits_for_a_person_where_nothing_could_be_read(tmp_path):
    release = nbformat.reads(RELEASE.decode(), as_version=4)
    release.metadata["canned"] = {"outcomes": None}
    put(tmp_path, "ann", NAME, release)
    put(tmp_path, "eve", NAME, None, reason="The file is empty.")
    autograde(ROOT, tmp_path, NAME, workers=1, progress=False, make_judge=CannedJudge)
    page = class_report(ROOT, tmp_path, NAME).read_text("utf-8")
    assert "<b>0</b> written answers to grade" in page
    export(ROOT, tmp_path, NAME)
    with (tmp_path / "grades_course.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {r["written_answers_to_grade"] for r in rows.values()} == {"0"}
    assert rows["eve"]["course_percent"] == ""
