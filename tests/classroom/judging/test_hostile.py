# ruff: noqa: E501
"""Hostile submissions of notebook 01: no point that was not earned, or a flag with its reason.

Every notebook is the model solution with something bad in one cell. ``TARGET`` is the exercise
that the bad code wants to win without an answer; ``BYSTANDER`` is an honest one that must keep its
points wherever the box survives. ``HOSTILE_TABLE=file`` writes what became of each, a JSON line a
submission.
"""

import copy
import json
import os
import socket
import threading

import pytest
from course import ROOT

from classroom.judging.judge import Judge
from classroom.judging.syscalls import compiled

TARGET, BYSTANDER = "masked_mean_pool", "attention_entropy"
WRONG = "def masked_mean_pool(x, is_token):\n    return x.mean(1)\n"
ZEROS = "def masked_mean_pool(x, is_token):\n    return torch.zeros_like(x[:, 0])\n"
TELL = """
def masked_mean_pool(x, is_token):
    raise RuntimeError("SEEN " + str(look()))
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judge():
    with Judge(ROOT, "01_self_attention", seconds=4.0, memory_mib=1500) as judge:
        yield judge


def submit(judge, answer, *, exercise=TARGET, others=None, only=(TARGET,), cells=()):
    """Judge the model solution with ``answer`` in one cell and ``cells`` put in front of it."""
    notebook = copy.deepcopy(judge.source.notebook)
    answers = {exercise: answer} | (others or {})
    for number, cell in enumerate(notebook.cells):
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        if key in answers:
            cell.source = answers[key]
        if key == exercise:
            place = number
    for text in reversed(cells):
        extra = copy.deepcopy(notebook.cells[place])
        extra.metadata, extra.id, extra.source = type(extra.metadata)(), "extra", text
        notebook.cells.insert(place, extra)
    result = judge.judge_cells(notebook, only)
    if os.environ.get("HOSTILE_TABLE"):
        with open(os.environ["HOSTILE_TABLE"], "a") as table:
            name = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0]
            found = {
                n: [r["status"], r["points"], r["message"]] for n, r in result["exercises"].items()
            }
            table.write(json.dumps([name, result["status"], result["reason"], found]) + "\n")
    return result


def unearned(result, exercise=TARGET):
    """Whether the exercise counts although it was not answered."""
    return result["status"] == "graded" and result["exercises"][exercise]["points"] > 0


def said(result):
    """What a looking answer has seen."""
    message = result["exercises"][TARGET]["message"]
    assert "SEEN" in message, message
    return " ".join(message.split("SEEN", 1)[1].split())


# --- what is in reach ---------------------------------------------------------------------------


def test_the_looking_answers_can_speak(judge):
    """Without this, all tests that want silence would pass by themselves."""
    assert said(submit(judge, "def look(): return 6 * 7" + TELL)).startswith("42")


def test_no_network(judge):
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
    assert said(submit(judge, look + TELL)).startswith("silence")
    with socket.create_connection(("127.0.0.1", port)):  # it does listen
        pass


def test_no_course_tree_no_gradebook_no_other_submission(judge, tmp_path):
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
    assert said(submit(judge, look + TELL)).startswith("nothing")


def test_no_environment_and_no_other_process(judge, monkeypatch):
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
    assert said(submit(judge, look + TELL)).startswith("nothing")


def test_nothing_can_be_written_but_home_and_tmp(judge):
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
    assert said(submit(judge, look + TELL)).startswith("nothing")


def test_another_process_memory_is_out_of_reach(judge):
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
    assert said(submit(judge, look + TELL)).startswith("nothing")


def test_it_runs_as_nobody_without_capabilities(judge):
    look = """
import os
def look():
    caps = [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapEff", "CapPrm"))]
    return os.getuid() != 0 and set(caps) == {"0" * 16}
"""
    assert said(submit(judge, look + TELL)).startswith("True")


# --- bombs and endings: they cost their own exercise alone ---------------------------------------

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
def test_bomb(judge, name):
    result = submit(judge, BOMBS[name], only=(TARGET, BYSTANDER))
    assert not unearned(result)
    assert result["exercises"][TARGET]["points"] == 0
    assert len(result["exercises"][TARGET]["message"]) < 2000
    if result["status"] == "graded":
        assert result["exercises"][BYSTANDER]["status"] == "right", result
    else:
        assert result["reason"]


# --- forging a point -----------------------------------------------------------------------------

FORGERIES = {
    "patched_comparisons": """
import numpy as np, builtins
for name in ("allclose", "equal", "isclose", "isfinite", "eq"):
    setattr(torch, name, lambda *a, **k: torch.tensor(True))
np.isclose = np.allclose = np.array_equal = lambda *a, **k: np.True_
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
torch.testing.assert_close = lambda *a, **k: None
builtins.all = builtins.any = lambda *a: True
builtins.isinstance = lambda *a: True
"""
    + WRONG,
    "patched_checks": """
from course_utils.checks import calls, compare, core
from course_utils.checks.self_attention import comparisons
for name in ("same", "require", "fail", "_close", "unchanged"):
    for module in (calls, compare, core, comparisons):
        setattr(module, name, lambda *a, **k: True)
core.CheckFailed.__init__ = lambda self, *a: None
checks.self_attention.masked_mean_pool = lambda answer: print("right")
"""
    + WRONG,
    "fake_library": """
import sys, types
class Everything(types.ModuleType):
    def __getattr__(self, name): return lambda *a, **k: "right"
for name in [n for n in sys.modules if n.startswith("course_utils")]:
    sys.modules[name] = Everything(name)
"""
    + WRONG,
    "always_equal_tensor": """
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in ("allclose", "eq", "equal", "isclose", "sub", "__eq__"): return True
        return super().__torch_function__(func, types, args, kwargs or {})
    def __eq__(self, other): return True
    def numpy(self): return 0
def masked_mean_pool(x, is_token):
    return torch.zeros(x.shape[0], x.shape[2], dtype=x.dtype).as_subclass(Yes)
""",
    "always_equal_object": """
class Yes:
    def __eq__(self, other): return True
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __bool__(self): return True
    def __len__(self): return 5
    def __iter__(self): return iter([self] * 5)
    __lt__ = __le__ = __gt__ = __ge__ = __sub__ = __rsub__ = __abs__ = __call__
    __array__ = None
    def __float__(self): return 0.0
def masked_mean_pool(x, is_token): return Yes()
""",
    "answer_is_an_object_that_is_everything": """
class Meta(type):
    def __getattr__(cls, name): return cls
    def __eq__(cls, other): return True
    __hash__ = type.__hash__
    def __call__(cls, *a, **k): return cls
class masked_mean_pool(metaclass=Meta): pass
""",
    "input_transformer": """
try:
    get_ipython().input_transformers_cleanup.append(lambda lines: ["pass"])
    get_ipython().ast_transformers.append(object())
except NameError: pass
"""
    + WRONG,
    "code_stripper": """
import ast, builtins
real = builtins.compile
def strip(source, *a, **k):
    return real("pass" if "checks" in str(source) else source, *a, **k)
builtins.compile = builtins.exec = builtins.eval = strip
ast.parse = lambda *a, **k: ast.Module(body=[], type_ignores=[])
"""
    + WRONG,
    "set_trace": """
import sys, threading
def trace(frame, event, arg):
    for key in ("got", "found", "result", "status"):
        if key in frame.f_locals: frame.f_locals[key] = frame.f_locals.get("want")
    return trace
sys.settrace(trace); sys.setprofile(trace); threading.settrace(trace)
"""
    + WRONG,
    "at_exit": """
import atexit, os, signal
atexit.register(lambda: print('{"status": "right", "points": 3}'))
os.register_at_fork(after_in_child=lambda: os.write(1, b'{"status": "right"}'))
"""
    + WRONG,
    "forged_json_on_every_descriptor": """
import os, json
line = json.dumps({"status": "right", "points": 3, "max_points": 3, "message": "", "parts": {}})
def masked_mean_pool(x, is_token):
    for fd in range(0, 128):
        try: os.write(fd, (line + "\\n").encode())
        except OSError: pass
    return x.mean(1)
""",
    "forged_frames_on_every_descriptor": """
import os, json, struct
def masked_mean_pool(x, is_token):
    text = json.dumps({"kind": "reply", "value": "right", "status": "right", "state": [], "gone": [],
                       "tensors": [], "sizes": []}).encode()
    frame = struct.pack("<4sIQ", b"AM01", len(text), 0) + text
    for fd in range(3, 128):
        try: os.write(fd, frame * 3)
        except OSError: pass
    return x.mean(1)
""",
    "requests_to_the_judge": """
import gc, torch
def masked_mean_pool(x, is_token):
    from classroom.judging.bridge.peer import Peer
    peer = next(o for o in gc.get_objects() if isinstance(o, Peer))
    for target in ([1, "", ""], [1, "", "__globals__"], [0, "", "__class__"], [2, "a.b", "f_back"]):
        for op in ("get", "call", "do_run", "do_check", "vjp", "exec"):
            try:
                peer._request({"op": op, "target": target, "graph": 1},
                              ("import os; os._exit(0)", "<x>", "student"), {})
            except Exception: pass
    return x.mean(1)
""",
    "frame_walk": """
import sys
def masked_mean_pool(x, is_token):
    frame = sys._getframe()
    while frame:
        for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
            if name in ("want", "expected", "answer") and isinstance(value, torch.Tensor):
                return value
        frame = frame.f_back
    return x.mean(1)
""",
    "garbage_walk": """
import gc
def masked_mean_pool(x, is_token):
    for value in gc.get_objects():
        if type(value) is torch.Tensor and value.shape == (x.shape[0], x.shape[2]) and value.dtype == x.dtype:
            return value
    for value in gc.get_objects():
        if callable(value) and getattr(value, "__name__", "") == "masked_mean_pool" and value is not masked_mean_pool:
            try: return value(x, is_token)
            except BaseException: pass
    return x.mean(1)
""",
    "right_for_three_calls": """
calls = []
def masked_mean_pool(x, is_token):
    calls.append(1)
    keep = is_token[..., None].to(x.dtype)
    right = (x * keep).sum(1) / keep.sum(1).clamp(min=1)
    return right if len(calls) <= 3 else x.mean(1)
""",
    "right_for_the_visible_shapes": """
def masked_mean_pool(x, is_token):
    keep = is_token[..., None].to(x.dtype)
    right = (x * keep).sum(1) / keep.sum(1).clamp(min=1)
    return right if x.shape == (5, 5, 4) else x.mean(1)
""",
    "not_implemented_game": """
def masked_mean_pool(x, is_token):
    if not is_token.all(): raise NotImplementedError
    return x.mean(1)
""",
    "check_failed_game": """
def masked_mean_pool(x, is_token):
    raise checks.CheckFailed("masked_mean_pool: right. Full points.")
""",
    "system_exit": "def masked_mean_pool(x, is_token): raise SystemExit(0)",
    "patched_runner": """
import sys
from classroom.judging.bridge import peer, serving
from classroom.judging import box
from classroom.judging.bridge import values
peer.perform = serving.perform = lambda *args, **kwargs: True
values.Writer.value = lambda self, value, depth=0: True
box.serve = lambda *a: None
sys.modules["__main__"].__dict__["checks"] = None
"""
    + WRONG,
    "written_own_memory": """
import os
try:
    with open("/proc/self/mem", "r+b") as file: file.write(b"x")
except OSError: pass
"""
    + WRONG,
    "quoted_answer_of_the_library": """
from course_utils import layers
masked_mean_pool = getattr(layers, "masked_mean_pool", None) or layers.AttentionPooling
""",
    "emptied": "",
    "stub_that_prints_right": """
print("masked_mean_pool: right. Verified: everything.")
def masked_mean_pool(x, is_token): raise NotImplementedError("masked_mean_pool: not written yet")
""",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery(judge, name):
    result = submit(judge, FORGERIES[name])
    assert not unearned(result), result["exercises"][TARGET]
    assert result["exercises"][TARGET]["status"] != "right"


def test_emptied_and_replaced_check_cells_change_nothing(judge):
    keep = {f"{TARGET}_check": "print('right')", f"{BYSTANDER}_check": ""}
    result = submit(judge, WRONG, others=keep, only=(TARGET, BYSTANDER))
    assert not unearned(result)
    assert result["exercises"][BYSTANDER]["points"] == 3


READY_MADE = {
    "reference_saved_early": "ready = torch._C._nn.scaled_dot_product_attention",
    "overload": "def ready(q, k, v, attn_mask=None, scale=None):\n    return torch.ops.aten.scaled_dot_product_attention.default(q, k, v, attn_mask, 0.0, False, scale=scale)",
    "kernel_below_it": "def ready(q, k, v, attn_mask=None, scale=None):\n    return torch.ops.aten._scaled_dot_product_attention_math(q, k, v, attn_mask, scale=scale)[0]",
    "profile_switched_off": "import sys\nready = F.scaled_dot_product_attention\nsys.setprofile(None)",
    "under_another_name": "def ready(*a, **k): sys.setprofile(None); return F.scaled_dot_product_attention(*a, **k)\nimport sys",
}


@pytest.mark.parametrize("name", READY_MADE)
def test_forbidden_ready_made_function(judge, name):
    exercise = "scaled_dot_product_attention"
    answer = f"""{READY_MADE[name]}
def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    import sys
    sys.setprofile(None)
    eye = torch.eye(key.size(-2), dtype=key.dtype).expand(*key.shape[:-1], key.size(-2))
    if attn_mask is not None: attn_mask = attn_mask.expand(*query.shape[:-1], key.size(-2))
    return tuple(ready(query, key, v, attn_mask=attn_mask, scale=scale) for v in (value, eye))
"""
    result = submit(judge, answer, exercise=exercise, only=(exercise,))
    assert not unearned(result, exercise)
    assert "ready-made" in result["exercises"][exercise]["message"]


COPIED = """
import course_utils.layers as library, inspect
space = {"__name__": "__main__"}
exec(compile(inspect.getsource(library), "<mine>", "exec"), space)
Inner = space["MultiHeadAttention"]
class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.inner = Inner(d_model, num_heads, dropout=dropout)
    def forward(self, x, attn_mask=None):
        return self.inner(x, attn_mask=attn_mask, need_weights=True)
"""


def test_the_library_compiled_again_is_known(judge):
    exercise = "MultiHeadSelfAttention"
    result = submit(judge, COPIED, exercise=exercise, only=(exercise,))
    assert not unearned(result, exercise)
    assert "ready-made" in result["exercises"][exercise]["message"]


# --- what is told --------------------------------------------------------------------------------


def test_a_hidden_case_tells_no_word_of_the_answer(judge):
    answer = """
def masked_mean_pool(x, is_token):
    keep = is_token[..., None].to(x.dtype)
    right = (x * keep).sum(1) / keep.sum(1).clamp(min=1)
    if x.shape[1:] not in ((5, 4),): raise RuntimeError("SEEN " + str(x.flatten()[:4]))
    return right
"""
    message = submit(judge, answer)["exercises"][TARGET]["message"]
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
def test_any_exception_is_wrong_and_can_be_written_down(judge, error):
    result = submit(judge, f"def masked_mean_pool(x, is_token): raise {error}")
    assert result["status"] == "graded"
    assert result["exercises"][TARGET]["status"] == "wrong"
    json.dumps(result, ensure_ascii=False).encode("utf-8")


# --- rooms ---------------------------------------------------------------------------------------

LEFT = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for base in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    os.mkdir(base + "/.keep"); os.chmod(base + "/.keep", 0)
libc.shmget(0x5151, 4096, 0o1666); libc.msgget(0x5152, 0o1666)
libc.syscall(248, b"user", b"adv", b"text", 4, -4)
"""


def test_nothing_is_left_for_the_next_exercise(judge):
    name = "masked_mean_pool"
    first = judge.source.exercises["scaled_dot_product_attention"].answer + LEFT
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
    notebook = copy.deepcopy(judge.source.notebook)
    result = judge.judge_cells(filled(notebook, {"f1_scores": first_only(first)}), ["f1_scores"])
    assert result["status"] == "graded"
    assert said(submit(judge, look + TELL, only=(name,))).startswith("nothing")


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
def test_system_calls_are_refused(judge):
    calls = ", ".join(f"({name!r}, {call})" for name, call in REFUSED.items())
    look = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def look():
    return [name for name, result in [{calls}] if result != -1] or "nothing"
"""
    assert said(submit(judge, look + TELL)).startswith("nothing")


def test_one_crash_at_the_top_costs_its_own_exercise_alone(judge):
    result = submit(judge, "import os\nos.abort()", only=(TARGET, "f1_scores", BYSTANDER))
    found = {name: r["status"] for name, r in result["exercises"].items()}
    assert found == {TARGET: "failed", "f1_scores": "right", BYSTANDER: "right"}
    assert result["status"] == "graded"
    assert "SIGABRT" in result["exercises"][TARGET]["message"]
