"""What is judged anew: an answer or anything that decides about it, after a change."""

import pytest
import record

from classroom.judging.trial import Task

NAME, EXERCISE = "00_start_here", "an_exercise"


@pytest.fixture
def judged(monkeypatch, tmp_path):
    """Texts of the answers that were judged, and a function that asks for verdicts."""
    seen = []

    def judge(root, notebook, tasks):
        for task in tasks:
            seen.append(task.path.read_text())
            yield {"file": str(task.path), "status": "failed" if "slow" in seen[-1] else "right"}

    monkeypatch.setattr(record, "judge", judge)
    monkeypatch.setattr(record, "FOLDER", tmp_path / "record")
    monkeypatch.delenv("COURSE_FRESH", raising=False)

    def ask(*texts):
        seen.clear()
        tasks = [Task(EXERCISE, tmp_path / f"{number}.py") for number in range(len(texts))]
        for task, text in zip(tasks, texts, strict=True):
            task.path.write_text(text)
        results = record.verdicts(NAME, tasks)
        return list(seen), [r["status"] for r in results]

    return ask


def test_only_what_changed_is_judged(judged):
    assert judged("a = 1", "a = 2") == (["a = 1", "a = 2"], ["right", "right"])
    assert judged("a = 2", "a = 1") == ([], ["right", "right"])
    assert judged("a = 1", "a = 3") == (["a = 3"], ["right", "right"])


def test_an_answer_that_was_stopped_is_judged_again(judged):
    assert judged("slow = 1") == (["slow = 1"], ["failed"])
    assert judged("slow = 1") == (["slow = 1"], ["failed"])


def test_fresh_judges_all(judged, monkeypatch):
    judged("a = 1")
    monkeypatch.setenv("COURSE_FRESH", "1")
    assert judged("a = 1")[0] == ["a = 1"]


@pytest.mark.parametrize("place", ["read_source", "distributions", "_closure"])
def test_what_decides_is_part_of_the_key(judged, monkeypatch, place):
    """A check, a package's version, or the text of a file that is imported."""
    judged("a = 1")
    if place == "read_source":
        source = record.read_source(record.ROOT, NAME)
        cell = next(c for c in source.notebook.cells if c.metadata.get("nbgrader", {}).get("grade"))
        cell.source += "\n# one more"
        monkeypatch.setattr(record, place, lambda *_: type(source)(NAME, source.notebook))
    elif place == "distributions":
        monkeypatch.setattr(record, place, lambda: [])
    else:
        inside = record._closure
        monkeypatch.setattr(record, place, lambda names: inside({*names, "course_utils.text"}))
    assert judged("a = 1")[0] == ["a = 1"]


def test_the_closure_holds_what_checks_import():
    names = {
        p.relative_to(record.ROOT).as_posix()
        for p in record._closure({"course_utils.checks.self_attention"})
    }
    assert {"course_utils/checks/core.py", "course_utils/layers.py"} <= names
    assert "course_utils/data/icu/stays.py" not in names
