"""Damaged notebooks come back: the answers, the release around them, and a report."""

import contextlib
import copy
import json
import random
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from damage import DAMAGES, combination, damage, filled, grade_id

from classroom.authoring.source import read_source
from classroom.intake.answers import normal
from classroom.intake.reading import NotANotebook
from classroom.intake.repair import repair_bytes, repair_notebook
from classroom.intake.repair_all import repair_all

ROOT = Path(__file__).resolve().parents[3]
NAMES = ["01_self_attention", "02_grounded_cross_attention", "05_icu_mortality"]


class Assignment:
    def __init__(self, name):
        path = ROOT / "notebooks" / name / f"{name}.ipynb"
        self.release = nbformat.read(path, as_version=4)
        self.source = read_source(ROOT, name)
        self.answers = {e.name: e.answer for e in self.source.exercises.values()}
        self.clean = filled(self.release, self.answers)

    def skeleton(self, notebook):
        """Cells with the release's ids, without the answers' blank lines."""
        ids = {cell.id for cell in self.release.cells}
        return [
            (c.id, c.cell_type, normal(c.source), c.metadata) for c in notebook.cells if c.id in ids
        ]

    def added(self, notebook):
        ids = {cell.id for cell in self.release.cells}
        return [c for c in notebook.cells if c.id not in ids]


@pytest.fixture(scope="module", params=NAMES)
def any_assignment(request):
    return Assignment(request.param)


@pytest.fixture(scope="module")
def first():
    return Assignment(NAMES[0])


def expect_clean(assignment, repaired):
    clean = nbformat.from_dict(copy.deepcopy(assignment.clean))
    got, wanted = assignment.skeleton(repaired.notebook), assignment.skeleton(clean)
    for one, other in zip(got, wanted, strict=True):
        assert one == other
    assert all("nbgrader" not in c.metadata for c in assignment.added(repaired.notebook))
    assert repaired.notebook.metadata == assignment.release.metadata
    nbformat.validate(repaired.notebook)


def test_a_clean_notebook_needs_nothing(any_assignment):
    repaired = repair_notebook(copy.deepcopy(any_assignment.clean), any_assignment.release)
    expect_clean(any_assignment, repaired)
    assert repaired.repairs == []
    assert repaired.flags == []
    assert any_assignment.added(repaired.notebook) == []


def test_the_empty_release_stays_itself(any_assignment):
    release = any_assignment.release
    repaired = repair_notebook(copy.deepcopy(release), release)
    assert repaired.notebook == release
    assert (repaired.repairs, repaired.flags) == ([], [])


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_undone(any_assignment, name):
    damaged = damage(any_assignment.clean, [name], 1, any_assignment.release)
    assert damaged != any_assignment.clean
    repaired = repair_notebook(damaged, any_assignment.release)
    expect_clean(any_assignment, repaired)
    assert any_assignment.added(repaired.notebook) == []
    if name != "edit_checks":
        assert repaired.flags == []


@pytest.mark.parametrize("seed", range(60))
def test_damages_at_random_are_undone(any_assignment, seed):
    names = combination(random.Random(seed))
    damaged = damage(any_assignment.clean, names, seed, any_assignment.release)
    try:
        expect_clean(any_assignment, repair_notebook(damaged, any_assignment.release))
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {names}") from error


# ---- what random damages do not show


def code(text, **metadata):
    return {"cell_type": "code", "metadata": metadata, "source": text, "outputs": []}


def text(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def sources(notebook):
    return {grade_id(c): c["source"] for c in notebook["cells"] if grade_id(c)}


@pytest.fixture
def clean(first):
    return copy.deepcopy(first.clean)


def at(notebook, name):
    return next(i for i, c in enumerate(notebook["cells"]) if grade_id(c) == name)


def test_added_cells_stay_in_place_without_marks(first, clean):
    i = at(clean, "masked_mean_pool")
    clean["cells"].insert(i, code("def helper():\n    return 1", tags=["given", "train"]))
    clean["cells"].insert(i + 3, text("A note to myself"))
    repaired = repair_notebook(clean, first.release)
    expect_clean(first, repaired)
    ids = [c.id for c in repaired.notebook.cells]
    j = ids.index("masked_mean_pool")
    helper, note = repaired.notebook.cells[j - 1], repaired.notebook.cells[j + 2]
    assert helper.source.startswith("def helper")
    assert helper.metadata == {"tags": ["train"]}, "tags that hide a cell are not kept"
    assert (note.cell_type, note.source, note.metadata) == ("markdown", "A note to myself", {})
    assert len(set(ids)) == len(ids)
    assert repaired.flags == []


def test_of_two_different_answers_the_later_is_taken_and_flagged(first, clean):
    i = at(clean, "masked_mean_pool")
    later = copy.deepcopy(clean["cells"][i])
    later["source"] = "def masked_mean_pool(x, is_token):\n    return x.mean(1)"
    clean["cells"].insert(i + 4, later)
    repaired = repair_notebook(clean, first.release)
    assert sources(repaired.notebook)["masked_mean_pool"] == later["source"]
    assert len(repaired.flags) == 1
    assert "masked_mean_pool was answered twice" in repaired.flags[0]
    assert len(repaired.notebook.cells) == len(first.release.cells)


def test_a_trial_under_the_check_does_not_replace_the_answer(first, clean):
    i = at(clean, "masked_mean_pool_check")
    clean["cells"].insert(i + 1, code("def masked_mean_pool(x, is_token):\n    return 0 * x[:, 0]"))
    repaired = repair_notebook(clean, first.release)
    expect_clean(first, repaired)
    assert "masked_mean_pool is also defined" in repaired.flags[0]


def test_helpers_of_the_answer_that_lost_are_kept(first, clean):
    i = at(clean, "masked_mean_pool")
    later = copy.deepcopy(clean["cells"][i])
    clean["cells"][i]["source"] = "EPS = 1e-9\n\n\n" + clean["cells"][i]["source"]
    later["source"] = "def masked_mean_pool(x, is_token):\n    return x.mean(1) + EPS"
    clean["cells"].insert(i + 1, later)
    repaired = repair_notebook(clean, first.release)
    j = [c.id for c in repaired.notebook.cells].index("masked_mean_pool")
    assert repaired.notebook.cells[j].source == later["source"]
    assert repaired.notebook.cells[j - 1].source == "EPS = 1e-9"


def test_imports_added_to_our_cell_are_kept_beside_it(first, clean):
    cell = next(c for c in clean["cells"] if "imports" in c["metadata"].get("tags", []))
    cell["source"] = "import itertools\n" + cell["source"]
    repaired = repair_notebook(clean, first.release)
    expect_clean(first, repaired)
    assert [c.source for c in first.added(repaired.notebook)] == ["import itertools"]
    assert repaired.flags == []


def test_an_edited_check_is_replaced_and_flagged(first, clean):
    clean["cells"][at(clean, "masked_mean_pool_check")]["source"] = "assert True"
    repaired = repair_notebook(clean, first.release)
    expect_clean(first, repaired)
    assert repaired.flags == [
        "The check masked_mean_pool_check had been edited; the release's is used."
    ]


def test_invented_points_are_flagged_and_do_not_count(first, clean):
    clean["cells"][at(clean, "masked_mean_pool_check")]["metadata"]["nbgrader"]["points"] = 99
    extra = {"grade": True, "grade_id": "mine", "points": 50, "solution": False, "locked": True}
    clean["cells"].append(code("1 + 1", nbgrader=extra))
    repaired = repair_notebook(clean, first.release)
    expect_clean(first, repaired)
    assert len(repaired.flags) == 2
    assert "from 3 to 99" in repaired.flags[0]
    assert "'mine'" in repaired.flags[1]


def test_text_hidden_in_metadata_is_flagged(first, clean):
    clean["cells"][3]["metadata"]["solutions"] = "x" * 5000
    repaired = repair_notebook(clean, first.release)
    expect_clean(first, repaired)
    assert repaired.flags == ["Much text in a cell's metadata, under 'solutions'."]


@pytest.mark.parametrize("broken", ["def masked_mean_pool(x, is_token)\n    return x", "def ((("])
def test_a_syntax_error_stays_the_students(first, clean, broken):
    clean["cells"][at(clean, "masked_mean_pool")]["source"] = broken
    repaired = repair_notebook(clean, first.release)
    assert sources(repaired.notebook)["masked_mean_pool"] == broken


def test_a_syntax_error_without_marks_is_found_by_its_first_line(first, clean):
    broken = "def masked_mean_pool(x, is_token)\n    return x"
    clean["cells"][at(clean, "masked_mean_pool")] = code(broken)
    repaired = repair_notebook(clean, first.release)
    assert sources(repaired.notebook)["masked_mean_pool"] == broken


def test_two_answers_in_one_cell_are_taken_apart(first, clean):
    i, j = at(clean, "masked_mean_pool"), at(clean, "multilabel_loss")
    clean["cells"][i]["source"] += "\n\n" + clean["cells"][j]["source"]
    del clean["cells"][j]
    expect_clean(first, repair_notebook(clean, first.release))


def test_all_in_one_cell(first):
    everything = "\n\n".join(first.answers.values())
    notebook = {"cells": [code(everything)], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    repaired = repair_notebook(notebook, first.release)
    got = sources(repaired.notebook)
    assert {k: normal(got[k]) for k in first.answers} == {
        k: normal(v) for k, v in first.answers.items()
    }


def test_an_answer_typed_under_the_question_is_found(first, clean):
    i = at(clean, "written_2")
    clean["cells"][i]["source"] = "*Your answer here.*"
    clean["cells"][i - 1]["source"] += "\n\nI say no."
    repaired = repair_notebook(clean, first.release)
    assert sources(repaired.notebook)["written_2"] == "I say no."


def test_pictures_in_a_written_answer_are_kept(first, clean):
    picture = {"a.png": {"image/png": "aGVsbG8="}}
    clean["cells"][at(clean, "written_1")]["attachments"] = picture
    repaired = repair_notebook(clean, first.release)
    cell = next(c for c in repaired.notebook.cells if c.id == "written_1")
    assert cell.attachments == picture


def test_marks_on_the_wrong_cells_are_not_believed(first, clean):
    i, j = at(clean, "masked_mean_pool"), at(clean, "multilabel_loss")
    a, b = clean["cells"][i], clean["cells"][j]
    a["metadata"], b["metadata"] = b["metadata"], a["metadata"]
    expect_clean(first, repair_notebook(clean, first.release))


# ---- files, and a class


@pytest.mark.parametrize(
    "change",
    [
        lambda t: b"\xef\xbb\xbf" + t.encode(),
        lambda t: t.encode("utf-16"),
        lambda t: t.encode() + b"\n\0\0<<<",
        lambda t: t.replace("\n", "\r\n").encode(),
    ],
)
def test_odd_files_are_read(first, change):
    data = change(json.dumps(first.clean, indent=1))
    expect_clean(first, repair_bytes(data, first.release))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n\0", "empty"),
        (b"<!doctype html>", "web page"),
        (b"PK\3\4 and so on", "zip"),
        (b'{"cells": [', "no valid JSON"),
        (b"[" * 200_000, "nested"),
        (b'{"a": 1}', "no cells"),
        (b'{"cells": []}', "without any cell"),
        (b'{"cells": [1, 2]}', "without any cell"),
        (json.dumps({"cells": [{}] * 5001}).encode(), "5001 cells"),
        (json.dumps({"cells": [text("hello")]}).encode(), "belongs to this assignment"),
    ],
)
def test_what_is_no_notebook_says_why(first, data, reason):
    with pytest.raises(NotANotebook, match=reason):
        repair_bytes(data, first.release)


def strange(rng, depth=0):
    """A random JSON value, often with the keys of notebooks."""
    kind = rng.randrange(9 if depth < 4 else 6)
    if kind < 6:
        return rng.choice([None, True, -1, 1e400, "", "\ud800", "def f1_scores(", "code", "x" * 99])
    if kind == 6:
        return [strange(rng, depth + 1) for _ in range(rng.randrange(5))]
    keys = ["cells", "source", "metadata", "nbgrader", "grade_id", "cell_type", "id", "worksheets"]
    keys += ["attachments", "points", "tags", "nbformat", "outputs", "input", "level"]
    return {rng.choice(keys): strange(rng, depth + 1) for _ in range(rng.randrange(6))}


@pytest.mark.parametrize("seed", range(20))
def test_nonsense_in_the_cells_is_survived(first, seed):
    rng = random.Random(seed)
    notebook = copy.deepcopy(first.clean)
    for _ in range(60):
        cell = rng.choice(notebook["cells"])
        if isinstance(cell, dict):
            key = rng.choice([*cell, "nbgrader", "attachments"])
            (
                cell["metadata"]
                if key == "nbgrader" and isinstance(cell.get("metadata"), dict)
                else cell
            )[key] = strange(rng)
    notebook["cells"] += [strange(rng) for _ in range(40)]
    repaired = repair_bytes(json.dumps(notebook).encode(), first.release)
    nbformat.validate(repaired.notebook)
    nbformat.writes(repaired.notebook).encode()
    marks = [c.metadata["nbgrader"] for c in repaired.notebook.cells if grade_id(c)]
    assert marks == [c.metadata["nbgrader"] for c in first.release.cells if grade_id(c)]


@pytest.mark.parametrize("seed", range(20))
def test_cut_and_scrambled_files_are_refused_or_repaired(first, seed):
    rng = random.Random(seed)
    data = bytearray(json.dumps(first.clean).encode())
    for _ in range(rng.choice([1, 10, 1000])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    data = bytes(data[: rng.choice([None, rng.randrange(len(data))])])
    for content in (data, rng.randbytes(2000), json.dumps(strange(rng)).encode()):
        with contextlib.suppress(NotANotebook):
            nbformat.validate(repair_bytes(content, first.release).notebook)


def submit(folder, student, data):
    path = folder / "submitted" / student / NAMES[0] / f"{NAMES[0]}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def test_a_class_is_repaired_one_by_one(first, tmp_path):
    submit(tmp_path, "anna", json.dumps(first.clean).encode())
    submit(tmp_path, "ben", b"{broken")
    damaged = damage(first.clean, ["colab", "edit_checks"], 1, first.release)
    submit(tmp_path, "cy", json.dumps(damaged).encode())
    rows = repair_all(ROOT, tmp_path, NAMES[0], progress=False)
    assert [(r["student"], r["status"]) for r in rows] == [
        ("anna", "ok"),
        ("ben", "failed"),
        ("cy", "ok"),
    ]
    assert "no valid JSON" in rows[1]["reason"]
    assert rows[2]["repairs"]
    assert rows[2]["flags"]
    folder = tmp_path / "repaired" / "cy" / NAMES[0]
    report = json.loads((folder / "repair.json").read_text("utf-8"))
    assert report == {k: v for k, v in rows[2].items() if k != "student"}
    assert not (tmp_path / "repaired" / "ben" / NAMES[0] / f"{NAMES[0]}.ipynb").exists()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert repair_all(ROOT, tmp_path, NAMES[0], progress=False) == rows
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}


def test_an_unknown_assignment_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no release"):
        repair_all(ROOT, tmp_path, "07_nothing", progress=False)


def test_torch_is_not_imported():
    code = "import classroom.intake.repair_all, classroom.intake.collect, sys; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# ---- whole halves, other platforms, what is no notebook


SCRATCH = "# scratch\nx = 1\nprint(x)"
HELPER = "def _half(values):\n    return values / 2"


MEAN = "masked_mean_pool"


def own_cell(notebook):
    """Index of the cell of ``MEAN``."""
    return next(i for i, cell in enumerate(notebook["cells"]) if grade_id(cell) == MEAN)


def with_copy(first, text, *, before=False, answer=None):
    """The model answers with a second cell that carries the marks of ``MEAN``."""
    notebook = filled(first.release, first.answers | ({MEAN: answer} if answer else {}))
    place = own_cell(notebook)
    again = copy.deepcopy(notebook["cells"][place]) | {"source": text, "id": "again"}
    notebook["cells"].insert(place + (not before), again)
    return notebook


@pytest.mark.parametrize("before", [False, True])
def test_a_copied_answer_cell_used_as_scratch_stays_a_cell_of_its_own(first, before):
    made = repair_notebook(with_copy(first, SCRATCH, before=before), first.release)
    cells, place = made.notebook.cells, own_cell(made.notebook)
    assert cells[place].source == first.answers[MEAN].strip("\n")
    (beside,) = [cell for cell in cells if cell.source == SCRATCH]
    assert "nbgrader" not in beside.metadata
    assert not any("put together" in sentence for sentence in made.repairs)


def test_a_helper_cut_off_its_answer_goes_with_it(first):
    answer = "def masked_mean_pool(hidden, mask):\n    return _half(hidden)"
    made = repair_notebook(with_copy(first, HELPER, before=True, answer=answer), first.release)
    cell = made.notebook.cells[own_cell(made.notebook)]
    assert cell.source == f"{HELPER}\n{answer}"


@pytest.mark.parametrize("line", ["%python", "%pyspark", "%%pyspark", "# MAGIC %python"])
def test_the_language_line_of_another_platform(first, line):
    notebook = filled(first.release, first.answers)
    cell = notebook["cells"][own_cell(notebook)]
    mark = "# MAGIC " if line.startswith("#") else ""
    text = "\n".join(mark + row for row in cell["source"].split("\n"))
    cell["source"] = f"{line}\n{text}"
    made = repair_notebook(notebook, first.release)
    cell = made.notebook.cells[own_cell(made.notebook)]
    assert cell.source == first.answers[MEAN].strip("\n")
    assert any("another platform" in sentence for sentence in made.repairs)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7 x", "a PDF under the name"),
        (b"PK\3\4 x", "a zip archive under the name"),
        (b"\x89PNG\r\n", "a picture under the name"),
        (bytes(range(256)), "no text in it"),
        (b"{" + bytes(range(128, 256)), "no text in it"),
        (b"def masked_mean_pool(x):\n    return x\n", "text, not a notebook"),
        (b'{"cells": [\n{"cell_type"', "damaged or cut off at line 2 of 2"),
        (b"<!DOCTYPE html>", "a web page"),
    ],
)
def test_what_is_no_notebook_is_called_what_it_is(first, data, reason):
    with pytest.raises(NotANotebook, match=reason):
        repair_bytes(data, first.release)
