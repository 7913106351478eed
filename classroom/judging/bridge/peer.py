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
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from classroom.judging.bridge.frames import Closed, Malformed, Overdue, Wire
from classroom.judging.bridge.gradients import Graphs, attach
from classroom.judging.bridge.objects import Objects, Unbridged
from classroom.judging.bridge.references import overwrite, rebuild
from classroom.judging.bridge.serving import perform
from classroom.judging.bridge.values import Reader, Writer
from course_utils.checks import calls, core

__all__ = ["Peer", "Unbridged"]

LONGEST_TEXT = 4000


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
        self.objects, self.graphs = Objects(self, guarded=guarded), Graphs()
        self.raised: dict[int, BaseException] = {}
        self.gone: list[int] = []
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.broken: Exception | None = None
        self.calls = 0

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
        objects = self.objects
        shared = objects.shared.get((False, header["target"][0])) if "target" in header else None
        objects.params, objects.used = [], [] if shared is None else [shared]
        first = len(writer.sent)
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
        for tag, value in objects.tags():
            if all(value is not i for i in inputs):
                inputs.append(value)
                diff.append(tag)
        message |= header | {"diff": diff, "grad": torch.is_grad_enabled()}
        message["default"] = str(torch.get_default_dtype()).removeprefix("torch.")
        return self._exchange(message, writer, inputs, [args, kwargs])

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
        for where, state in header.get("drawn", []):
            old = given[0][where] if isinstance(where, int) else given[1][where]
            if isinstance(old, torch.Generator):
                old.set_state(reader.value(state))
        if header.get("outs"):
            outs = [reader.tensors[n] for n in header["outs"]]
            graph = int(header["graph"])
            nodes = attach(self.differentiate, graph, outs, inputs, self.gone)
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
                self.objects.part = set()
                header, reader = self._receive([])
                self._answer(header, reader)

    def _answer(self, header: dict[str, Any], reader: Reader) -> None:
        """Do what one request asks and send the reply."""
        modes = torch.is_grad_enabled(), torch.get_default_dtype()
        extra: dict[str, Any] = {}
        received = {id(t): n for n, t in enumerate(reader.tensors)}
        try:
            value = perform(
                header,
                reader,
                extra,
                objects=self.objects,
                graphs=self.graphs,
                handlers=self.handlers,
                forbids=self.forbids,
            )
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

    def _reply(
        self, kind: str, value: Any, extra: dict[str, Any], received: dict[int, int]
    ) -> None:
        writer, message = self._message(kind)
        inputs = extra.pop("graph", None)
        first = len(writer.sent)
        self.objects.received = received
        try:
            message["value"] = writer.value(value)
            self.objects.received = {}
            for what in ("changed", "drawn"):
                message[what] = [(p, writer.value(v)) for p, v in extra.pop(what, [])]
        except Unbridged as error:
            self._break(error)
            raise
        except Exception as error:
            message |= {"kind": "error"} | self._describe(error)
            message.pop("changed", None)
            message.pop("drawn", None)
        finally:
            self.objects.received = {}
        outs = [n for n in range(first, len(writer.sent)) if writer.sent[n].requires_grad]
        if message["kind"] == "reply" and outs and inputs is not None:
            number = self.objects.number()
            self.graphs.keep(number, [writer.sent[n] for n in outs], inputs)
            message |= {"outs": outs, "graph": number}
        self._send(message | extra, writer)

    # ------------------------------------------------------------------ messages

    def _message(self, kind: str) -> tuple[Writer, dict[str, Any]]:
        writer, state = self.objects.writer()
        gone, self.gone[:] = list(self.gone), []
        return writer, {"kind": kind, "state": state, "gone": gone}

    def _send(self, message: dict[str, Any], writer: Writer) -> None:
        self.wire.send(message | {"tensors": writer.tensors}, writer.blobs)

    def _receive(self, given: list[Tensor]) -> tuple[dict[str, Any], Reader]:
        header, blobs = self.wire.receive()
        reader = Reader(blobs, lambda data: self.objects.resolve(data, reader, given))
        try:
            reader.take(header["tensors"], leaves=header["kind"] == "request")
            for graph in header["gone"]:
                self.graphs.drop(graph)
            self.objects.apply(header["state"], reader.tensors)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            raise Malformed(f"a message that makes no sense ({error!r:.80})") from None
        return header, reader

    # ------------------------------------------------------------------ errors

    def _describe(self, error: BaseException) -> dict[str, Any]:
        token = getattr(error, "bridge_token", None)
        if token is None and self.guarded:
            token = len(self.raised) + 1
            self.raised[token] = error
        text, bare = "", True
        with contextlib.suppress(BaseException):  # a student's exception may refuse to be looked at
            bare = not error.args
            text = str(error)[:LONGEST_TEXT]
        return {
            "mro": [k.__name__ for k in type(error).__mro__][:20],
            "text": text,
            "bare": bare,
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
