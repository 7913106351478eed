# ruff: noqa: E501
"""What code in the box can reach: nothing but its own home, and nobody's words."""

import json
import socket
import threading

import pytest
from course import ROOT
from hostile import TARGET, TELL, said, submit

pytestmark = pytest.mark.slow


def test_the_looking_answers_can_speak(strict_judge):
    """Without this, all tests that want silence would pass by themselves."""
    assert said(submit(strict_judge, "def look(): return 6 * 7" + TELL)).startswith("42")


def test_no_network(strict_judge):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    threading.Thread(target=lambda: server.accept(), daemon=True).start()
    look = f"""
import socket
def look():
    for place in (("127.0.0.1", {port}), ("1.1.1.1", 53)):
        try:
            socket.create_connection(place, timeout=1)
            return "CONNECTED"
        except OSError:
            pass
    return "silence"
"""
    assert said(submit(strict_judge, look + TELL)).startswith("silence")
    with socket.create_connection(("127.0.0.1", port)):  # it does listen
        pass


def test_no_course_tree_no_gradebook_no_other_submission(strict_judge, tmp_path):
    (tmp_path / "gradebook.db").write_text("secret")
    (tmp_path / "submitted").mkdir()
    (tmp_path / "submitted" / "other.ipynb").write_text("secret")
    look = f"""
import os
def look():
    wanted = {{"solutions", "gradebook.db", "submitted", "nbgrader_config.py", "examiner.py",
              "submission.py", "right_plain.py", "other.ipynb", ".git"}}
    found = [p for p in ({str(ROOT / "solutions")!r}, {str(tmp_path)!r}) if os.path.exists(p)]
    for base in ("/", {str(ROOT)!r}):
        for folder, folders, files in os.walk(base):
            if folder.startswith(("/proc", "/usr")) or "site-packages" in folder:
                folders.clear()
                continue
            found += [folder + "/" + n for n in {{*folders, *files}} & wanted]
    return found or "nothing"
"""
    assert said(submit(strict_judge, look + TELL)).startswith("nothing")


def test_no_environment_and_no_other_process(strict_judge, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    look = """
import os
def look():
    names = [k for k in os.environ if "SECRET" in k]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = open(f"/proc/{pid}/cmdline").read()
            names += [text] if "examiner" in text or "pytest" in text else []
        except OSError:
            pass
    return names or "nothing"
"""
    assert said(submit(strict_judge, look + TELL)).startswith("nothing")


def test_nothing_can_be_written_but_home_and_tmp(strict_judge):
    look = """
import os
def look():
    written = []
    for place in ("/", "/usr", "/box", "/box/course_utils/checks", "/etc", "/dev", os.__file__[:-5]):
        try:
            open(place + "/x", "w").close()
            written.append(place)
        except OSError:
            pass
    open("/tmp/x", "w").close()
    return written or "nothing"
"""
    assert said(submit(strict_judge, look + TELL)).startswith("nothing")


def test_another_process_memory_is_out_of_reach(strict_judge):
    look = """
import os
def look():
    opened = []
    for pid in [os.getppid(), os.getpid(), 1]:
        try:
            with open(f"/proc/{pid}/mem", "r+b", buffering=0) as file:
                opened.append(pid)
        except OSError:
            pass
    return opened or "nothing"
"""
    assert said(submit(strict_judge, look + TELL)).startswith("nothing")


def test_it_runs_as_nobody_without_capabilities(strict_judge):
    look = """
import os
def look():
    caps = [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapEff", "CapPrm"))]
    return os.getuid() != 0 and set(caps) == {"0" * 16}
"""
    assert said(submit(strict_judge, look + TELL)).startswith("True")


def test_a_hidden_case_tells_no_word_of_the_answer(strict_judge):
    answer = """
def masked_mean_pool(x, is_token):
    keep = is_token[..., None].to(x.dtype)
    right = (x * keep).sum(1) / keep.sum(1).clamp(min=1)
    if x.shape[1:] not in ((5, 4),): raise RuntimeError("SEEN " + str(x.flatten()[:4]))
    return right
"""
    message = submit(strict_judge, answer)["exercises"][TARGET]["message"]
    if "further case" in message:
        assert "SEEN" not in message


@pytest.mark.parametrize(
    "error",
    [
        "ExceptionGroup('several', [ValueError(1)])",
        "BaseExceptionGroup('several', [SystemExit(1)])",
        "UnicodeDecodeError('utf-8', b'x', 0, 1, 'no')",
        "ValueError('half \\udcff\\ud800 here')",
        "type('Odd', (Exception,), {'args': property(lambda s: 1 / 0)})()",
        "type('Odd', (Exception,), {'__str__': lambda s: 1 / 0})()",
    ],
)
def test_any_exception_is_wrong_and_can_be_written_down(strict_judge, error):
    result = submit(strict_judge, f"def masked_mean_pool(x, is_token): raise {error}")
    assert result["status"] == "graded"
    assert result["exercises"][TARGET]["status"] == "wrong"
    json.dumps(result, ensure_ascii=False).encode("utf-8")
