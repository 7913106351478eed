"""Results become scores: none where something failed; manual ones stay; a killed run goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import canned
import cloudpickle
import nbformat
import pytest
from canned import CannedJudge, put, result, scores
from course import NAME, ROOT

from classroom.authoring.preprocessors import InjectResults, bounded
from classroom.authoring.source import read_source
from classroom.gradebook.autograde import autograde
from classroom.gradebook.feedback import feedback
from classroom.gradebook.results import read_results, read_submissions
from classroom.gradebook.workspace import Class, note

FIRST, SECOND = "scaled_dot_product_attention", "MultiHeadSelfAttention"
SOURCE = read_source(ROOT, NAME)
CHECKS = {key: most for e in SOURCE.exercises.values() for key, most in e.points.items()}
cloudpickle.register_pickle_by_value(canned)  # so that the workers need not find the tests


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return Class(ROOT, tmp_path_factory.mktemp("release")).prepare(NAME)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A workspace whose gradebook knows the assignment."""
    klass = Class(ROOT, tmp_path_factory.mktemp("class"))
    klass.prepare(NAME, due="2026-11-21 12:00 UTC")
    return klass


def record(klass, release, student, found, stamp=canned.STAMP):
    klass.record(NAME, student, release, found, stamp)
    return scores(klass, NAME)[student]


def test_right_wrong_and_part_of_the_points(prepared, release):
    outcomes = {FIRST: "right", SECOND: "wrong", "masked_mean_pool": 0.5}
    got = record(prepared, release, "mixed", result(SOURCE, outcomes))
    assert got["scaled_dot_product_attention_check"] == (6, None, False)
    assert got["masked_mean_pool_check"] == (CHECKS["masked_mean_pool_check"] / 2, None, False)
    others = CHECKS.keys() - {"scaled_dot_product_attention_check", "masked_mean_pool_check"}
    assert all(got[key] == (0, None, False) for key in others)
    assert got["timestamp"] == "2026-11-20 12:00:00"


@pytest.mark.parametrize(
    ("points", "kept"),
    [(float("nan"), 0), (-3, 0), (99, 4), (float("inf"), 0), (None, 0), ("4", 0), (2.5, 2.5)],
)
def test_points_stay_within_the_cell(points, kept):
    assert bounded(points, 4.0) == kept


@pytest.mark.parametrize("share", [float("nan"), -1.0, 7.0])
def test_strange_points_in_the_gradebook(prepared, release, share):
    got = record(prepared, release, "strange", result(SOURCE, {FIRST: share}))
    assert got["scaled_dot_product_attention_check"][0] == (6 if share == 7 else 0)


def test_a_check_without_a_result_is_never_full_marks():
    with pytest.raises(ValueError, match="nothing about the check some_check"):
        InjectResults({})._outputs("some_check", 3.0)


@pytest.mark.parametrize("status", ["failed", "flagged"])
def test_without_a_score_is_not_zero(prepared, release, status):
    found = result(SOURCE, status=status, reason="It ended too soon.")
    got = record(prepared, release, status, found)
    keys = [*CHECKS, *SOURCE.written]
    assert all(got[key] == (None, None, True) for key in keys)


def test_an_exercise_that_failed_waits_for_a_person(prepared, release):
    outcomes = dict.fromkeys(SOURCE.exercises, "right") | {SECOND: "failed"}
    got = record(prepared, release, "one failed", result(SOURCE, outcomes))
    for key, most in CHECKS.items():
        failed = key in SOURCE.exercises[SECOND].points
        assert got[key] == ((None, None, True) if failed else (most, None, False))


def test_written_answers_wait_and_manual_scores_stay(prepared, release):
    answered = nbformat.from_dict(release)
    for cell in answered.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") in SOURCE.written:
            cell.source = "Because the scores grow with the width."
    got = record(prepared, answered, "writer", result(SOURCE))
    assert all(got[key] == (None, None, True) for key in SOURCE.written)
    by_hand = {"written_1": 1.5, "masked_mean_pool_check": 0.5}
    with prepared.gradebook() as book:
        for key, score in by_hand.items():
            grade = book.find_grade(key, NAME, NAME, "writer")
            grade.manual_score, grade.needs_manual_grade = score, False
        book.find_comment("written_1", NAME, NAME, "writer").manual_comment = "Well argued."
        book.db.commit()
    got = record(prepared, answered, "writer", result(SOURCE, {}))
    assert {key: got[key][1] for key in by_hand} == by_hand
    assert got["scaled_dot_product_attention_check"][0] == 0
    with prepared.gradebook() as book:
        assert book.find_comment("written_1", NAME, NAME, "writer").comment == "Well argued."
        submission = book.find_submission(NAME, "writer")
        assert submission.score == sum(by_hand.values())


def test_late_policy_is_nbgraders_own(prepared, release):
    prepared.config.LateSubmissionPlugin.penalty_method = "zero"
    late = record(prepared, release, "late", result(SOURCE), "2026-11-22 09:00:00 UTC")
    assert late["late"] == sum(CHECKS.values())
    on_time = record(prepared, release, "late", result(SOURCE), "2026-11-21 11:00:00 UTC")
    assert not on_time["late"]
    prepared.config.LateSubmissionPlugin.penalty_method = "none"


def test_feedback_names_the_mistake_and_shows_no_hidden_check(prepared, release):
    wrong = result(SOURCE, dict.fromkeys(SOURCE.exercises, "wrong"))
    wrong |= {"repairs": ["The cell `<script>` came back."], "remarks": []}
    record(prepared, release, "reader", wrong)
    failed = result(SOURCE, status="failed", reason="The file ends in the middle.")
    record(prepared, release, "unlucky", failed)
    pages = {p.parts[-3]: p for p in feedback(ROOT, prepared.workspace, NAME, progress=False)}
    text = pages["reader"].read_text("utf-8")
    plain = re.sub(r"<[^>]+>", "", text)
    assert "It looks like this: masked_mean_pool again" in plain
    assert "this costs no points" in plain
    assert "The cell `&lt;script&gt;` came back" in plain
    assert "<script>` came" not in text
    released = "\n".join(c.source for c in release.cells)
    for exercise in SOURCE.exercises.values():
        for check in exercise.checks.values():
            hidden = check.split("### BEGIN HIDDEN TESTS")[1].splitlines()[2:-1]
            lines = [line.strip() for line in hidden if len(line.strip()) > 40]
            assert not [line for line in lines if line in plain and line not in released]
    plain = re.sub(r"<[^>]+>", "", pages["unlucky"].read_text("utf-8"))
    assert "not the same as zero points" in plain
    assert "The file ends in the middle." in plain
    assert f"No score yet, of {sum(CHECKS.values()) + 7:g} points" in plain
    assert "0.0 /" not in plain

    before = pages["reader"].stat().st_mtime_ns
    feedback(ROOT, prepared.workspace, NAME, progress=False)
    assert pages["reader"].stat().st_mtime_ns == before
    with prepared.gradebook() as book:
        book.find_comment("written_1", NAME, NAME, "reader").manual_comment = "See me."
        book.db.commit()
    feedback(ROOT, prepared.workspace, NAME, progress=False)
    assert "See me." in pages["reader"].read_text("utf-8")


def test_the_note_is_plain_text():
    told = {"status": "flagged", "reason": "[x](javascript:1) <b>", "flags": ["**all** `y`"]}
    text = note(told | {"repairs": [], "remarks": []})
    assert r"\[x\]\(javascript:1\) &lt;b&gt;" in text
    assert r"\*\*all\*\* \`y\`" in text
    assert not note({"status": "graded", "reason": "", "flags": [], "repairs": []})


def test_torch_stays_out_of_the_parent():
    code = (
        "import sys\n"
        "from classroom import __main__\n"
        "from classroom.gradebook import autograde, export, feedback, report\n"
        "assert not {'torch', 'transformers', 'captum'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def canned_notebook(release, **told):
    made = nbformat.from_dict(release)
    made.metadata["canned"] = told
    return made


def fill(workspace, release, sleep=0.0):
    """Six submissions: four kinds of outcome, one without a notebook, one again."""
    outcomes = {"ann": None, "ben": {}, "cem": {FIRST: "right"}, "dee": {SECOND: "failed"}}
    for student, outcome in outcomes.items():
        put(workspace, student, NAME, canned_notebook(release, outcomes=outcome, sleep=sleep))
    put(workspace, "eve", NAME, None, reason="The file is empty.")
    put(workspace, "fay", NAME, canned_notebook(release, outcomes=None, sleep=sleep))


def grade(workspace, **more):
    options = {"workers": 2, "progress": False, "make_judge": CannedJudge} | more
    return autograde(ROOT, workspace, NAME, **options)


def test_a_class_is_graded_and_only_changes_are_graded_again(tmp_path, release):
    fill(tmp_path, release)
    found = {r["student"]: r for r in grade(tmp_path)}
    assert {s: r["status"] for s, r in found.items()} == {
        "ann": "graded", "ben": "graded", "cem": "graded", "dee": "graded",
        "eve": "failed", "fay": "graded",
    }  # fmt: skip
    klass = Class(ROOT, tmp_path)
    first = scores(klass, NAME)
    assert first["ann"]["masked_mean_pool_check"] == (CHECKS["masked_mean_pool_check"], None, False)
    assert first["eve"]["masked_mean_pool_check"] == (None, None, True)
    assert (tmp_path / "autograded" / "eve" / NAME / f"{NAME}.ipynb").is_file()

    with klass.gradebook() as book:  # seen by a person, so it no longer waits
        grade_of = book.find_grade("masked_mean_pool_check", NAME, NAME, "ben")
        grade_of.manual_score, grade_of.needs_manual_grade = 1.0, False
        book.db.commit()
    put(tmp_path, "cem", NAME, canned_notebook(release, outcomes=None))

    class OnlyCem(CannedJudge):
        def judge(self, notebook):
            assert nbformat.read(notebook, as_version=4).metadata["canned"]["outcomes"] is None
            return super().judge(notebook)

    grade(tmp_path, make_judge=OnlyCem)
    second = scores(klass, NAME)
    assert second["cem"]["masked_mean_pool_check"][0] == CHECKS["masked_mean_pool_check"]
    assert second["ben"]["masked_mean_pool_check"] == (0, 1.0, False)
    del first["cem"], second["cem"], first["ben"], second["ben"]
    assert first == second


def test_a_judge_that_breaks_costs_one_submission_until_the_next_run(tmp_path, release):
    put(tmp_path, "ann", NAME, canned_notebook(release, **{"raise": True}))
    put(tmp_path, "ben", NAME, canned_notebook(release, outcomes=None))
    found = {r["student"]: r for r in grade(tmp_path)}
    assert found["ann"]["status"] == "failed"
    assert "no space left" in found["ann"]["reason"]
    assert found["ben"]["status"] == "graded"

    class Well(CannedJudge):
        def judge(self, notebook):
            return result(self.source)

    found = {r["student"]: r for r in grade(tmp_path, make_judge=Well)}
    assert found["ann"]["status"] == "graded"
    assert not scores(Class(ROOT, tmp_path), NAME)["ann"]["masked_mean_pool_check"][2]


def test_a_closed_gate_stops_everything(tmp_path, release):
    class Closed(CannedJudge):
        def gate(self):
            raise RuntimeError("the model solution of masked_mean_pool got 0 of 3 points")

    put(tmp_path, "ann", NAME, canned_notebook(release, outcomes=None))
    with pytest.raises(RuntimeError, match="masked_mean_pool got 0 of 3"):
        grade(tmp_path, make_judge=Closed)
    assert not read_results(tmp_path, NAME)
    assert not scores(Class(ROOT, tmp_path), NAME)


def test_what_is_missing_is_said(tmp_path, release):
    with pytest.raises(FileNotFoundError, match="run `collect` and `repair` first"):
        read_submissions(tmp_path, NAME)
    folder = tmp_path / "submitted" / "ann" / NAME
    folder.mkdir(parents=True)
    nbformat.write(release, folder / f"{NAME}.ipynb")
    with pytest.raises(FileNotFoundError, match="'ann' is not repaired yet"):
        read_submissions(tmp_path, NAME)
    with pytest.raises(ValueError, match="assignment must be one of"):
        autograde(ROOT, tmp_path, "09_nothing")


RUN = """
import sys
sys.path.insert(0, {tests!r})
import canned, cloudpickle
from pathlib import Path
from classroom.gradebook.autograde import autograde
cloudpickle.register_pickle_by_value(canned)
if __name__ == "__main__":
    autograde(Path({root!r}), Path(sys.argv[1]), {name!r}, workers=2, progress=False,
              make_judge=canned.CannedJudge)
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_gradebook(tmp_path, release):
    script = tmp_path / "run.py"
    tests = os.path.dirname(canned.__file__)
    script.write_text(RUN.format(tests=tests, root=str(ROOT), name=NAME))
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    for workspace in (cut, whole):
        fill(workspace, release, sleep=1.5)
    process = subprocess.Popen([sys.executable, script, cut], start_new_session=True)
    deadline = time.monotonic() + 120
    while len(read_results(cut, NAME)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = read_results(cut, NAME)
    assert 2 <= len(done) < 6
    times = {s: (cut / "results" / s / f"{NAME}.json").stat().st_mtime_ns for s in done}
    recorded = {s for s, r in done.items() if r["recorded"]}

    subprocess.run([sys.executable, script, cut], check=True)
    subprocess.run([sys.executable, script, whole], check=True)
    assert len(read_results(cut, NAME)) == 6
    for student in recorded:  # not done twice
        path = cut / "results" / student / f"{NAME}.json"
        assert path.stat().st_mtime_ns == times[student]
    assert scores(Class(ROOT, cut), NAME) == scores(Class(ROOT, whole), NAME)


def test_results_are_json_for_other_tools(tmp_path, release):
    put(tmp_path, "ann", NAME, canned_notebook(release, outcomes=None), repairs=["A name."])
    grade(tmp_path, workers=1)
    told = json.loads((tmp_path / "results" / "ann" / f"{NAME}.json").read_text())
    assert told["repairs"] == ["A name."]
    assert told["exercises"][FIRST]["points"] == 6


SERVE = """
import sys
sys.path.insert(0, {tests!r})
from distributed import LocalCluster
if __name__ == "__main__":
    number = int(sys.argv[1])
    with LocalCluster(n_workers=number, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def scheduler(tmp_path):
    """Start a scheduler with a number of workers in a process of its own; give its address."""
    running = []

    def start(workers):
        script = tmp_path / "serve.py"
        script.write_text(SERVE.format(tests=os.path.dirname(canned.__file__)))
        process = subprocess.Popen(
            [sys.executable, script, str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
        )
        running.append(process)
        return process.stdout.readline().strip()

    yield start
    for process in running:
        process.communicate(timeout=30)


def test_any_scheduler_can_be_used(tmp_path, release, scheduler):
    put(tmp_path, "ann", NAME, canned_notebook(release, outcomes=None))
    put(tmp_path, "bob", NAME, canned_notebook(release, outcomes={}))
    results = grade(tmp_path, scheduler=scheduler(2))
    assert [r["status"] for r in results] == ["graded", "graded"]
    points = [sum(e["points"] for e in r["exercises"].values()) for r in results]
    assert points == [sum(CHECKS.values()), 0]
    assert scores(Class(ROOT, tmp_path), NAME).keys() == {"ann", "bob"}


def test_a_scheduler_without_workers_or_none_at_all(tmp_path, release, scheduler, monkeypatch):
    monkeypatch.setattr("classroom.gradebook.cluster.PATIENCE", 2.0)
    put(tmp_path, "ann", NAME, canned_notebook(release, outcomes=None))
    with pytest.raises(RuntimeError, match="has no worker"):
        grade(tmp_path, scheduler=scheduler(0))
    with pytest.raises(RuntimeError, match=r"nobody answers at tcp://127\.0\.0\.1:1"):
        grade(tmp_path, scheduler="tcp://127.0.0.1:1")
