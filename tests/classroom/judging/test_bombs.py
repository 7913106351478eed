# ruff: noqa: E501
"""Bombs and endings cost their own exercise alone."""

import pytest
from hostile import BYSTANDER, TARGET, submit, unearned

pytestmark = pytest.mark.slow


BOMBS = {
    "memory_bomb": "def masked_mean_pool(x, is_token):\n    y = []\n    while True: y.append(bytearray(2**26))",
    "memory_bomb_of_many": """
import os
def masked_mean_pool(x, is_token):
    for _ in range(8):
        if os.fork() == 0:
            y = [bytearray(os.urandom(2**20)) * 400]
            while True: pass
    while True: pass
""",
    "fork_bomb": "import os\ndef masked_mean_pool(x, is_token):\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "thread_bomb": """
import threading, time
def masked_mean_pool(x, is_token):
    while True:
        threading.Thread(target=time.sleep, args=(100,)).start()
""",
    "exit_in_a_call": "import os\ndef masked_mean_pool(x, is_token): os._exit(0)",
    "exit_in_the_cell": "import os\nos._exit(0)",
    "endless_cell": "while True: pass",
    "ignored_signals": """
import signal
for s in range(1, 65):
    try: signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError): pass
def masked_mean_pool(x, is_token):
    while True:
        pass
""",
    "segmentation_fault": "import ctypes\ndef masked_mean_pool(x, is_token): ctypes.string_at(0)",
    "killed_parent": """
import os
def masked_mean_pool(x, is_token):
    os.kill(os.getppid(), 9)
    os.kill(-1, 9)
    return x.mean(1)
""",
    "background_process": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            for fd in range(3, 128):
                try: os.write(fd, b"AM01" + bytes(4000))
                except OSError: pass
            time.sleep(0.01)
    os._exit(0)
def masked_mean_pool(x, is_token):
    time.sleep(100)
""",
    "output_flood": """
import os, sys
def masked_mean_pool(x, is_token):
    for _ in range(200):
        print("x" * 10**6)
        os.write(1, b"y" * 10**6); os.write(2, b"y" * 10**6)
    raise RuntimeError("z" * 10**8)
""",
    "huge_file": """
def masked_mean_pool(x, is_token):
    for place in ("/tmp/a", "/tmp/b", "/dev/shm/a", "a"):
        with open(place, "wb") as file:
            for _ in range(3000): file.write(bytes(2**20))
""",
    "symbolic_links": """
import os
os.symlink("/", "/tmp/root"); os.symlink("/etc/passwd", "passwd")
os.symlink("/dev/zero", "/tmp/zero"); os.mkdir("/tmp/d"); os.symlink("..", "/tmp/d/up")
def masked_mean_pool(x, is_token):
    return open("/tmp/zero", "rb").read(2**40)
""",
    "deep_recursion": "def masked_mean_pool(x, is_token): return masked_mean_pool(x, is_token)",
    "endless_result": "def masked_mean_pool(x, is_token):\n    y = []\n    y.append(y)\n    return y",
    "giant_result": "def masked_mean_pool(x, is_token): return torch.zeros(1).expand(10**10)[:10**9].clone()",
    "giant_picture_of_one_number": "def masked_mean_pool(x, is_token): return torch.zeros(1).expand(2**38)",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(strict_judge, name):
    result = submit(strict_judge, BOMBS[name], only=(TARGET, BYSTANDER))
    assert not unearned(result)
    assert result["exercises"][TARGET]["points"] == 0
    assert len(result["exercises"][TARGET]["message"]) < 2000
    if result["status"] == "graded":
        assert result["exercises"][BYSTANDER]["status"] == "right", result
    else:
        assert result["reason"]


def test_one_crash_at_the_top_costs_its_own_exercise_alone(strict_judge):
    result = submit(strict_judge, "import os\nos.abort()", only=(TARGET, "f1_scores", BYSTANDER))
    found = {name: r["status"] for name, r in result["exercises"].items()}
    assert found == {TARGET: "failed", "f1_scores": "right", BYSTANDER: "right"}
    assert result["status"] == "graded"
    assert "SIGABRT" in result["exercises"][TARGET]["message"]
