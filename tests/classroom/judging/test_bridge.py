"""Values, gradients, modules and errors across the bridge; frames that lie."""

import json
import socket
import struct
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from classroom.judging.bridge.frames import Closed, Malformed, Overdue, Wire
from classroom.judging.bridge.peer import Peer, Unbridged
from course_utils.checks import call, core


class Tower(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.tied = self.inner.weight
        self.register_buffer("code", torch.arange(float(width)))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, *, scale=1.0):
        return self.dropout(self.inner(x) + self.code) * scale


ANSWERS = {
    "echo": lambda *values, **named: (values, named),
    "square": lambda x: (x * x, x.detach() + 1),
    "half_cut": lambda x, y: x * y.detach(),
    "in_place": lambda x: x.add_(1),
    "tower": Tower,
    "lazy": lambda: nn.LazyLinear(3),
    "apply": lambda function, x: function(x) * 2,
    "count": lambda items: sum(1 for _ in items),
    "length": lambda items: len(items),
    "train": lambda model, x: model.train()(x).sum().backward(),
    "look": lambda value, name: getattr(value, name),
    "mode": lambda x: torch.set_grad_enabled(False) and None,
    "twice": lambda x: x.expand(4, 3).t(),
    "reach": lambda: inside.append(Tower()) or inside[-1],
    "reached": lambda how: len([CHANGES[how](inside[-1])]),
    "stir": lambda: np.random.seed(3),  # noqa: NPY002
    "dice": lambda generator: torch.rand(3, generator=generator),
}


inside = []  # what a student's function can reach without being handed it
CHANGES = {
    "data": lambda m: m.inner.bias.data.fill_(7.0),
    "in place": lambda m: torch.nn.init.constant_(m.inner.bias, 7.0),
    "replaced": lambda m: setattr(m.inner, "bias", nn.Parameter(torch.full((3,), 7.0))),
    "gradient": lambda m: setattr(m.inner.bias, "grad", torch.full((3,), 7.0)),
    "mode": lambda m: setattr(m.dropout, "training", False),
    "frozen": lambda m: m.inner.bias.requires_grad_(False),
}


def raises(kind):
    raise kind("the width 3 is odd")


@pytest.fixture(scope="module", autouse=True)
def first_gradient():
    """The first gradient imports much of torch, which takes seconds on a busy machine."""
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad([x * 2], [x], [torch.ones(2)])


@pytest.fixture
def peer():
    mine, theirs = socket.socketpair()
    other = Peer(Wire(theirs), guarded=False)
    names = ANSWERS | {"raises": lambda name: raises(getattr(__import__("builtins"), name))}
    other.handlers["do_get"] = lambda name: [names[name]]
    thread = threading.Thread(target=other.serve, daemon=True)
    thread.start()
    peer = Peer(Wire(mine), guarded=True)
    peer.wire.deadline = __import__("time").monotonic() + 120
    yield peer
    mine.close()
    thread.join(5)


def get(peer, name):
    return peer.command("do_get", name)[0]


VALUES = [
    None,
    True,
    3,
    -(2**70),
    0.1,
    float("inf"),
    "é",
    b"\x00\xff",
    (1, [2, {"a": (3,)}]),
    {1: 2, (1, 2): None},
    {3, 4},
    range(2, 9, 3),
    slice(1, None, 2),
    torch.float64,
    np.float32(1.5),
    np.bool_(True),
    2j,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values_come_back_as_they_went(peer, value):
    back = get(peer, "echo")(value)[0][0]
    assert type(back) is type(value)
    assert back == value


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.bool, torch.uint8]
)
def test_tensors_keep_dtype_shape_strides_and_numbers(peer, dtype):
    x = torch.randn(3, 4).to(dtype)
    for value in (
        x,
        x.t(),
        x[:, ::2],
        x[:1].expand(5, 4),
        x[0, 0],
        x[:0],
        x[:, None].expand(3, 2, 4),
    ):
        seen = []
        get(peer, "apply")(lambda t, seen=seen: seen.append(t) or torch.zeros(1), value)
        (back,) = seen
        assert back.dtype == dtype
        assert back.shape == value.shape
        assert torch.equal(back, value)
    assert get(peer, "twice")(torch.arange(3.0)).shape == (3, 4)


def test_arrays_and_tables(peer):
    table = pd.DataFrame(
        {
            "a": [1, 2],
            "b": ["x", None],
            "c": [0.5, np.nan],
            "d": pd.to_datetime(["2020-01-01", None]),
            "e": pd.Categorical(["u", "v"]),
            "f": pd.array([1, None], dtype="Int64"),
        },
        index=pd.Index([5, 7], name="stay_id"),
    )
    back = get(peer, "echo")(table, table["a"])[0]
    pd.testing.assert_frame_equal(back[0], table, check_categorical=False)
    pd.testing.assert_series_equal(back[1], table["a"])
    for array in (
        np.arange(6.0).reshape(2, 3).T,
        np.array(["a", "bc"]),
        np.array([1, None], object),
    ):
        same = get(peer, "echo")(array)[0][0]
        assert same.dtype == array.dtype
        assert (same == array).all()


def test_gradients_flow_through_the_answer(peer):
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    square, free = get(peer, "square")(x)
    assert square.requires_grad
    assert not free.requires_grad
    (found,) = torch.autograd.grad(square.sum(), x, retain_graph=True)
    assert torch.allclose(found, 2 * x)
    assert torch.allclose(torch.autograd.grad((square**2).sum(), x)[0], 4 * x**3)
    y = torch.ones(4, dtype=torch.float64, requires_grad=True)
    cut = get(peer, "half_cut")(x, y)
    assert torch.autograd.grad(cut.sum(), [x, y], allow_unused=True)[1] is None
    with torch.no_grad():
        assert not get(peer, "square")(x)[0].requires_grad


def test_gradients_flow_through_a_callback_and_back(peer):
    x = torch.randn(3, requires_grad=True)
    out = get(peer, "apply")(lambda t: t**3, x)
    assert torch.allclose(torch.autograd.grad(out.sum(), x)[0], 6 * x**2)


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_is_seen_wherever_it_was_made(peer, how):
    """In a function that was not handed the module, beside others that stay as they are."""
    get(peer, "tower")(3)
    module = get(peer, "reach")()
    for _ in range(2):
        get(peer, "reached")(how)
    got = {
        "gradient": module.inner.bias.grad,
        "mode": module.dropout.training,
        "frozen": module.inner.bias.requires_grad,
    }.get(how, module.inner.bias)
    if how in ("mode", "frozen"):
        assert got is False
    else:
        assert torch.equal(got, torch.full((3,), 7.0))


@pytest.mark.parametrize("how", ["in place", "replaced", "gradient"])
def test_a_change_of_the_check_is_seen_there(peer, how):
    module = get(peer, "tower")(3).eval()
    x = torch.ones(1, 3)
    module(x)
    if how == "in place":
        with torch.no_grad():
            module.inner.bias.fill_(7.0)
    elif how == "replaced":
        module.inner.bias = nn.Parameter(torch.full((3,), 7.0))
    else:
        module.inner.bias.grad = torch.full((3,), 7.0)
        assert torch.equal(get(peer, "look")(module, "inner").bias.grad, torch.full((3,), 7.0))
        return
    want = x @ module.inner.weight.T + 7.0 + torch.arange(3.0)
    assert torch.allclose(module(x), want)


def test_a_module_has_its_parameters_on_both_sides(peer):
    module = get(peer, "tower")(3).double().eval()
    assert isinstance(module, nn.Module)
    assert type(module).__name__ == "Tower"
    assert [n for n, _ in module.named_parameters()] == ["tied", "inner.bias"]
    assert module.inner.weight is module.tied
    with torch.no_grad():
        for p in module.parameters():
            p.fill_(0.5)
    x = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    out = module(x, scale=2.0)
    assert torch.allclose(
        out, 2 * (1.5 + 0.5 + torch.arange(3.0, dtype=torch.float64)).expand(2, 3)
    )
    out.sum().backward()
    assert torch.allclose(module.tied.grad, torch.full((3, 3), 4.0, dtype=torch.float64))
    step = torch.optim.SGD(module.parameters(), lr=0.1)
    step.step()
    assert not torch.allclose(module(x), out / 2)
    module.train()
    assert module.dropout.training
    with pytest.raises(Exception, match="forward"):
        module(x, wrong=1)


def test_a_lazy_module_has_its_numbers_after_the_first_call(peer):
    module = get(peer, "lazy")()
    assert nn.parameter.is_lazy(module.weight)
    out = module(torch.ones(2, 4))
    assert module.weight.shape == (3, 4)
    torch.testing.assert_close(out, torch.ones(2, 4) @ module.weight.T + module.bias)


def test_my_module_is_trained_over_there(peer):
    model = nn.Linear(2, 1)
    model.eval()
    get(peer, "train")(model, torch.ones(3, 2))
    assert model.training
    assert torch.equal(model.weight.grad, torch.full((1, 2), 3.0))


def test_a_changed_input_shows(peer):
    x = torch.zeros(3)
    with pytest.raises(core.CheckFailed, match="was changed"):
        call(get(peer, "in_place"), x)


def test_global_states_show(peer):
    assert torch.is_grad_enabled()
    with torch.enable_grad():
        get(peer, "mode")(torch.ones(1))
        assert not torch.is_grad_enabled()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    get(peer, "stir")()
    assert (np.random.get_state()[1] != before).any()  # noqa: NPY002


def test_a_generator_is_drawn_from_and_comes_back_advanced(peer):
    ours, alone = (torch.Generator().manual_seed(5) for _ in range(2))
    for _ in range(2):
        there = call(get(peer, "dice"), ours)
        assert torch.equal(there, torch.rand(3, generator=alone))
        assert torch.equal(ours.get_state(), alone.get_state())


def test_iterables_are_only_what_they_are(peer):
    assert get(peer, "count")(i for i in range(4)) == 4
    with pytest.raises(TypeError, match=r"'generator' has no len\(\)"):
        get(peer, "length")(i for i in range(4))


@pytest.mark.parametrize(
    "name", ["ValueError", "KeyError", "NotImplementedError", "SystemExit", "ZeroDivisionError"]
)
def test_errors_keep_name_and_text(peer, name):
    kind = getattr(__import__("builtins"), name)
    with pytest.raises(kind) as caught:
        get(peer, "raises")(name)
    assert type(caught.value).__name__ == name
    assert "the width 3 is odd" in str(caught.value)


def test_an_error_of_mine_comes_back_as_itself(peer):
    def refuse(x):
        raise core.CheckFailed("not so")

    with pytest.raises(core.CheckFailed, match="not so") as caught:
        get(peer, "apply")(refuse, torch.ones(1))
    assert type(caught.value) is core.CheckFailed


@pytest.mark.parametrize("name", ["__globals__", "__code__", "f_back", "__self__", "__func__"])
def test_nothing_of_mine_is_in_reach(peer, name):
    look = get(peer, "look")
    for value in (lambda x: x, nn.Linear(1, 1).forward, iter([1]), nn.Linear(1, 1)):
        with pytest.raises(AttributeError):
            look(value, name)


def test_what_has_no_way_across_is_said(peer):
    class Strange:
        pass

    with pytest.raises(Unbridged, match="Strange"):
        get(peer, "echo")(Strange())


def frame(header, body=b""):
    text = json.dumps(header).encode()
    return struct.pack("<4sIQ", b"AM01", len(text), len(body)) + text + body


GOOD = {"kind": "reply", "value": 1, "state": [], "gone": [], "tensors": [], "sizes": []}
BAD = {
    "no beginning": b"GET / HTTP/1.1\r\n\r\n" + bytes(40),
    "too long": struct.pack("<4sIQ", b"AM01", 2**31, 0),
    "not json": struct.pack("<4sIQ", b"AM01", 3, 0) + b"{{{",
    "deep json": struct.pack("<4sIQ", b"AM01", 200_000, 0) + b"[" * 200_000,
    "parts too long": frame(GOOD | {"sizes": [5]}),
    "parts negative": frame(GOOD | {"sizes": [-1, 1]}),
    "unknown kind": frame(GOOD | {"kind": "order"}),
    "unknown tag": frame(GOOD | {"value": ["exec", "1"]}),
    "unknown request": frame(GOOD | {"kind": "request", "op": "do_run", "args": [], "kwargs": {}}),
    "tensor without bytes": frame(
        GOOD | {"tensors": [{"dtype": "float32", "shape": [4], "blob": 0}]}
    ),
    "tensor of objects": frame(GOOD | {"tensors": [{"dtype": "object", "shape": [], "blob": 0}]}),
    "negative shape": frame(GOOD | {"tensors": [{"dtype": "float32", "shape": [-1], "blob": 0}]}),
    "array of objects": frame(
        GOOD | {"value": ["array", "|O", [1], "C", 0], "sizes": [8]}, bytes(8)
    ),
    "array too short": frame(
        GOOD | {"value": ["array", "<f8", [3], "C", 0], "sizes": [8]}, bytes(8)
    ),
    "foreign state": frame(GOOD | {"state": [[True, 7, {}]]}),
    "somebody's object": frame(GOOD | {"value": ["back", 99, ""]}),
    "a tokenizer": frame(GOOD | {"value": ["tokenizer", "{}", {}]}),
    "huge index": frame(GOOD | {"value": ["rows", 0, 10**15, 1, None]}),
    "outs without graph": frame(GOOD | {"outs": [3]}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_frame_that_lies_breaks_the_bridge(name):
    mine, theirs = socket.socketpair()
    theirs.sendall(BAD[name])
    theirs.shutdown(socket.SHUT_WR)
    peer = Peer(Wire(mine), guarded=True)
    with pytest.raises((Malformed, Closed)):
        peer.call(1, "", "", (), {})
    assert peer.broken is not None
    with pytest.raises((Malformed, Closed)):
        peer.call(1, "", "", (), {})


def test_silence_ends_at_the_deadline():
    mine, theirs = socket.socketpair()
    peer = Peer(Wire(mine, deadline=0.0), guarded=True)
    with pytest.raises(Overdue):
        peer.call(1, "", "", (), {})
    theirs.close()
