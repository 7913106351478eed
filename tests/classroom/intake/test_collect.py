"""Submissions in the namings of learning platforms, and what must not get in."""

import io
import json
import os
import random
import zipfile
from pathlib import Path

import pytest

from classroom.intake import archives
from classroom.intake.collect import collect, describe
from classroom.intake.platforms import copy_number, plain_name
from classroom.intake.repair_all import repair_all
from classroom.intake.students import owners

ROOT = Path(__file__).resolve().parents[3]
NAME, OTHER = "01_self_attention", "02_grounded_cross_attention"


def release(name, mark=""):
    """A release as submitted by somebody: ``mark`` makes its content differ."""
    text = (ROOT / "notebooks" / name / f"{name}.ipynb").read_text("utf-8")
    notebook = json.loads(text)
    notebook["cells"][-1]["source"] = f"my version {mark}"
    return json.dumps(notebook).encode()


ONE = release(NAME, "1")
TWO = release(NAME, "2")
WRONG = release(OTHER)


def zipped(files):
    """A zip of ``{name or ZipInfo: content}``."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


class Place:
    """A download and a workspace."""

    def __init__(self, folder):
        self.source, self.workspace = folder / "download", folder / "grading"
        self.source.mkdir()

    def put(self, name, data=ONE, time=1_700_000_000):
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time, time))
        return path

    def collect(self, source=None):
        return collect(source or self.source, NAME, self.workspace, progress=False, root=ROOT)

    def submitted(self, student):
        return (self.workspace / "submitted" / student / NAME / f"{NAME}.ipynb").read_bytes()

    def files(self):
        found = (p for p in self.workspace.rglob("*") if p.is_file())
        return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def by_file(summary):
    return {record["file"]: record for record in summary.records}


# ---- names


NAMES = {
    "lastfirst_123_456_name.ipynb": "lastfirst_123",
    "lastfirst_LATE_123_456_name-1.ipynb": "lastfirst_123",
    "anon_x9Yz1_456_name.ipynb": "anon_x9Yz1",
    "lastfirst_123_456_all of it.zip/deep/x.ipynb": "lastfirst_123",
    "First Last_12345_assignsubmission_file_/name.ipynb": "First_Last",
    "First Last_12345_assignsubmission_file/name.ipynb": "First_Last",
    "First Last_12345_assignsubmission_file_name.ipynb": "First_Last",
    "Participant_12345_assignsubmission_file_/name.ipynb": "Participant_12345",
    "First Last - name.ipynb": "First_Last",
    "Copy of First Last - name.ipynb": "First_Last",
    "First Last - Copy of name (1).ipynb": "First_Last",
    "Anne-Marie O'Neil - 01_self_attention.ipynb": "Anne-Marie_O_Neil",
    "submitted/student/01_self_attention/01_self_attention.ipynb": "student",
    "student+01_self_attention+2026-01-30 15:00:00 UTC/01_self_attention.ipynb": "student",
    "01_self_attention_stu7_attempt_2026-01-30-15-00-00_x.ipynb": "stu7",
    "student/Copy of x.ipynb": "student",
    "student/x (1).ipynb": "student",
    "student.zip/x.ipynb": "student",
    "student.zip/inner.zip/x.ipynb": "student",
    "student.ipynb": "student",
    "student_01_self_attention.ipynb": "student",
    "01_self_attention/student/work.ipynb": "student",
    "in/student/x.ipynb": "student",
    "In-ho Kim/x.ipynb": "In-ho_Kim",
    "39786-640693 - Ann Lee - Oct 10, 2025 1022 AM/x.ipynb": "Ann_Lee",
    "Quiz 1/39786-640693 - Ann Lee - 05 March 2026 612 PM/x.ipynb": "Ann_Lee",
    "39786-640693 - Ann Lee - Oct 10, 2025 1022 AM - x.ipynb": "Ann_Lee",
    "ann@uni.edu_1_attention_1_2_5501_x.ipynb": "ann_uni.edu",
    "ann@uni.edu_1_topic/attention_1_2_5501_x.ipynb": "ann_uni.edu",
    "ann_l@uni.edu_20261234_attention_5501_x.ipynb": "ann_l_uni.edu",
    "assignment_77_export/submission_4501/x.ipynb": "submission_4501",
}


@pytest.mark.parametrize(("name", "student"), NAMES.items())
def test_whose_it_is(place, name, student):
    data, parts = ONE, name.split("/")
    while len(parts) > 1 and any(p.endswith(".zip") for p in parts[:-1]):
        k = max(i for i, p in enumerate(parts[:-1]) if p.endswith(".zip"))
        data, parts = zipped({"/".join(parts[k + 1 :]): data}), parts[: k + 1]
    place.put("/".join(parts), data)
    summary = place.collect()
    assert summary.students == [student], summary.records
    assert place.submitted(student) == ONE


@pytest.mark.parametrize("name", ["01_self_attention.ipynb", "Copy of 01_self_attention (2).ipynb"])
def test_a_file_of_nobody_is_refused(place, name):
    place.put(name)
    summary = place.collect()
    assert summary.students == []
    assert "whose" in summary.records[0]["reason"]


def test_a_class_in_a_folder_of_any_name():
    paths = [("Physics stuff", s, "x.ipynb") for s in ("anna", "ben")]
    assert {o.name for o in owners(paths, [NAME], NAME).values()} == {"anna", "ben"}
    paths = [("anna", d, "x.ipynb") for d in ("attempt 1", "attempt 2")]
    assert {o.name for o in owners(paths, [NAME], NAME).values()} == {"anna"}


def test_decomposed_and_composed_names_are_one_student(place):
    place.put("Jose\u0301 Li_1_assignsubmission_file_/a.ipynb", ONE)
    place.put("old/x.txt", b"x")
    place.put("Jos\u00e9 Li - a (1).ipynb", TWO)
    assert place.collect().students == ["Jos\u00e9_Li"]


def test_colliding_names_are_kept_apart_and_stay(place):
    for name in ("a b", "a_b", "A B"):
        place.put(f"{name}/x.ipynb", release(NAME, name))
    students = place.collect().students
    assert len(students) == 3
    assert len({s.casefold() for s in students}) == 3
    assert place.submitted("a_b") == release(NAME, "a_b")
    place.put("0 new/x.ipynb")
    assert set(students) < set(place.collect().students)


def test_moodle_namesakes_are_two_students(place):
    place.put("Ann Li_1_assignsubmission_file_/x.ipynb", ONE)
    place.put("Ann Li_2_assignsubmission_file_/x.ipynb", TWO)
    assert place.collect().students == ["Ann_Li", "Ann_Li-2"]


@pytest.mark.parametrize("name", [".hidden", "con", "feedback", "-x", "a" * 200, "\u5f20\u4f1f"])
def test_student_names_are_safe(place, name):
    place.put(f"{name}/x.ipynb")
    (student,) = place.collect().students
    assert student[0] not in ".-"
    assert len(student.encode()) < 130
    assert student.casefold() not in ("con", "feedback")


def test_copies_are_numbered():
    names = ["x.ipynb", "Copy of x.ipynb", "x (2).ipynb", "x-Copy3.ipynb", "x - Copy (4).ipynb"]
    assert [copy_number(n) for n in names] == [0, 1, 2, 3, 4]
    assert {plain_name(n) for n in names} == {"x"}


PEOPLE = """submission_1:
  :submitters:
  - :name: Ann Lee
    :sid: '100'
    :email: ann@uni.edu
  :created_at: 2026-01-30 03:04:05.000000000 Z
submission_2:
  :submitters:
  - :name: Bo Li
    :sid: '200'
  - :name: Cy Ma
    :sid: '201'
submission_3: !ruby/object:Strange
  :submitters: []
"""


def test_gradescopes_list_says_who_handed_in_what(place):
    for k in (1, 2, 3):
        place.put(f"assignment_77_export/submission_{k}/x.ipynb", release(NAME, str(k)))
    place.put("assignment_77_export/submission_metadata.yml", PEOPLE.encode())
    assert place.collect().students == ["Ann_Lee", "Bo_Li_and_Cy_Ma", "submission_3"]
    stamp = place.workspace / "submitted" / "Ann_Lee" / NAME / "timestamp.txt"
    assert stamp.read_text().startswith("2026-01-30T03:04:05")
    (place.source / "assignment_77_export" / "submission_1").rename(
        place.source / "assignment_77_export" / "submission_9"
    )
    place.put(
        "assignment_77_export/submission_metadata.yml", PEOPLE.replace("n_1:", "n_9:").encode()
    )
    assert "Ann_Lee" in place.collect().students  # handed in again: the same person


def test_a_gradescope_list_that_cannot_be_read_costs_nothing(place):
    place.put("submission_1/x.ipynb")
    place.put("submission_metadata.yml", b"\xff: [")
    assert place.collect().students == ["submission_1"]


def test_brightspace_attempts_are_one_students(place):
    times = ("Mar 5, 2026 612 PM", "Apr 12, 2026 1159 AM", "Apr 12, 2026 1201 AM")
    for k, time in enumerate(times):
        place.put(f"101-9 - Ann Lee - {time}/x.ipynb", release(NAME, str(k)))
    place.put("102-9 - Ann Lee - Mar 1, 2026 100 AM/x.ipynb", release(NAME, "namesake"))
    place.put("index.html", b"<html>")
    assert place.collect().students == ["Ann_Lee", "Ann_Lee-102"]
    assert place.submitted("Ann_Lee") == release(NAME, "1")
    stamp = place.workspace / "submitted" / "Ann_Lee" / NAME / "timestamp.txt"
    assert stamp.read_text().startswith("2026-04-12T11:59:00")


def test_prairielearn_counts_submissions(place):
    place.put("ann@uni.edu_1_topic/q_1_10_5502_x.ipynb", TWO)
    place.put("ann@uni.edu_1_topic/q_1_9_5501_y.ipynb", ONE)
    assert place.collect().students == ["ann_uni.edu"]
    assert place.submitted("ann_uni.edu") == TWO


# ---- students without a notebook


NOTHING = {
    "bo/01_self_attention.pdf": "a PDF, not a notebook",
    "bo/01_self_attention.py": "a Python file, not a notebook",
    "bo/page.html": "a web page, not a notebook",
    "bo/shot.png": "a picture, not a notebook",
    "bo_1_5_x.pdf": "a PDF, not a notebook",
    "Bo Li_1_assignsubmission_file_/x.docx": "a Word file, not a notebook",
    "bo - x.html": "a web page, not a notebook",
    "11-9 - bo - Mar 5, 2026 612 PM/x.py": "a Python file, not a notebook",
    "bo/deeper/x.txt": "text, not a notebook",
    "bo/": "an empty folder",
    "bo/01_self_attention.ipynb/": "an empty folder",
    "bo.zip": "an empty folder",
}


@pytest.mark.parametrize("other", [None, "anna/x.ipynb", "anna_2_6_x.ipynb"])
@pytest.mark.parametrize(("name", "reason"), NOTHING.items())
@pytest.mark.parametrize("packed", [False, True])
def test_who_handed_in_no_notebook_is_named(place, name, reason, other, packed):
    data = zipped({}) if name.endswith(".zip") else b"x"
    if name.endswith("/"):
        (place.source / name).mkdir(parents=True)
    else:
        place.put(name, data)
    if other:
        place.put(other)
    source = None
    if packed:
        source = place.source.parent / "all.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(place.source.rglob("*")):
                archive.write(path, path.relative_to(place.source))
    summary = place.collect(source)
    named = {r["student"]: r["reason"] for r in summary.records if r["status"] == "refused"}
    assert list(named.values()) == [reason]
    (student,) = named
    assert student.casefold().startswith("bo")
    assert f"nothing of {student} can be graded" in describe(summary)
    rows = {r["student"]: r for r in repair_all(ROOT, place.workspace, NAME, progress=False)}
    assert rows[student]["status"] == "failed"
    assert rows[student]["reason"].endswith(reason)
    assert place.collect(source) == summary


def test_a_document_beside_a_notebook_is_nobodys_failure(place):
    place.put("anna/x.ipynb")
    place.put("anna/notes.pdf", b"x")
    place.put("readme.md", b"x")
    place.put("grades.csv", b"x")
    place.put(f"submitted/ben/{OTHER}/{OTHER}.pdf", b"x")
    summary = place.collect()
    assert summary.students == ["anna"]
    assert {r["status"] for r in summary.records} == {"accepted", "ignored"}


def test_a_notebook_that_comes_later_counts(place):
    place.put("bo/x.pdf", b"x")
    assert place.collect().students == []
    place.put("bo/x.ipynb")
    summary = place.collect()
    assert summary.students == ["bo"]
    assert by_file(summary)["bo/x.pdf"]["status"] == "ignored"
    rows = repair_all(ROOT, place.workspace, NAME, progress=False)
    assert [row["status"] for row in rows] == ["ok"]


def test_what_may_not_be_read_is_named(place, monkeypatch):
    place.put("anna/x.ipynb")
    place.put("ben/x.ipynb")
    place.put("cy/x.ipynb")
    real_open, real_scan = open, os.scandir

    def refuse(real, mark):
        def call(path, *arguments, **named):
            if mark in str(path):
                raise PermissionError(13, "Permission denied")
            return real(path, *arguments, **named)

        return call

    monkeypatch.setattr(archives, "open", refuse(real_open, "/ben/"), raising=False)
    monkeypatch.setattr(archives.os, "scandir", refuse(real_scan, "/cy"))
    summary = place.collect()
    assert summary.students == ["anna"]
    assert {r["student"] for r in summary.records} == {"anna", "ben", "cy"}
    assert describe(summary).count("Permission denied") == 2


# ---- attempts


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("doe_1_5_x.ipynb", "doe_1_6_x-1.ipynb"),
        ("doe_1_5_x-2.ipynb", "doe_LATE_1_5_x-10.ipynb"),
        ("doe_1_5_x-1.ipynb", "doe_1_9_final.ipynb"),
        ("doe_1/x.ipynb", "doe_1/x (1).ipynb"),
        ("doe_1/x (9).ipynb", "doe_1/x (10).ipynb"),
    ],
)
def test_the_latest_attempt_wins_and_all_are_kept(place, earlier, later):
    place.put(later, TWO)
    place.put(earlier, ONE)
    records = by_file(place.collect())
    assert records[later]["status"] == "accepted"
    assert records[earlier]["status"] == "superseded"
    assert place.submitted("doe_1") == TWO
    kept = sorted((place.workspace / "collected" / NAME / "doe_1").iterdir())
    assert [p.read_bytes() for p in kept] == [ONE, TWO]
    assert kept[0].name.startswith("00_")


def test_the_newer_file_wins_over_the_number_of_its_copy(place):
    place.put("anna/x (1).ipynb", ONE, time=1_700_000_000)
    place.put("anna/x.ipynb", TWO, time=1_700_009_000)
    place.collect()
    assert place.submitted("anna") == TWO


@pytest.mark.parametrize("bad", [b"", b"{", WRONG, b"<html>"])
def test_a_refused_latest_attempt_falls_back(place, bad):
    place.put("doe_1_5_x.ipynb", ONE)
    place.put("doe_1_6_x-1.ipynb", bad)
    summary = place.collect()
    assert place.submitted("doe_1") == ONE
    reason = by_file(summary)["doe_1_5_x.ipynb"]["reason"]
    assert "latest valid" in reason
    assert "doe_1_6_x-1.ipynb" in reason
    assert "doe_1_6_x-1.ipynb" in describe(summary)


def test_another_assignment_is_known_by_its_content(place):
    place.put(f"anna/{NAME}.ipynb", WRONG)
    record = place.collect().records[0]
    assert record["status"] == "refused"
    assert OTHER in record["reason"]


def test_other_assignments_in_their_own_folders_are_no_attempts(place):
    place.put(f"submitted/anna/{NAME}/{NAME}.ipynb", ONE)
    place.put(f"submitted/anna/{OTHER}/{OTHER}.ipynb", WRONG)
    place.put(f"submitted/ben/{OTHER}/{OTHER}.ipynb", WRONG)
    summary = place.collect()
    assert summary.students == ["anna"]
    assert [r["status"] for r in summary.records].count("ignored") == 2


# ---- again


def test_running_again_changes_nothing_and_new_files_are_added(place):
    place.put("doe_1_5_x.ipynb", ONE)
    place.put("anna/x.ipynb", ONE)
    first = place.collect()
    before = place.files()
    assert place.collect() == first
    assert place.files() == before
    place.put("doe_1_6_x-1.ipynb", TWO)
    (place.source / "anna/x.ipynb").unlink()
    second = place.collect()
    assert second.students == ["anna", "doe_1"]
    assert place.submitted("doe_1") == TWO
    assert not before.keys() - place.files().keys()


def test_an_interrupted_run_leaves_nothing_half_made(place, monkeypatch):
    for k in range(3):
        place.put(f"student{k}/x.ipynb", release(NAME, str(k)))
    real, calls = os.replace, []

    def stop(self, target):
        calls.append(target)
        if len(calls) == 5:
            raise KeyboardInterrupt
        real(self, target)
        return Path(target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            place.collect()
    for path in place.workspace.rglob("*.ipynb"):
        assert json.loads(path.read_bytes())["cells"]
    place.collect()
    left = [p for p in place.files() if p.name.startswith(".") or ".collecting" in str(p)]
    assert left == []
    fresh = collect(place.source, NAME, place.workspace.parent / "b", progress=False, root=ROOT)
    assert fresh == place.collect()


# ---- what must not get in


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("entry", "data", "reason"),
    [
        ("../evil.ipynb", ONE, "leads out"),
        ("a/../../evil.ipynb", ONE, "leads out"),
        ("..\\evil.ipynb", ONE, "leads out"),
        ("/etc/evil.ipynb", ONE, "leads out"),
        ("C:/evil.ipynb", ONE, "leads out"),
        (link("evil.ipynb"), b"/etc/passwd", "symbolic link"),
        ("evil.ipynb", b"0" * 30_000_000, "zip bomb"),
        ("evil.zip", b"PK\3\4 no zip", "not a readable zip"),
        ("evil.rar", b"Rar!", "ask for a zip"),
    ],
)
def test_entries_that_are_refused(place, entry, data, reason):
    place.put("anna.zip", zipped({entry: data, "good.ipynb": ONE}))
    summary = place.collect()
    refused = [r for r in summary.records if r["status"] == "refused"]
    assert len(refused) == 1
    assert reason in refused[0]["reason"]
    assert place.submitted("anna") == ONE
    inside = {p.resolve() for p in place.workspace.parent.rglob("evil*")}
    assert inside == set()


def test_zips_nest_only_so_deep(place):
    data = zipped({"x.ipynb": ONE})
    for k in range(5):
        data = zipped({f"z{k}.zip": data})
    place.put("anna.zip", data)
    (record,) = place.collect().records
    assert "nested deeper" in record["reason"]


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("MAX_FILE", 1000, "more than the limit"),
        ("MAX_TOTAL", 1000, "more than the limit"),
        ("MAX_ENTRIES", 1, "files in one zip"),
    ],
)
def test_limits(place, monkeypatch, limit, value, reason):
    monkeypatch.setattr(archives, limit, value)
    place.put("anna.zip", zipped({"x.ipynb": ONE, "y.ipynb": TWO}))
    summary = place.collect()
    assert summary.students == []
    assert all(reason in r["reason"] for r in summary.records)


def test_links_and_stray_files_in_a_folder(place):
    place.put("anna/x.ipynb")
    secret = place.workspace.parent / "secret.ipynb"
    secret.write_bytes(TWO)
    (place.source / "anna" / "y.ipynb").symlink_to(secret)
    os.mkfifo(place.source / "anna" / "z.ipynb")
    for name in (".DS_Store", "__MACOSX/._x.ipynb", ".ipynb_checkpoints/x.ipynb", "a.txt", "b.py"):
        place.put(f"anna/{name}", ONE if name.endswith("ipynb") else b"x")
    records = by_file(place.collect())
    status = {name.removeprefix("anna/"): r["status"] for name, r in records.items()}
    assert status == {
        "x.ipynb": "accepted",
        "y.ipynb": "refused",
        "z.ipynb": "refused",
        ".DS_Store": "ignored",
        "__MACOSX": "ignored",
        ".ipynb_checkpoints": "ignored",
        "a.txt": "ignored",
        "b.py": "ignored",
    }
    assert place.submitted("anna") == ONE


def test_a_notebook_under_another_suffix_is_found(place):
    place.put("anna/x.ipynb.txt")
    place.put("ben/x.json")
    assert place.collect().students == ["anna", "ben"]


def test_the_log_has_a_line_for_each_file(place):
    place.put("anna/x.ipynb")
    place.put("ben/x.ipynb", b"")
    place.collect()
    log = place.workspace / "collected" / NAME / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [(r["file"], r["student"], r["status"]) for r in lines] == [
        ("anna/x.ipynb", "anna", "accepted"),
        ("ben/x.ipynb", "ben", "refused"),
    ]
    assert len(lines[0]["sha256"]) == 64
    assert lines[0]["time"] == "2023-11-14T22:13:20+00:00"


def test_a_folder_and_its_zip_give_the_same(place, tmp_path):
    files = {"doe_1_5_x.ipynb": ONE, "Ann Li - x.ipynb": TWO, "bad.zip": b"bad", "c/x.ipynb": b""}
    for name, data in files.items():
        place.put(name, data)
    (tmp_path / "all.zip").write_bytes(zipped(files))
    one = place.collect()
    (tmp_path / "other").mkdir()
    two = Place(tmp_path / "other").collect(tmp_path / "all.zip")
    shown = [[(r["file"], r["student"], r["status"]) for r in s.records] for s in (one, two)]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("seed", range(30))
def test_nonsense_is_refused_with_a_reason(place, seed):
    rng = random.Random(seed)
    good = bytearray(zipped({"x.ipynb": ONE, "d/y.ipynb": TWO}))
    for _ in range(rng.choice([1, 20, 500])):
        good[rng.randrange(len(good))] = rng.randrange(256)
    place.put("anna.zip", bytes(good))
    place.put("ben/x.ipynb", rng.randbytes(rng.randrange(3000)))
    place.put("cy/x.ipynb", ONE[: rng.randrange(len(ONE))])
    summary = place.collect()
    assert {"ben", "cy"} & set(summary.students) == set()
    assert all(r["reason"] for r in summary.records)


@pytest.mark.parametrize(
    ("source", "assignment", "message"),
    [
        ("nothing", NAME, "must be a folder or a zip"),
        ("", "07_nothing", "assignment must be one of"),
    ],
)
def test_bad_arguments_are_named(place, source, assignment, message):
    with pytest.raises(ValueError, match=message):
        collect(place.source / source, assignment, place.workspace, progress=False, root=ROOT)
