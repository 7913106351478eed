"""What IPython shows for right, wrong and missing answers; run by whichever Python has the course.

Prints one line when everything looks as it should. The text is what a notebook shows: the lines
that the kernel sends as ``traceback``.
"""

import contextlib
import io
import sys

import IPython
from IPython.core.interactiveshell import InteractiveShell

from course_utils import checks
from course_utils.checks import start_here

SETUP = """
import torch
def stub(rows, columns):
    raise NotImplementedError("broadcast_add: not written yet")
def turned(rows, columns):
    return columns[:, None] + rows[None, :]
def breaks(rows, columns):
    return rows.nothing
def right(rows, columns):
    return rows[:, None] + columns
"""
CASES = {
    "check(right)": (None, ["broadcast_add: right. Verified:"]),
    "check(stub)": (1, ["broadcast_add: not attempted yet."]),
    "check(turned)": (8, ["broadcast_add: not right yet.", "Expected", "It looks like this:"]),
    "check(breaks)": (8, ["broadcast_add: not right yet.", "It raised AttributeError"]),
    "stub(1, 2)": (1, ["broadcast_add: not written yet"]),
    "1 / 0": (99, ["Traceback", "ZeroDivisionError"]),
}


def shown(shell, code):
    """Everything that running a cell prints, without colours."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        shell.run_cell(code)
    return out.getvalue().strip()


def main():
    shell = InteractiveShell.instance()
    shell.run_line_magic("colors", "nocolor" if IPython.version_info[0] >= 9 else "NoColor")
    checks.setup()
    shell.push({"check": start_here.broadcast_add})
    shell.run_cell(SETUP)
    for code, (most_lines, words) in CASES.items():
        text = shown(shell, code)
        lines = text.splitlines()
        assert all(word in text for word in words), f"{code}:\n{text}"
        assert len(lines) <= (most_lines or 1), f"{code} shows {len(lines)} lines:\n{text}"
        assert ("Traceback" in text) == (code == "1 / 0"), f"{code}:\n{text}"
        assert "\x1b" not in text, f"{code}: {text!r}"
    print(f"IPython {IPython.__version__} shows {len(CASES)} outcomes as it should")


if __name__ == "__main__":
    sys.exit(main())
