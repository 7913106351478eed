"""Calls between two processes that do not trust each other, with autograd and modules.

Both ends are a :class:`Peer`. Exactly one side runs at a time: a call goes over, may call back,
and returns. Tensors travel as bytes; a result that has a graph gets a node here whose backward
asks the other side for the vector-Jacobian product. Nothing that arrives is ever executed: it is
numbers, text, containers of them, or a reference that can only be called back.

The judge's end is *guarded*: the other side may call what it was handed, as a function, an
iterable, a module or an optimizer, and reach nothing else.
"""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from classroom.judging.bridge import recipes
from classroom.judging.bridge.frames import Closed, Malformed, Overdue, Wire
from classroom.judging.bridge.modules import (
    Shared,
    build_mirror,
    home_here,
    read_signature,
    write_signature,
)
from classroom.judging.bridge.references import (
    DUNDERS,
    about,
    allowed,
    home,
    may_travel,
    overwrite,
    plain_attribute,
    rebuild,
)
from classroom.judging.bridge.values import Reader, Writer
from course_utils.checks import calls, core

__all__ = ["Peer", "Unbridged"]

LONGEST_TEXT = 4000


class Unbridged(TypeError):
    """A check hands over something that has no way across."""


class Remote:
    """An object of the other side."""

    bridge: tuple[Peer, int, str]

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_", "bridge")):
            raise AttributeError(name)
        peer, handle, path = self.bridge
        return peer.ask(handle, path, name)


def _forward(name: str) -> Callable[..., Any]:
    method = "" if name == "__call__" else name

    def call(self: Remote, *args: Any, **kwargs: Any) -> Any:
        peer, handle, path = self.bridge
        return peer.call(handle, path, method, args, kwargs)

    return call


class _Watch(TorchFunctionMode):
    """Note calls of torch's functions by name, also through a reference saved early."""

    def __init__(self, names: Iterable[str], hits: list[str]) -> None:
        super().__init__()
        self.names, self.hits = frozenset(names), hits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in self.names:
            self.hits.append(func.__name__)
        return func(*args, **(kwargs or {}))


class _Link:
    """The other side's graph of one call."""

    def __init__(self, peer: Peer, number: int, outs: list[Tensor]) -> None:
        self.peer, self.number, self.outs = peer, number, outs
        weakref.finalize(self, peer.gone.append, number)


class _Node(torch.autograd.Function):
    """Results of a call over there, as a function of what went in."""

    @staticmethod
    def forward(ctx: Any, link: _Link, anchor: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.link, ctx.count = link, len(inputs)
        ctx.set_materialize_grads(False)
        outs, link.outs = tuple(link.outs), []
        return outs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        found = ctx.link.peer.differentiate(ctx.link.number, grads, ctx.count)
        return (None, None, *found)


def _numpy_numbers() -> np.ndarray:
    """Return NumPy's global random state, which an answer may have to leave alone."""
    return np.array(np.random.get_state(legacy=True)[1])  # type: ignore[index]  # noqa: NPY002


class Peer:
    """One end of the bridge.

    Parameters
    ----------
    guarded
        Whether the other side is not trusted.
    forbids
        Ready-made functions to watch for while the other side's calls run here.
    """

    def __init__(self, wire: Wire, *, guarded: bool, forbids: Sequence[str] = ()) -> None:
        self.wire, self.guarded, self.forbids = wire, guarded, tuple(forbids)
        self.owned: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.proxies: dict[int, Any] = {}
        self.shared: dict[tuple[bool, int], Shared] = {}
        self.graphs: dict[int, tuple[list[Tensor], list[Tensor | None]]] = {}
        self.raised: dict[int, BaseException] = {}
        self.gone: list[int] = []
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.broken: Exception | None = None
        self.calls = 0
        self._count = 0
        self._received: dict[int, int] = {}
        self._params: list[Any] = []
        self._used: list[Shared] = []

    # ------------------------------------------------------------------ asking

    def ask(self, handle: int, path: str, name: str) -> Any:
        """Get a public attribute of an object over there."""
        return self.call(handle, path, name, None, {})

    def command(self, name: str, *values: Any) -> Any:
        """Call one of the other side's handlers."""
        return self._request({"op": name}, values, {})

    def call(
        self, handle: int, path: str, method: str, args: Sequence[Any] | None, kwargs: Any
    ) -> Any:
        """Call an object over there, or one of its methods; ``args=None`` gets an attribute."""
        target = [handle, path, method]
        if args is None:
            return self._request({"op": "get", "target": target}, (), {})
        self.calls += 1
        return self._request({"op": "call", "target": target}, args, kwargs)

    def _request(self, header: dict[str, Any], args: Sequence[Any], kwargs: Any) -> Any:
        writer, message = self._message("request")
        used: list[Shared] = []
        if "target" in header and (False, header["target"][0]) in self.shared:
            used.append(self.shared[False, header["target"][0]])
        first = len(writer.sent)
        self._params, self._used = [], used
        try:
            message["args"] = [writer.value(a) for a in args]
            message["kwargs"] = {str(k): writer.value(v) for k, v in kwargs.items()}
        except Unbridged as error:
            self.broken = self.broken or error
            raise
        inputs: list[Tensor] = []
        diff: list[Any] = []
        for number in range(first, len(writer.sent)):
            if writer.sent[number].requires_grad:
                inputs.append(writer.sent[number])
                diff.append(["tensor", number])
        for tag, value in self._params:
            if value.requires_grad:
                inputs.append(value)
                diff.append(tag)
        for shared in used:
            mine, handle = next(k for k, s in self.shared.items() if s is shared)
            for name, value in shared.parameters():
                if value.requires_grad and all(value is not i for i in inputs):
                    inputs.append(value)
                    diff.append(["param", mine, handle, name])
        message |= header | {"diff": diff, "grad": torch.is_grad_enabled()}
        message["default"] = str(torch.get_default_dtype()).removeprefix("torch.")
        given = [args, kwargs]
        return self._exchange(message, writer, inputs, given)

    def differentiate(
        self, graph: int, grads: Sequence[Tensor | None], count: int
    ) -> list[Tensor | None]:
        """Ask for the vector-Jacobian product of an earlier call."""
        found = self._request({"op": "vjp", "graph": graph}, list(grads), {})
        if not isinstance(found, list) or len(found) != count:
            raise self._break(Malformed("gradients of another number than was asked for"))
        return found

    def _exchange(
        self, message: dict[str, Any], writer: Writer, inputs: list[Tensor], given: list[Any]
    ) -> Any:
        if self.broken is not None:
            raise self.broken
        try:
            self._send(message, writer)
            while True:
                header, reader = self._receive(writer.sent)
                if header["kind"] == "request":
                    self._answer(header, reader)
                    continue
                return self._result(header, reader, inputs, given)
        except (Closed, Malformed, Overdue, Unbridged) as error:
            raise self._break(error) from None
        except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
            if not self.guarded or hasattr(error, "answer_line"):
                raise
            raise self._break(Malformed(f"a message that makes no sense ({error!r:.80})")) from None

    def _break(self, error: Exception) -> Exception:
        self.broken = self.broken or error
        return self.broken

    def _result(
        self, header: dict[str, Any], reader: Reader, inputs: list[Tensor], given: list[Any]
    ) -> Any:
        modes = header.get("modes")
        if modes:
            torch.set_grad_enabled(bool(modes[0]))
        if header["kind"] == "error":
            raise self._error(header)
        if header["kind"] != "reply":
            raise Malformed("neither a reply nor an error")
        if header.get("stirred"):  # the answer moved NumPy's global numbers: checks may ask
            np.random.seed()  # noqa: NPY002
        for where, new in header.get("changed", []):
            old = given[0][where] if isinstance(where, int) else given[1][where]
            overwrite(where, old, reader.value(new))
        if header.get("outs"):
            link = _Link(self, int(header["graph"]), [reader.tensors[n] for n in header["outs"]])
            anchor = torch.zeros((), requires_grad=True)
            with torch.enable_grad():
                nodes = _Node.apply(link, anchor, *inputs)
            for number, node in zip(header["outs"], nodes, strict=True):
                reader.tensors[number] = node
        if header.get("hits"):
            calls.refuse_ready_made(str(header["hits"])[:100])
        return reader.value(header["value"])

    # ------------------------------------------------------------------ answering

    def serve(self) -> None:
        """Answer until the other side ends."""
        with contextlib.suppress(Closed):
            while True:
                header, reader = self._receive([])
                self._answer(header, reader)

    def _answer(self, header: dict[str, Any], reader: Reader) -> None:
        """Do what one request asks and send the reply."""
        modes = torch.is_grad_enabled(), torch.get_default_dtype()
        extra: dict[str, Any] = {}
        received = {id(t): n for n, t in enumerate(reader.tensors)}
        try:
            value = self._perform(header, reader, extra)
        except (Closed, Malformed, Overdue):
            raise
        except BaseException as error:
            extra = {k: v for k, v in extra.items() if k == "modes"}
            self._reply("error", None, self._describe(error) | extra, {})
        else:
            self._reply("reply", value, extra, received)
        finally:
            torch.set_grad_enabled(modes[0])
            torch.set_default_dtype(modes[1])

    def _perform(self, header: dict[str, Any], reader: Reader, extra: dict[str, Any]) -> Any:
        op = header["op"]
        args = [reader.value(a) for a in header["args"]]
        kwargs = {str(k): reader.value(v) for k, v in header["kwargs"].items()}
        if op == "vjp":
            return self._vjp(header["graph"], args)
        if op in self.handlers:
            return self.handlers[op](*args)
        if op not in ("call", "get"):
            raise Malformed(f"an unknown request {op!r:.40}")
        target, method = self._target(header["target"], op)
        if op == "get":
            value = getattr(target, method)
            if self.guarded and isinstance(target, nn.Module) and not plain_attribute(value):
                raise AttributeError(f"{method} of this model cannot be looked at here")
            return value
        inputs = [self._input(tag, reader) for tag in header["diff"]]
        torch.set_grad_enabled(bool(header["grad"]))
        if not self.guarded:
            torch.set_default_dtype(getattr(torch, header["default"]))
        before: Any = None if self.guarded else calls.snapshot([*args, *kwargs.values()])
        numbers = _numpy_numbers()
        watch = calls.LibraryWatch(() if self.guarded else self.forbids)
        also: AbstractContextManager[Any] = nullcontext()
        if watch.names:
            also = _Watch(watch.names, watch.hits)
        try:
            with watch, also:
                value = self._invoke(target, method, args, kwargs)
        finally:
            if not self.guarded:
                extra["modes"] = [torch.is_grad_enabled()]
        if not self.guarded and (_numpy_numbers() != numbers).any():
            extra["stirred"] = True
        if watch.hits:
            extra["hits"] = watch.hits[0]
        if before is not None:
            places: list[Any] = [*range(len(args)), *kwargs]
            values = [*args, *kwargs.values()]
            changed = [i for i, v in enumerate(values) if not calls.unchanged(v, before[i])]
            extra["changed"] = [(places[i], values[i]) for i in changed]
        extra["graph"] = inputs
        return value

    @staticmethod
    def _invoke(target: Any, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if method == "__deepcopy__":
            return copy.deepcopy(target)
        if method == "__iter__":
            return iter(target)
        if method == "__next__":
            return next(target)
        if method == "__len__":
            return len(target)
        if method == "__getitem__":
            return target[args[0]]
        return (getattr(target, method) if method else target)(*args, **kwargs)

    def _input(self, tag: list[Any], reader: Reader) -> Tensor | None:
        if tag[0] == "tensor":
            return self._leaves.get(int(tag[1]))
        value = self._param(tag)
        return value if value.requires_grad else None

    def _vjp(self, graph: int, grads: list[Any]) -> list[Tensor | None]:
        outs, inputs = self.graphs[graph]
        pairs = [(o, g) for o, g in zip(outs, grads, strict=True) if isinstance(g, Tensor)]
        wanted = [i for i in inputs if i is not None]
        if not wanted or not pairs:
            return [None] * len(inputs)
        found = iter(
            torch.autograd.grad(
                [o for o, _ in pairs],
                wanted,
                [g for _, g in pairs],
                allow_unused=True,
                retain_graph=True,
            )
        )
        return [None if i is None else next(found) for i in inputs]

    def _target(self, data: list[Any], op: str) -> tuple[Any, str]:
        handle, path, method = data
        target = self.owned[handle]
        if path:
            target = target.get_submodule(str(path))
        if self.guarded and not allowed(target, method, op):
            raise AttributeError(f"{type(target).__name__!r} object has no attribute {method!r}")
        return target, str(method)

    def _reply(
        self, kind: str, value: Any, extra: dict[str, Any], received: dict[int, int]
    ) -> None:
        writer, message = self._message(kind)
        inputs = extra.pop("graph", None)
        self._received = received
        first = len(writer.sent)
        try:
            message["value"] = writer.value(value)
            self._received = {}
            message["changed"] = [(p, writer.value(v)) for p, v in extra.pop("changed", [])]
        except Unbridged as error:
            self._break(error)
            raise
        except Exception as error:
            message |= {"kind": "error"} | self._describe(error)
            message.pop("changed", None)
        finally:
            self._received = {}
        outs = [n for n in range(first, len(writer.sent)) if writer.sent[n].requires_grad]
        if message["kind"] == "reply" and outs and inputs is not None:
            self._count += 1
            self.graphs[self._count] = ([writer.sent[n] for n in outs], inputs)
            message |= {"outs": outs, "graph": self._count}
        self._send(message | extra, writer)

    # ------------------------------------------------------------------ messages

    def _message(self, kind: str) -> tuple[Writer, dict[str, Any]]:
        writer = self._writer = Writer(self._reference, self._known)
        if self.guarded:
            writer.recipe = lambda value: recipes.write(value, writer.value)
        state = []
        for (mine, handle), shared in self.shared.items():
            changes = shared.changes(writer)
            if changes is not None:
                state.append([mine, handle, changes])
        gone, self.gone[:] = list(self.gone), []
        return writer, {"kind": kind, "state": state, "gone": gone}

    def _send(self, message: dict[str, Any], writer: Writer) -> None:
        self.wire.send(message | {"tensors": writer.tensors}, writer.blobs)

    def _receive(self, given: list[Tensor]) -> tuple[dict[str, Any], Reader]:
        header, blobs = self.wire.receive()
        reader = Reader(blobs, lambda data: self._resolve(data, reader, given))
        self._leaves: dict[int, Tensor] = {}
        try:
            request = header["kind"] == "request"
            for number, about in enumerate(header["tensors"]):
                tensor = reader.make(about)
                if request and about.get("grad"):
                    tensor.requires_grad_()
                    self._leaves[number] = tensor
                    if not about.get("leaf"):
                        with torch.enable_grad():
                            tensor = tensor.clone()
                reader.tensors.append(tensor)
            for graph in header["gone"]:
                self.graphs.pop(graph, None)
            for yours, handle, changes in header["state"]:
                shared = self.shared[not yours, handle]
                shared.apply(changes, reader.tensors, strict=self.guarded and not yours)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            raise Malformed(f"a message that makes no sense ({error!r:.80})") from None
        return header, reader

    def _known(self, tensor: Tensor) -> list[Any] | None:
        if id(tensor) in self._received:
            return ["given", self._received[id(tensor)]]
        if isinstance(tensor, nn.Parameter):
            for (mine, handle), shared in self.shared.items():
                for name, value in shared.parameters():
                    if value is tensor:
                        tag = ["param", mine, handle, name]
                        self._params.append((tag, value))
                        return tag
        return None

    def _param(self, tag: list[Any]) -> Tensor:
        _, yours, handle, name = tag
        return self.shared[not yours, handle].module.get_parameter(str(name))

    def _resolve(self, data: list[Any], reader: Reader, given: list[Tensor]) -> Any:
        tag = data[0]
        if tag == "given":
            return given[data[1]]
        if tag == "param":
            return self._param(data)
        if tag == "back":
            target = self.owned[data[1]]
            return target.get_submodule(data[2]) if data[2] else target
        if tag in ("module", "ref"):
            _, handle, info = data
            if handle not in self.proxies:
                make = self._mirror if tag == "module" else self._remote
                self.proxies[handle] = make(handle, info, reader)
            return self.proxies[handle]
        if tag == "part":
            return self.proxies[data[1]].get_submodule(data[2])
        if tag in recipes.TAGS and not self.guarded:
            return recipes.make(data, reader.value)
        raise Malformed(f"an unknown tag {tag!r:.40}")

    # ------------------------------------------------------------------ references

    def _reference(self, value: Any) -> list[Any]:
        bridge = getattr(value, "bridge", None) if isinstance(value, nn.Module | Remote) else None
        if bridge is not None and bridge[0] is self:
            if (False, bridge[1]) in self.shared:
                self._used.append(self.shared[False, bridge[1]])
            return ["back", bridge[1], bridge[2]]
        handle = self.numbers.get(id(value))
        if handle is None and isinstance(value, nn.Module):
            for (mine, number), shared in self.shared.items():
                parts = shared.module.named_modules() if mine else ()
                path = next((p for p, part in parts if part is value), None)
                if path is not None:
                    self._used.append(shared)
                    return ["part", number, path]
        if handle is None:
            if self.guarded and not may_travel(value):
                raise Unbridged(f"a check hands over {type(value).__name__}")
            handle = self._count = self._count + 1
            self.owned[handle], self.numbers[id(value)] = value, handle
        if isinstance(value, nn.Module):
            return ["module", handle, self._about_module(handle, value)]
        return ["ref", handle, about(value)]

    def _about_module(self, handle: int, module: nn.Module) -> dict[str, Any] | None:
        if (True, handle) in self.shared:
            self._used.append(self.shared[True, handle])
            return None
        shared = self.shared[True, handle] = Shared(module)
        self._used.append(shared)
        state = shared.changes(self._writer, first=True)
        return {
            "type": type(module).__name__,
            "module": home(module),
            "signature": write_signature(module),
            "parts": {p: [type(m).__name__, m.training] for p, m in module.named_modules()},
            "state": state,
        }

    def _mirror(self, handle: int, info: dict[str, Any], reader: Reader) -> nn.Module:
        def caller(path: str) -> tuple[Any, Any, Any]:
            return (
                (self, handle, path),
                lambda method, args, kwargs: self.call(handle, path, method, args, kwargs),
                lambda name: self.ask(handle, path, name),
            )

        module, shared = build_mirror(info, reader.tensors, caller)
        self.shared[False, handle] = shared
        return module

    def _remote(self, handle: int, info: dict[str, Any], reader: Reader) -> Remote:
        body: dict[str, Any] = {n: _forward(n) for n in DUNDERS if n in info["dunders"]}
        body["__module__"] = home_here(info)
        body["__repr__"] = lambda self: str(info["text"])[:200]
        made: Remote = type(str(info["type"])[:80], (Remote,), body)()
        made.bridge = (self, handle, "")
        signature = read_signature(info["signature"])
        if signature is not None:
            made.__dict__["__signature__"] = signature
        made.__dict__["__name__"] = str(info["name"])
        return made

    # ------------------------------------------------------------------ errors

    def _describe(self, error: BaseException) -> dict[str, Any]:
        token = getattr(error, "bridge_token", None)
        if token is None and self.guarded:
            token = len(self.raised) + 1
            self.raised[token] = error
        try:
            text = str(error)[:LONGEST_TEXT]
        except BaseException:
            text = ""
        return {
            "mro": [k.__name__ for k in type(error).__mro__][:20],
            "text": text,
            "bare": not error.args,
            "line": core.line_of(error),
            "token": token,
        }

    def _error(self, header: dict[str, Any]) -> BaseException:
        line, token = str(header["line"])[:60], header["token"]
        if self.guarded and token in self.raised:
            error = self.raised[token]
            error.__traceback__ = None
        else:
            error = rebuild([str(n) for n in header["mro"]], str(header["text"]), header["bare"])
            if not self.guarded:
                error.bridge_token = token  # type: ignore[attr-defined]
        error.answer_line = line  # type: ignore[attr-defined]
        return error
