"""Modules on both sides of the bridge: the same names, numbers, gradients and modes.

The owner has the real module; the other side has a :class:`Mirror` with equal parameters. Before
each message both compare with what was last sent, and what differs travels along.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from classroom.judging.bridge.frames import Malformed
from classroom.judging.bridge.values import Writer

__all__ = ["Mirror", "Shared", "build_mirror", "home_here", "read_signature", "write_signature"]

REMOTE = ("to", "double", "float", "half", "bfloat16", "cpu", "train", "eval")
SIMPLE = (bool, int, float, str, type(None))


class Opaque:
    """Default of a parameter that is not a simple value."""

    def __repr__(self) -> str:
        return "..."


def write_signature(target: Any) -> list[Any] | None:
    """Names, kinds and simple defaults of a callable's parameters."""
    target = target.forward if isinstance(target, nn.Module) else target
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        [p.name, int(p.kind)]
        + ([] if p.default is p.empty else [p.default if type(p.default) in SIMPLE else ["?"]])
        for p in parameters
    ]


def read_signature(data: Any) -> inspect.Signature | None:
    """Inverse of :func:`write_signature`."""
    if data is None:
        return None
    try:
        kinds = list(inspect._ParameterKind)
        return inspect.Signature(
            [
                inspect.Parameter(
                    name, kinds[kind], **({"default": _default(rest[0])} if rest else {})
                )
                for name, kind, *rest in data
            ]
        )
    except (TypeError, ValueError, IndexError) as error:
        raise Malformed(f"a signature that cannot be ({error})") from None


def _default(value: Any) -> Any:
    return value if isinstance(value, SIMPLE) else Opaque()


def entries_of(module: nn.Module) -> Iterator[tuple[str, str, Tensor | None]]:
    """Yield ``(name, kind, tensor)`` of all parameters and buffers, shared ones repeatedly."""
    for path, part in module.named_modules():
        prefix = f"{path}." if path else ""
        for name, value in part._parameters.items():
            yield prefix + name, "parameter", value
        for name, value in part._buffers.items():
            kind = "passing" if name in part._non_persistent_buffers_set else "buffer"
            yield prefix + name, kind, value


def _lazy(value: Tensor | None) -> bool:
    return value is not None and nn.parameter.is_lazy(value)


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None or _lazy(a) or _lazy(b):
        return a is None and b is None
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        return False
    return a.device.type == "meta" or torch.equal(a, b)


class Shared:
    """One module that both sides know, with what was last said about it.

    Comparing all numbers takes most of a message's time when many modules are alive. So a module
    that had no part in what is answered now is first looked at from outside: its tensors are the
    same, with the same counters of changes. Only a write through ``.data`` does not show there.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.looked: tuple[list[Any], list[Any], list[Any]] | None = None
        self.values: dict[str, tuple[Tensor | None, bool]] = {}
        self.grads: dict[str, Tensor | None] = {}
        self.modes: dict[str, bool] = {}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield each parameter once, with its first name."""
        for name, value in self.module.named_parameters():
            if not _lazy(value):
                yield name, value

    def look(self) -> None:
        """Keep how the module looks from outside; nothing while parameters have no numbers."""
        modes: list[Any] = []
        places: list[Any] = []
        tensors: list[Any] = []
        self.looked = None
        for part in self.module.modules():
            modes.append((part, part.training))
            for place in (part._parameters, part._buffers, part._modules):
                places.append((place, [*map(id, place.values())]))
                for value in place.values():
                    if isinstance(value, Tensor):
                        if type(value) not in (Tensor, nn.Parameter):
                            return
                        grad = value.grad if value.is_leaf else None
                        count = None if grad is None else grad._version
                        tensors.append((value, value._version, value.requires_grad, grad, count))
        self.looked = modes, places, tensors

    def looks_the_same(self) -> bool:
        """Whether nothing shows from outside since the last :meth:`look`."""
        if self.looked is None:
            return False
        modes, places, tensors = self.looked
        for part, mode in modes:
            if part.training is not mode:
                return False
        for place, ids in places:  # what was there is kept alive below, so its number is its own
            if (ids or place) and [*map(id, place.values())] != ids:
                return False
        for value, count, learns, grad, slopes in tensors:
            if value._version != count or value.requires_grad is not learns:
                return False
            slope = value.grad if learns and value.is_leaf else grad
            if slope is not grad or (grad is not None and grad._version != slopes):
                return False
        return True

    def changes(
        self, writer: Writer, *, first: bool = False, closely: bool = True
    ) -> dict[str, Any] | None:
        """Describe what differs from the last time; None when nothing does.

        Parameters
        ----------
        first
            Describe all.
        closely
            Compare the numbers even where nothing shows.
        """
        if not (first or closely) and self.looks_the_same():
            return None
        entries: list[Any] = []
        grads: list[Any] = []
        names: dict[int, str] = {}
        for name, kind, value in entries_of(self.module):
            grad = value.requires_grad if value is not None else False
            alias = names.setdefault(id(value), name) if value is not None else name
            known = self.values.get(name)
            if first or known is None or known[1] != grad or not _same(known[0], value):
                self.values[name] = (_copy(value), grad)
                what: Any = ["lazy"] if _lazy(value) else None
                if value is not None and not _lazy(value):
                    what = ["alias", alias] if alias != name else writer.tensor(value.detach())
                entries.append([name, kind, what, grad])
            slope = (
                value.grad
                if kind == "parameter" and not _lazy(value) and value is not None
                else None
            )
            if not _same(self.grads.get(name), slope):
                self.grads[name] = _copy(slope)
                grads.append([name, None if slope is None else writer.tensor(slope.detach())])
        modes = {path: part.training for path, part in self.module.named_modules()}
        moved = {path: mode for path, mode in modes.items() if self.modes.get(path) != mode}
        self.modes = modes
        self.look()
        if not (first or entries or grads or moved):
            return None
        return {"entries": entries, "grads": grads, "modes": moved}

    def apply(self, data: dict[str, Any], tensors: list[Tensor], *, strict: bool) -> None:
        """Take over what the other side says; ``strict`` allows new numbers only."""
        if strict:
            kinds = {name: value for name, _, value in entries_of(self.module)}
            for name, _, what, _ in data["entries"]:
                mine = kinds.get(name)
                if mine is None or type(what) is not int or tensors[what].shape != mine.shape:
                    raise Malformed(f"a parameter {name!r:.60} that the module does not have")
        parts = dict(self.module.named_modules())
        for path, mode in data["modes"].items():
            if path in parts:
                parts[path].training = self.modes[path] = bool(mode)
        for name, kind, what, grad in data["entries"]:
            path, _, last = str(name).rpartition(".")
            if path in parts:
                self._set(parts[path], last, str(name), kind, what, bool(grad), tensors)
        for name, what in data["grads"]:
            path, _, last = str(name).rpartition(".")
            value = parts[path]._parameters.get(last) if path in parts else None
            if value is None or _lazy(value):
                continue
            slope = None if what is None else tensors[what]
            if slope is not None and slope.shape != value.shape:
                raise Malformed(f"a gradient of {name!r:.60} that does not fit")
            value.grad = slope
            self.grads[name] = _copy(slope)
        self.look()

    def _set(
        self,
        part: nn.Module,
        last: str,
        name: str,
        kind: str,
        what: Any,
        grad: bool,
        tensors: list[Tensor],
    ) -> None:
        if kind == "parameter":
            old: Any = part._parameters.get(last)
            if isinstance(what, list):
                value: Any = nn.parameter.UninitializedParameter()
                if what[0] == "alias":
                    value = dict(self.module.named_parameters(remove_duplicate=False))[what[1]]
            elif what is None:
                value = None
            else:
                value = _renew(old, tensors[what], grad)
            part._parameters[last] = value
        else:
            old = part._buffers.get(last)
            value = None if not isinstance(what, int) else tensors[what]
            if old is not None and value is not None and old.shape == value.shape:
                value = _renew(old, value, False)
            part._buffers[last] = value
            if kind == "passing":
                part._non_persistent_buffers_set.add(last)
        self.values[name] = (_copy(value), grad)


def _copy(value: Tensor | None) -> Tensor | None:
    if _lazy(value):  # not the parameter itself: it becomes a real one in place
        return nn.parameter.UninitializedParameter()
    return value if value is None else value.detach().clone()


def _renew(old: Any, new: Tensor, grad: bool) -> Any:
    """Give an existing parameter or buffer new numbers, or make a parameter."""
    if old is None or _lazy(old) or old.device != new.device:
        floats = new.is_floating_point() or new.is_complex()
        return nn.Parameter(new, requires_grad=grad and floats)
    with torch.no_grad():
        if old.shape == new.shape and old.dtype == new.dtype:
            if not _same(old, new):
                old.copy_(new)
        else:
            old.data = new
    if old.is_leaf and old.requires_grad != grad:
        old.requires_grad_(grad)
    return old


class Forward:
    """The ``forward`` of a mirror, with the signature of the real one."""

    def __init__(self, call: Callable[..., Any], signature: inspect.Signature | None) -> None:
        self.call = call
        if signature is not None:
            self.__signature__ = signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call("", args, kwargs)


class Mirror(nn.Module):
    """A module whose real self lives on the other side."""

    forward: Any
    bridge_call: Callable[..., Any]
    bridge_get: Callable[[str], Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith(("_", "bridge_")):
                raise
        return self.bridge_get(name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = self.bridge_call("__deepcopy__", (), {})
        memo[id(self)] = made
        return made

    def get_input_embeddings(self) -> Any:
        """Return the word embeddings of a model of transformers."""
        return self.bridge_call("get_input_embeddings", (), {})

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _elsewhere(name: str) -> Callable[..., Any]:
    def method(self: Mirror, *args: Any, **kwargs: Any) -> Any:
        self.bridge_call(name, args, kwargs)
        return self

    return method


for _name in REMOTE:
    setattr(Mirror, _name, _elsewhere(_name))


def home_here(info: dict[str, Any]) -> str:
    """Module name that a stand-in bears: the library's, which checks ask about, or none."""
    name = str(info["module"])
    return name[:80] if name.startswith("course_utils.") else "__main__"


def build_mirror(
    info: dict[str, Any], tensors: list[Tensor], caller: Callable[[str], tuple[Any, Any, Any]]
) -> tuple[nn.Module, Shared]:
    """Make the mirror of a module; ``caller(path)`` gives bridge address, call and getattr."""
    made: dict[str, nn.Module] = {}
    for path, (kind, mode) in sorted(info["parts"].items(), key=lambda item: item[0].count(".")):
        about = {"__module__": home_here(info)} if path == "" else {}
        part: nn.Module = type(str(kind)[:80], (Mirror,), about)()
        address, call, get = caller(path)
        for key, value in (("bridge", address), ("bridge_call", call), ("bridge_get", get)):
            object.__setattr__(part, key, value)
        signature = read_signature(info["signature"]) if path == "" else None
        object.__setattr__(part, "forward", Forward(call, signature))
        part.training = bool(mode)
        made[path] = part
        if path:
            above, _, last = path.rpartition(".")
            if above in made:
                made[above]._modules[last] = part
    shared = Shared(made[""])
    shared.apply(info["state"], tensors, strict=False)
    shared.modes = {path: part.training for path, part in made[""].named_modules()}
    return made[""], shared
