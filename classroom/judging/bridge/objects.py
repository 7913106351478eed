"""What both ends know by number: objects handed over, stand-ins, and modules kept equal."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from classroom.judging.bridge import recipes
from classroom.judging.bridge.frames import Malformed
from classroom.judging.bridge.modules import Shared, write_signature
from classroom.judging.bridge.proxies import Caller, Remote, mirror, remote
from classroom.judging.bridge.references import about, allowed, home, may_travel
from classroom.judging.bridge.values import Reader, Writer

__all__ = ["Objects", "Unbridged"]


class Unbridged(TypeError):
    """A check hands over something that has no way across."""


class Objects:
    """References of one end of the bridge.

    Parameters
    ----------
    caller
        This end, which stand-ins ask.
    guarded
        Whether the other side is not trusted.

    Attributes
    ----------
    params, used
        Parameters and modules of the request that is being written: what gradients may flow to.
    part
        Modules that have a part in the request that is being answered; None: any may have.
    received
        ``id`` of each tensor of the request that is being answered -> its number there.
    """

    def __init__(self, caller: Caller, *, guarded: bool) -> None:
        self.caller, self.guarded = caller, guarded
        self.owned: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.proxies: dict[int, Any] = {}
        self.shared: dict[tuple[bool, int], Shared] = {}
        self.params: list[tuple[list[Any], Tensor]] = []
        self.used: list[Shared] = []
        self.part: set[tuple[bool, int]] | None = set()
        self.received: dict[int, int] = {}
        self._writer: Writer
        self._count = 0

    def number(self) -> int:
        """Return a number that nothing of this end has yet."""
        self._count += 1
        return self._count

    # ------------------------------------------------------------------ writing

    def writer(self) -> tuple[Writer, list[Any]]:
        """Begin a message; return its writer and what has changed in shared modules."""
        self._writer = writer = Writer(self._reference, self._known)
        if self.guarded:
            writer.recipe = lambda value: recipes.write(value, writer.value)
        state = []
        for (mine, handle), shared in self.shared.items():
            closely = self.part is None or (mine, handle) in self.part
            changes = shared.changes(writer, closely=closely)
            if changes is not None:
                state.append([mine, handle, changes])
        return writer, state

    def tags(self) -> list[tuple[list[Any], Tensor]]:
        """Return parameters that take part in the request, each with how it is called there."""
        found = [(tag, value) for tag, value in self.params if value.requires_grad]
        for shared in self.used:
            mine, handle = next(k for k, s in self.shared.items() if s is shared)
            for name, value in shared.parameters():
                if value.requires_grad:
                    found.append((["param", mine, handle, name], value))
        return found

    def _known(self, tensor: Tensor) -> list[Any] | None:
        if id(tensor) in self.received:
            return ["given", self.received[id(tensor)]]
        if isinstance(tensor, nn.Parameter):
            for (mine, handle), shared in self.shared.items():
                for name, value in shared.parameters():
                    if value is tensor:
                        tag = ["param", mine, handle, name]
                        self.params.append((tag, value))
                        return tag
        return None

    def _reference(self, value: Any) -> list[Any]:
        bridge = getattr(value, "bridge", None) if isinstance(value, nn.Module | Remote) else None
        if bridge is not None and bridge[0] is self.caller:
            if (False, bridge[1]) in self.shared:
                self.used.append(self.shared[False, bridge[1]])
            return ["back", bridge[1], bridge[2]]
        handle = self.numbers.get(id(value))
        if handle is None and isinstance(value, nn.Module):
            for (mine, number), shared in self.shared.items():
                parts = shared.module.named_modules() if mine else ()
                path = next((p for p, part in parts if part is value), None)
                if path is not None:
                    self.used.append(shared)
                    return ["part", number, path]
        if handle is None:
            if self.guarded and not may_travel(value):
                raise Unbridged(f"a check hands over {type(value).__name__}")
            handle = self.number()
            self.owned[handle], self.numbers[id(value)] = value, handle
        if isinstance(value, nn.Module):
            return ["module", handle, self._about_module(handle, value)]
        return ["ref", handle, about(value)]

    def _about_module(self, handle: int, module: nn.Module) -> dict[str, Any] | None:
        if (True, handle) in self.shared:
            self.used.append(self.shared[True, handle])
            return None
        shared = self.shared[True, handle] = Shared(module)
        self.used.append(shared)
        state = shared.changes(self._writer, first=True)
        return {
            "type": type(module).__name__,
            "module": home(module),
            "signature": write_signature(module),
            "parts": {p: [type(m).__name__, m.training] for p, m in module.named_modules()},
            "state": state,
        }

    # ------------------------------------------------------------------ reading

    def takes_part(self, mine: bool, handle: int) -> None:
        """Note that a student's code may change this module, in whatever way.

        Checks change numbers only in ways that count as changes.
        """
        if not self.guarded and self.part is not None:
            self.part.add((mine, handle))

    def apply(self, state: Any, tensors: list[Tensor]) -> None:
        """Take over what has changed in shared modules over there."""
        for yours, handle, changes in state:
            shared = self.shared[not yours, handle]
            shared.apply(changes, tensors, strict=self.guarded and not yours)

    def resolve(self, data: list[Any], reader: Reader, given: list[Tensor]) -> Any:
        """Return the object of a reference; ``given``: tensors of my own request."""
        tag = data[0]
        if tag == "given":
            return given[data[1]]
        if tag == "param":
            return self.param(data)
        if tag == "back":
            self.takes_part(True, data[1])
            target = self.owned[data[1]]
            return target.get_submodule(data[2]) if data[2] else target
        if tag in ("module", "ref"):
            _, handle, info = data
            self.takes_part(False, handle)
            if handle not in self.proxies:
                self.proxies[handle] = self._stand_in(tag, handle, info, reader.tensors)
            return self.proxies[handle]
        if tag == "part":
            self.takes_part(False, data[1])
            return self.proxies[data[1]].get_submodule(data[2])
        if tag in recipes.TAGS and not self.guarded:
            return recipes.make(data, reader.value)
        raise Malformed(f"an unknown tag {tag!r:.40}")

    def _stand_in(self, tag: str, handle: int, info: Any, tensors: list[Tensor]) -> Any:
        if tag == "ref":
            return remote(self.caller, handle, info)
        module, self.shared[False, handle] = mirror(self.caller, handle, info, tensors)
        return module

    def param(self, tag: list[Any]) -> Tensor:
        """Return the parameter of a tag."""
        _, yours, handle, name = tag
        return self.shared[not yours, handle].module.get_parameter(str(name))

    def target(self, data: list[Any], op: str) -> tuple[Any, str]:
        """Return what a request is about, and its method; AttributeError where that may not be."""
        handle, path, method = data
        target = self.owned[handle]
        if not self.guarded and not isinstance(target, nn.Module):
            self.part = None  # a function may change whatever it can reach
        self.takes_part(True, handle)
        if path:
            target = target.get_submodule(str(path))
        if self.guarded and not allowed(target, method, op):
            raise AttributeError(f"{type(target).__name__!r} object has no attribute {method!r}")
        return target, str(method)
