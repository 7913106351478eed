"""Stand-ins for objects of the other side: they are called, asked and iterated over there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from classroom.judging.bridge.modules import Shared, build_mirror, home_here, read_signature
from classroom.judging.bridge.references import DUNDERS

__all__ = ["Caller", "Remote", "mirror", "remote"]


class Caller(Protocol):
    """What a stand-in needs of its end of the bridge."""

    def ask(self, handle: int, path: str, name: str) -> Any:
        """Get a public attribute of an object over there."""

    def call(
        self, handle: int, path: str, method: str, args: Sequence[Any] | None, kwargs: Any
    ) -> Any:
        """Call an object over there, or one of its methods."""


class Remote:
    """An object of the other side."""

    bridge: tuple[Caller, int, str]

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_", "bridge")):
            raise AttributeError(name)
        caller, handle, path = self.bridge
        return caller.ask(handle, path, name)


def _forward(name: str) -> Callable[..., Any]:
    method = "" if name == "__call__" else name

    def call(self: Remote, *args: Any, **kwargs: Any) -> Any:
        caller, handle, path = self.bridge
        return caller.call(handle, path, method, args, kwargs)

    return call


def remote(caller: Caller, handle: int, info: dict[str, Any]) -> Remote:
    """Make the stand-in of an object that is no module."""
    body: dict[str, Any] = {n: _forward(n) for n in DUNDERS if n in info["dunders"]}
    body["__module__"] = home_here(info)
    body["__repr__"] = lambda self: str(info["text"])[:200]
    made: Remote = type(str(info["type"])[:80], (Remote,), body)()
    made.bridge = (caller, handle, "")
    signature = read_signature(info["signature"])
    if signature is not None:
        made.__dict__["__signature__"] = signature
    made.__dict__["__name__"] = str(info["name"])
    return made


def mirror(
    caller: Caller, handle: int, info: dict[str, Any], tensors: list[Tensor]
) -> tuple[nn.Module, Shared]:
    """Make the stand-in of a module, with its parameters."""

    def at(path: str) -> tuple[Any, Any, Any]:
        return (
            (caller, handle, path),
            lambda method, args, kwargs: caller.call(handle, path, method, args, kwargs),
            lambda name: caller.ask(handle, path, name),
        )

    return build_mirror(info, tensors, at)
