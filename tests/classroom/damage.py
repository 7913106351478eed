"""What Colab, other tools and students do to a notebook, by name: ``DAMAGES[name](notebook, rng)``.

Each changes a parsed notebook (plain JSON) in place and leaves its answers in it, so that repairing
must bring back the clean notebook.
"""

from __future__ import annotations

import copy
import json
import random

import nbformat

TASK = "*Your answer here.*"


def filled(release, answers, written="Because the scores grow with the width."):
    """The release as plain JSON with ``answers`` by exercise, and written ones of several lines."""
    notebook = json.loads(nbformat.writes(release, version=4))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        name = grade_id(cell)
        if name in answers:
            cell["source"] = answers[name]
        elif cell["source"] == TASK:
            cell["source"] = f"{written}\n\nThis is what I say on {name}."
    return notebook


def grade_id(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def _nbgrader(notebook):
    return [c for c in notebook["cells"] if "nbgrader" in c["metadata"]]


def _answers(notebook):
    """Code cells of students; by their text where the marks are gone."""
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and _is_answer(c)]


def _is_answer(cell):
    meta = cell["metadata"].get("nbgrader", {})
    return meta.get("solution") and not meta.get("grade")


def _checks(notebook):
    return [c for c in notebook["cells"] if c["source"].startswith("checks.")]


def _given(notebook, kind="code"):
    """Cells of ours that no student has touched yet."""
    cells = [c for c in notebook["cells"] if c["cell_type"] == kind]
    return [c for c in cells if c["source"] in OURS and not c["source"].startswith("checks.")]


def _pick(rng, cells, share=0.4):
    return [cell for cell in cells if rng.random() < share] or cells[:1]


def _index(notebook, cell):
    return next(i for i, c in enumerate(notebook["cells"]) if c is cell)


# ---- Colab and other tools


def colab(notebook, rng):
    """What a notebook looks like after Colab saved it."""
    notebook["nbformat_minor"] = 0
    notebook["metadata"] = {
        "colab": {"provenance": [], "toc_visible": True, "name": "Copy of x.ipynb"},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {}},
    }
    for cell in notebook["cells"]:
        cell["metadata"]["id"] = cell.pop("id", None) or f"{rng.getrandbits(40):x}"
        if cell["cell_type"] == "code":
            cell["metadata"]["executionInfo"] = {"status": "ok", "user": {"displayName": "A"}}
            cell["metadata"]["outputId"] = "ab12"
            cell["metadata"]["colab"] = {"base_uri": "https://localhost:8080/"}


def strip_nbgrader(notebook, rng):
    for cell in notebook["cells"]:
        cell["metadata"].pop("nbgrader", None)


def strip_some_nbgrader(notebook, rng):
    for cell in _pick(rng, _nbgrader(notebook)):
        del cell["metadata"]["nbgrader"]


def strip_all_metadata(notebook, rng):
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def drop_ids(notebook, rng):
    for cell in notebook["cells"]:
        cell.pop("id", None)


def change_ids(notebook, rng):
    for cell in notebook["cells"]:
        cell["id"] = f"{rng.getrandbits(48):012x}"


def duplicate_ids(notebook, rng):
    for cell in _pick(rng, notebook["cells"]):
        cell["id"] = "same"


def rename_grade_ids(notebook, rng):
    for cell in _pick(rng, _answers(notebook)):
        cell["metadata"]["nbgrader"]["grade_id"] = f"cell-{rng.getrandbits(64):016x}"


def old_schema(notebook, rng):
    for cell in _nbgrader(notebook):
        meta = cell["metadata"]["nbgrader"]
        meta["schema_version"] = 1
        for key in ("task", "cell_type", "checksum"):
            meta.pop(key, None)


def no_schema(notebook, rng):
    for cell in _nbgrader(notebook):
        cell["metadata"]["nbgrader"].pop("schema_version", None)


def future_schema(notebook, rng):
    for cell in _nbgrader(notebook):
        cell["metadata"]["nbgrader"] |= {"schema_version": 9, "rubric": {"a": 1}}


def no_kernelspec(notebook, rng):
    notebook["metadata"] = {}


def other_kernel(notebook, rng):
    notebook["metadata"] = {"kernelspec": {"name": "my-env", "display_name": "My"}}


def future_minor(notebook, rng):
    notebook["nbformat_minor"] = 11
    notebook["future"] = {"x": 1}
    for cell in notebook["cells"]:
        cell["future"] = True


def nbformat3(notebook, rng):
    """Worksheets, ``input`` instead of ``source``, headings of their own type."""
    cells = []
    for cell in notebook.pop("cells"):
        cell.pop("id", None)
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
            cell["language"], cell["prompt_number"] = "python", 1
        cells.append(cell)
    half = len(cells) // 2
    notebook["worksheets"] = [{"cells": cells[:half]}, {"cells": cells[half:]}]
    notebook["nbformat"], notebook["nbformat_minor"] = 3, 0


def source_lists(notebook, rng):
    for cell in _cells(notebook):
        key = "input" if "input" in cell else "source"
        if isinstance(cell[key], str):
            cell[key] = cell[key].splitlines(keepends=True)


def windows_lines(notebook, rng):
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")


def wrapped(notebook, rng):
    """As the contents API of Jupyter sends it."""
    inner = dict(notebook)
    notebook.clear()
    notebook |= {"name": "x.ipynb", "type": "notebook", "content": inner}


def outputs(notebook, rng):
    for cell in _pick(rng, [c for c in notebook["cells"] if c["cell_type"] == "code"]):
        cell["execution_count"] = rng.randrange(200)
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 100_000}]


def broken_outputs(notebook, rng):
    for cell in _pick(rng, [c for c in notebook["cells"] if c["cell_type"] == "code"]):
        cell["outputs"] = rng.choice([None, "text", [{"output_type": "new"}], {"a": 1}])
        cell.pop("execution_count", None)


def missing_fields(notebook, rng):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    notebook.pop("metadata", None)


def trailing_spaces(notebook, rng):
    for cell in _given(notebook) + _checks(notebook):
        cell["source"] = cell["source"].replace("\n", "  \n") + "\n\n"


def form_titles(notebook, rng):
    for cell in _pick(rng, _checks(notebook)):
        cell["source"] = "#@title Check\n" + cell["source"]


def junk_entries(notebook, rng):
    notebook["cells"].insert(rng.randrange(len(notebook["cells"])), "not a cell")
    notebook["cells"].append(None)


# ---- students


def reorder(notebook, rng):
    cells = notebook["cells"]
    for cell in _pick(rng, _checks(notebook), 0.2):
        i = _index(notebook, cell)
        cells.insert(rng.randrange(len(cells)), cells.pop(i))


def delete_checks(notebook, rng):
    drop = {id(c) for c in _pick(rng, _checks(notebook))}
    notebook["cells"] = [c for c in notebook["cells"] if id(c) not in drop]


def delete_text(notebook, rng):
    some = [c for c in _given(notebook, "markdown") if c["source"].startswith("<details>")]
    drop = {id(c) for c in _pick(rng, some)}
    notebook["cells"] = [c for c in notebook["cells"] if id(c) not in drop]


def delete_given(notebook, rng):
    drop = {id(c) for c in _pick(rng, _given(notebook))}
    notebook["cells"] = [c for c in notebook["cells"] if id(c) not in drop]


def edit_checks(notebook, rng):
    for cell in _pick(rng, _checks(notebook)):
        cell["source"] += rng.choice(["\nprint('ok')", "  # passes!", "\nassert True"])


def edit_given(notebook, rng):
    for cell in _pick(rng, _given(notebook), 0.2):
        cell["source"] += "\nprint('looking at it')"


def edit_text(notebook, rng):
    some = [c for c in _given(notebook, "markdown") if c["source"].startswith("<details>")]
    for cell in _pick(rng, some, 0.2):
        cell["source"] = cell["source"] + "\n\nTODO: read again"


def retype_answers(notebook, rng):
    for cell in _pick(rng, _answers(notebook)):
        cell["cell_type"] = rng.choice(["markdown", "raw"])


def retype_checks(notebook, rng):
    for cell in _pick(rng, _checks(notebook)):
        cell["cell_type"] = rng.choice(["markdown", "raw"])


def fence_answers(notebook, rng):
    for cell in _pick(rng, _answers(notebook), 0.2):
        cell["cell_type"] = "markdown"
        cell["source"] = f"```python\n{cell['source']}\n```"


def copy_answers(notebook, rng):
    for cell in _pick(rng, _answers(notebook)):
        notebook["cells"].insert(_index(notebook, cell) + 1, copy.deepcopy(cell))


def copy_given(notebook, rng):
    for cell in _pick(rng, _given(notebook) + _checks(notebook), 0.2):
        at = rng.randrange(len(notebook["cells"]))
        notebook["cells"].insert(at, copy.deepcopy(cell))


def stub_copies(notebook, rng):
    """The empty cell kept before (or after) the written one, marks and all."""
    for cell in _pick(rng, _answers(notebook)):
        name = grade_id(cell)
        stub = copy.deepcopy(cell)
        stub["source"] = STUBS[name]
        notebook["cells"].insert(_index(notebook, cell) + rng.randrange(2), stub)


def split_answers(notebook, rng):
    """A cell cut in two within the answer; the second half has no marks, or the same."""
    for cell in _pick(rng, _answers(notebook)):
        lines = cell["source"].split("\n")
        cuts = [i for i in range(1, len(lines)) if lines[i][:1] == " "]
        if cell["cell_type"] != "code" or not cuts:
            continue
        cut = rng.choice(cuts)
        rest = copy.deepcopy(cell)
        cell["source"], rest["source"] = "\n".join(lines[:cut]), "\n".join(lines[cut:])
        if rng.random() < 0.5:
            rest["metadata"] = {}
        rest.pop("id", None)
        notebook["cells"].insert(_index(notebook, cell) + 1, rest)


def merge_with_check(notebook, rng):
    for cell in _pick(rng, _answers(notebook)):
        i = _index(notebook, cell)
        following = notebook["cells"][i + 1] if i + 1 < len(notebook["cells"]) else cell
        if following["source"].startswith("checks.") and cell["cell_type"] == "code":
            cell["source"] += "\n\n" + following["source"]
            del notebook["cells"][i + 1]


def move_answers(notebook, rng):
    """The definition stands in a cell of the student's own; the exercise's cell is gone."""
    for cell in _pick(rng, _answers(notebook), 0.2):
        cell["metadata"] = {}
        cell["id"] = f"{rng.getrandbits(48):012x}"


def answer_in_new_cell(notebook, rng):
    """The stub is left alone; the answer is in a new cell under it."""
    for cell in _pick(rng, _answers(notebook), 0.3):
        name = grade_id(cell)
        if cell["cell_type"] == "code":
            new = {"cell_type": "code", "metadata": {}, "source": cell["source"], "outputs": []}
            cell["source"] = STUBS[name]
            notebook["cells"].insert(_index(notebook, cell) + 1, new)


def prose_in_new_cell(notebook, rng):
    """A written answer under its own cell, which says what it said."""
    for cell in _nbgrader(notebook):
        meta = cell["metadata"]["nbgrader"]
        if meta.get("grade") and meta.get("solution") and cell["source"] != TASK:
            new = {"cell_type": "markdown", "metadata": {}, "source": cell["source"]}
            cell["source"] = TASK
            notebook["cells"].insert(_index(notebook, cell) + 1, new)


def retype_prose(notebook, rng):
    for cell in _nbgrader(notebook):
        meta = cell["metadata"]["nbgrader"]
        if meta.get("grade") and meta.get("solution"):
            cell["cell_type"] = rng.choice(["raw", "code"])


def empty_cells(notebook, rng):
    for _ in range(5):
        at = rng.randrange(len(notebook["cells"]) + 1)
        new = {"cell_type": "code", "metadata": {}, "source": "", "outputs": []}
        notebook["cells"].insert(at, new)


def unlock(notebook, rng):
    for cell in _nbgrader(notebook):
        cell["metadata"]["nbgrader"]["locked"] = False
        cell["metadata"].pop("deletable", None)


def tags_lost(notebook, rng):
    for cell in notebook["cells"]:
        cell["metadata"].pop("tags", None)


# Order matters where one needs what another removes: see ``damage``.
STUDENTS = [
    stub_copies,
    answer_in_new_cell,
    prose_in_new_cell,
    copy_answers,
    split_answers,
    merge_with_check,
    move_answers,
    fence_answers,
    retype_answers,
    retype_prose,
    retype_checks,
    rename_grade_ids,
    reorder,
    delete_checks,
    delete_text,
    delete_given,
    edit_checks,
    edit_given,
    edit_text,
    copy_given,
    empty_cells,
    unlock,
    tags_lost,
]
TOOLS = [
    form_titles,
    trailing_spaces,
    old_schema,
    no_schema,
    future_schema,
    change_ids,
    duplicate_ids,
    drop_ids,
    outputs,
    broken_outputs,
    missing_fields,
    other_kernel,
    no_kernelspec,
    strip_some_nbgrader,
    strip_nbgrader,
    strip_all_metadata,
    colab,
    windows_lines,
    future_minor,
    junk_entries,
    nbformat3,
    source_lists,
    wrapped,
]
DAMAGES = {f.__name__: f for f in STUDENTS + TOOLS}
STUBS: dict[str, str] = {}
OURS: set[str] = set()

# What cannot be meant together: the first leaves nothing for the second, or leaves two readings.
APART = [
    {"junk_entries", "nbformat3", "source_lists"},
    {"split_answers", "fence_answers", "retype_answers", "copy_answers", "stub_copies"},
    {"split_answers", "move_answers", "merge_with_check", "answer_in_new_cell"},
    {"fence_answers", "retype_answers", "merge_with_check", "answer_in_new_cell"},
    {"prose_in_new_cell", "retype_prose"},
    {"copy_answers", "stub_copies", "answer_in_new_cell"},
]


def _cells(notebook):
    if "worksheets" in notebook:
        return [c for sheet in notebook["worksheets"] for c in sheet["cells"]]
    return notebook["cells"]


def combination(rng, most=8):
    """Names of damages that may come together, in the order in which they are done."""
    wanted = rng.sample(list(DAMAGES), rng.randint(2, most))
    kept: list[str] = []
    for name in wanted:
        if not any(name in group and group & set(kept) for group in APART):
            kept.append(name)
    return [name for name in DAMAGES if name in kept]


def damage(notebook, names, seed, release):
    """A damaged copy of a notebook (plain JSON) that was made from ``release``."""
    damaged = copy.deepcopy(notebook)
    rng = random.Random(seed)
    STUBS.clear()
    STUBS.update({grade_id(cell): cell.source for cell in release.cells if _is_answer(cell)})
    OURS.clear()
    OURS.update(cell.source for cell in release.cells if "nbgrader" not in cell.metadata)
    for name in names:
        DAMAGES[name](damaged, rng)
    return damaged
