# ruff: noqa: E501
"""Each exercise has a room of its own, and a filter of system calls."""

import copy

import pytest
from hostile import TELL, said, submit

from classroom.judging.syscalls import compiled

pytestmark = pytest.mark.slow


LEFT = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for base in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    os.mkdir(base + "/.keep"); os.chmod(base + "/.keep", 0)
libc.shmget(0x5151, 4096, 0o1666); libc.msgget(0x5152, 0o1666)
libc.syscall(248, b"user", b"adv", b"text", 4, -4)
"""


def test_nothing_is_left_for_the_next_exercise(strict_judge):
    name = "masked_mean_pool"
    first = strict_judge.source.exercises["scaled_dot_product_attention"].answer + LEFT
    look = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def look():
    found = [b for b in ("/tmp", "/dev/shm", os.path.expanduser("~")) if os.path.exists(b + "/.keep")]
    found += ["shm"] if libc.shmget(0x5151, 4096, 0o666) >= 0 else []
    found += ["queue"] if libc.msgget(0x5152, 0o666) >= 0 else []
    found += ["key"] if libc.syscall(249, b"user", b"adv", None, -4) >= 0 else []
    return found or "nothing"
"""
    notebook = copy.deepcopy(strict_judge.source.notebook)
    result = strict_judge.judge_cells(
        filled(notebook, {"f1_scores": first_only(first)}), ["f1_scores"]
    )
    assert result["status"] == "graded"
    assert said(submit(strict_judge, look + TELL, only=(name,))).startswith("nothing")


def first_only(text):
    return text.replace("def scaled_dot_product_attention", "def f1_scores", 1)


def filled(notebook, answers):
    for cell in notebook.cells:
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(key, cell.source)
    return notebook


REFUSED = {
    "unshare": "libc.unshare(0x10000000)",
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "keyctl": "libc.syscall(250, 0, -3, 0)",
    "ptrace": "libc.ptrace(0, 0, 0, 0)",
    "memfd": "libc.memfd_create(b'x', 0)",
    "shmget": "libc.shmget(0, 4096, 0o1666)",
    "clone": "libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)",
}


@pytest.mark.skipif(compiled() is None, reason="no libseccomp here")
def test_system_calls_are_refused(strict_judge):
    calls = ", ".join(f"({name!r}, {call})" for name, call in REFUSED.items())
    look = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def look():
    return [name for name, result in [{calls}] if result != -1] or "nothing"
"""
    assert said(submit(strict_judge, look + TELL)).startswith("nothing")
