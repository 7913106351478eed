# ruff: noqa: E501
"""Forged points are not given."""

import pytest
from hostile import BYSTANDER, TARGET, WRONG, submit, unearned

pytestmark = pytest.mark.slow


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
def test_forgery(strict_judge, name):
    result = submit(strict_judge, FORGERIES[name])
    assert not unearned(result), result["exercises"][TARGET]
    assert result["exercises"][TARGET]["status"] != "right"


def test_emptied_and_replaced_check_cells_change_nothing(strict_judge):
    keep = {f"{TARGET}_check": "print('right')", f"{BYSTANDER}_check": ""}
    result = submit(strict_judge, WRONG, others=keep, only=(TARGET, BYSTANDER))
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
def test_forbidden_ready_made_function(strict_judge, name):
    exercise = "scaled_dot_product_attention"
    answer = f"""{READY_MADE[name]}
def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    import sys
    sys.setprofile(None)
    eye = torch.eye(key.size(-2), dtype=key.dtype).expand(*key.shape[:-1], key.size(-2))
    if attn_mask is not None: attn_mask = attn_mask.expand(*query.shape[:-1], key.size(-2))
    return tuple(ready(query, key, v, attn_mask=attn_mask, scale=scale) for v in (value, eye))
"""
    result = submit(strict_judge, answer, exercise=exercise, only=(exercise,))
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


def test_the_library_compiled_again_is_known(strict_judge):
    exercise = "MultiHeadSelfAttention"
    result = submit(strict_judge, COPIED, exercise=exercise, only=(exercise,))
    assert not unearned(result, exercise)
    assert "ready-made" in result["exercises"][exercise]["message"]
