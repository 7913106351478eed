"""Pages of the classroom made from little: a filled release with scores, comments and attacks."""

import copy
import math

import nbformat
from course import NAME, ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

ATTACK = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
WRONG = """scaled_dot_product_attention: not right yet.
  Expected the weights (no mask) (shape (2, 3, 4, 6)) to be 0.084809 at [0, 0, 0, 0], got 0.2.
  It looks like this: the scores are not divided by the square root of d_k"""


def graded_notebook():
    """The release as the feedback's preprocessors hand it over: scores in the metadata."""
    path = ROOT / "notebooks" / NAME / f"{NAME}.ipynb"
    notebook = copy.deepcopy(nbformat.read(path, as_version=4))
    for number, cell in enumerate(notebook.cells):
        meta = cell.metadata.get("nbgrader") or {}
        key = meta.get("grade_id", "")
        if meta.get("grade"):
            meta["score"] = float(number % 3 and meta["points"])
            meta["comment"] = None
        if key == "scaled_dot_product_attention_check":
            meta["score"] = 0.0
            cell.outputs = [new_output("error", ename="CheckFailed", evalue="", traceback=[WRONG])]
        elif key == "MultiHeadSelfAttention_check":
            meta["score"] = math.nan
            told = "No score yet. It was stopped.\n"
            cell.outputs = [new_output("stream", name="stdout", text=told)]
        elif key == "scaled_dot_product_attention":
            meta["comment"] = f"Nearly there. {ATTACK}"
            cell.source += f"\n# {ATTACK}\nx = {'1 + ' * 60}1"
        elif key == "written_1":
            meta["score"] = 2.0
            cell.source = f"Because $\\sqrt{{d_k}}$ grows. {ATTACK}\n\n$$\\sum_{{i=1}}^n x_i^2$$"
    html = f"<iframe src='http://example.com'></iframe><b onclick='x()'>{ATTACK}</b>"
    picture = new_output("display_data", {"text/html": html, "text/plain": "x"})
    notebook.cells += [new_code_cell("show()", outputs=[picture]), new_markdown_cell(ATTACK)]
    wide = "| " + " | ".join(f"column {i}" for i in range(20)) + " |\n" + "|---" * 20 + "|\n"
    notebook.cells += [new_markdown_cell(wide + "| 1 " * 20 + "|"), new_markdown_cell("y" * 400)]
    note = new_markdown_cell("It was put right before grading, and this costs no points.")
    note.id = "grading-note"
    notebook.cells.insert(0, note)
    return notebook


def about(score=math.nan):
    return {
        "assignment": NAME,
        "student": f"ann {ATTACK}",
        "score": score,
        "max_score": 68.0,
        "late_penalty": 0,
    }
