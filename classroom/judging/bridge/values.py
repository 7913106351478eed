"""Values as JSON and raw bytes: numbers, text, containers, tensors, arrays, tables.

A tagged list stands for everything that JSON has no word for. Subclasses become their plain base,
so an object whose ``==`` lies arrives as a plain value; what fits nothing becomes a reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch

from classroom.judging.bridge.frames import Malformed

__all__ = ["Reader", "Writer"]

DTYPES = {
    str(d).removeprefix("torch."): d
    for d in (
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8),
        *(torch.int8, torch.int16, torch.int32, torch.int64, torch.complex64, torch.complex128),
    )
}
TYPES: dict[str, Any] = {
    f"{t.__module__}.{t.__name__}": t for t in (bool, int, float, str, list, tuple, dict)
}
TYPES |= {f"numpy.{t.__name__}": t for t in (np.int64, np.int32, np.float64, np.float32, np.bool_)}
ARRAY_KINDS = "biufcSUmM"
DEEPEST = 40


class Writer:
    """Turn values into JSON; ``tensors`` and ``blobs`` fill up on the way.

    Parameters
    ----------
    reference
        Called with what has no value of its own; returns a tagged list, or raises TypeError.
    known
        Called with a tensor; returns a tagged list when both sides have it already.
    """

    def __init__(
        self,
        reference: Callable[[Any], list[Any]],
        known: Callable[[torch.Tensor], list[Any] | None],
    ) -> None:
        self.reference, self.known = reference, known
        self.recipe: Callable[[Any], list[Any] | None] | None = None
        self.blobs: list[bytes] = []
        self.tensors: list[dict[str, Any]] = []
        self.sent: list[torch.Tensor] = []
        self._seen: dict[int, int] = {}

    def blob(self, data: bytes) -> int:
        """Keep raw bytes; return their number."""
        self.blobs.append(data)
        return len(self.blobs) - 1

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return the JSON of a value."""
        if value is None or type(value) in (bool, float, str):
            return value
        if type(value) is int:
            return value if abs(value) < 2**63 else ["int", hex(value)]
        if depth > DEEPEST:
            raise TypeError("a value is nested too deeply")
        if isinstance(value, torch.Tensor):
            return self.known(value) or ["tensor", self.tensor(value)]
        recipe = self.recipe(value) if self.recipe is not None else None
        if recipe is not None:
            return recipe
        for kind, write in _WRITERS:
            if isinstance(value, kind):
                return write(self, value, depth + 1)
        if value is Ellipsis:
            return ["ellipsis"]
        if type(value).__module__.startswith("pandas"):
            found = _pandas(self, value, depth + 1)
            if found is not None:
                return found
        if isinstance(value, type) and value in TYPES.values():
            return ["type", next(k for k, t in TYPES.items() if t is value)]
        return self.reference(value)

    def tensor(self, tensor: torch.Tensor) -> int:
        """Describe a tensor once; return its number in this message."""
        if id(tensor) in self._seen:
            return self._seen[id(tensor)]
        plain = tensor.detach()
        if type(plain) is not torch.Tensor:
            plain = plain.as_subclass(torch.Tensor)
        name = str(plain.dtype).removeprefix("torch.")
        if plain.layout != torch.strided or name not in DTYPES or plain.is_quantized:
            raise TypeError(f"a tensor of {plain.layout} and {plain.dtype} cannot be handed over")
        about: dict[str, Any] = {"dtype": name, "shape": list(plain.shape)}
        if tensor.requires_grad:
            about |= {"grad": True, "leaf": tensor.is_leaf}
        if isinstance(tensor, torch.nn.Parameter):
            about["parameter"] = True
        if plain.device.type == "meta":
            about["meta"] = True
        else:
            about["blob"], steps = self._bytes(plain.cpu().resolve_conj().resolve_neg())
            if steps is not None:
                about["stride"] = steps
        self.tensors.append(about)
        self.sent.append(tensor)
        self._seen[id(tensor)] = len(self.tensors) - 1
        return len(self.tensors) - 1

    def _bytes(self, plain: torch.Tensor) -> tuple[int, list[int] | None]:
        if plain.numel() == 0 or plain.is_contiguous():
            return self.blob(_raw(plain)), None
        steps = list(plain.stride())
        for dim, step in enumerate(steps):
            if step == 0:
                plain = plain.narrow(dim, 0, 1)
        return self.blob(_raw(plain.contiguous())), steps


def _raw(plain: torch.Tensor) -> bytes:
    if plain.numel() == 0:
        return b""
    row = torch.empty(plain.numel(), dtype=plain.dtype)
    return row.copy_(plain.reshape(-1)).view(torch.uint8).numpy().tobytes()


def _write_array(writer: Writer, value: np.ndarray, depth: int) -> Any:
    value = np.asarray(value)
    if value.dtype.kind == "O":
        items = [writer.value(v, depth) for v in value.ravel().tolist()]
        return ["objects", list(value.shape), items]
    if value.dtype.kind not in ARRAY_KINDS:
        raise TypeError(f"an array of {value.dtype} cannot be handed over")
    value = value.astype(value.dtype.newbyteorder("="), copy=False)
    order: Literal["C", "F"] = (
        "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    )
    number = writer.blob(value.tobytes(order))
    return ["array", value.dtype.str, list(value.shape), order, number]


def _write_number(writer: Writer, value: np.generic, depth: int) -> Any:
    if value.dtype.kind not in ARRAY_KINDS:
        raise TypeError(f"a number of {value.dtype} cannot be handed over")
    return ["number", value.dtype.str, writer.blob(value.tobytes())]


def _plain_items(value: Any, base: Any) -> list[Any]:
    return list(base.__iter__(value))


_WRITERS: list[tuple[Any, Callable[[Writer, Any, int], Any]]] = [
    (np.generic, _write_number),
    (np.ndarray, _write_array),
    (bool, lambda w, v, d: bool(v)),
    (int, lambda w, v, d: w.value(int.__int__(v), d)),
    (float, lambda w, v, d: float.__float__(v)),
    (str, lambda w, v, d: str.__str__(v)),
    (bytes, lambda w, v, d: ["bytes", w.blob(bytes(v))]),
    (complex, lambda w, v, d: ["complex", v.real, v.imag]),
    (torch.Size, lambda w, v, d: ["size", [int(n) for n in v]]),
    (list, lambda w, v, d: ["list", [w.value(x, d) for x in _plain_items(v, list)]]),
    (tuple, lambda w, v, d: ["tuple", [w.value(x, d) for x in _plain_items(v, tuple)]]),
    (set, lambda w, v, d: ["set", [w.value(x, d) for x in _plain_items(v, set)]]),
    (
        dict,
        lambda w, v, d: [
            "dict",
            [[w.value(k, d), w.value(x, d)] for k, x in dict.items(v)],
        ],
    ),
    (range, lambda w, v, d: ["range", v.start, v.stop, v.step]),
    (slice, lambda w, v, d: ["slice", *(w.value(x, d) for x in (v.start, v.stop, v.step))]),
    (torch.dtype, lambda w, v, d: ["dtype", str(v).removeprefix("torch.")]),
    (torch.device, lambda w, v, d: ["device", v.type]),
]


def _pandas(writer: Writer, value: Any, depth: int) -> Any:
    import pandas as pd

    if value is pd.NA or value is pd.NaT:
        return ["missing", "NA" if value is pd.NA else "NaT"]
    if isinstance(value, pd.Timestamp):
        return ["timestamp", value.isoformat()]
    if isinstance(value, pd.Timedelta):
        return ["timedelta", int(value.value)]
    if isinstance(value, pd.RangeIndex):
        return ["rows", value.start, value.stop, value.step, writer.value(value.name, depth)]
    if isinstance(value, pd.MultiIndex):
        rows = [writer.value(tuple(row), depth) for row in value]
        return ["levels", rows, [writer.value(n, depth) for n in value.names]]
    if isinstance(value, pd.Index):
        return ["index", _column(writer, value, depth), writer.value(value.name, depth)]
    if isinstance(value, pd.Series):
        name = writer.value(value.name, depth)
        return ["series", _column(writer, value, depth), writer.value(value.index, depth), name]
    if isinstance(value, pd.DataFrame):
        columns = [_column(writer, value.iloc[:, i], depth) for i in range(value.shape[1])]
        index, names = (writer.value(v, depth) for v in (value.index, value.columns))
        return ["table", columns, index, names]
    return None


def _column(writer: Writer, value: Any, depth: int) -> list[Any]:
    dtype = value.dtype
    if isinstance(dtype, np.dtype):
        return ["plain", writer.value(value.to_numpy(), depth)]
    return ["own", str(dtype), [writer.value(v, depth) for v in value.astype(object).tolist()]]


class Reader:
    """Turn JSON back into values; everything wrong in it raises :class:`Malformed`.

    Parameters
    ----------
    tensors
        The tensors of this message, already made (see :meth:`make`).
    resolve
        Called with a tagged list that is a reference.
    """

    def __init__(self, blobs: list[bytes], resolve: Callable[[list[Any]], Any]) -> None:
        self.blobs, self.resolve = blobs, resolve
        self.tensors: list[torch.Tensor] = []
        self.leaves: dict[int, torch.Tensor] = {}

    def take(self, descriptions: Any, *, leaves: bool) -> None:
        """Make all tensors of the message; ``leaves``: those that want gradients begin graphs."""
        for number, about in enumerate(descriptions):
            tensor = self.make(about)
            if leaves and about.get("grad"):
                self.leaves[number] = tensor.requires_grad_()
                if not about.get("leaf"):
                    with torch.enable_grad():
                        tensor = tensor.clone()
            self.tensors.append(tensor)

    def make(self, about: Any) -> torch.Tensor:
        """Make the tensor of one description, without a graph."""
        try:
            dtype, shape = DTYPES[about["dtype"]], [_size(n) for n in about["shape"]]
            if about.get("meta"):
                return torch.empty(shape, dtype=dtype, device="meta")
            data, steps = self.blobs[_size(about["blob"])], about.get("stride")
            dense = [1 if steps and steps[i] == 0 else n for i, n in enumerate(shape)]
            if math.prod(dense) * dtype.itemsize != len(data):
                raise Malformed("a tensor whose bytes do not fit its shape")
            if not data:
                return torch.empty(shape, dtype=dtype)
            tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(dtype).view(dense)
            if steps is None:
                return tensor
            return self._strided(tensor, shape, [_size(n) for n in steps])
        except (KeyError, TypeError, IndexError, RuntimeError, ValueError) as error:
            raise Malformed(f"a tensor that cannot be made ({error})") from None

    @staticmethod
    def _strided(tensor: torch.Tensor, shape: list[int], steps: list[int]) -> torch.Tensor:
        reach = 1 + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
        if reach > 16 * tensor.numel() + 4096:
            return tensor.expand(shape)
        made = torch.empty(reach, dtype=tensor.dtype).as_strided(tensor.shape, steps)
        return made.copy_(tensor).expand(shape)

    def value(self, data: Any) -> Any:
        """Return the value of some JSON."""
        if data is None or isinstance(data, bool | int | float | str):
            return data
        try:
            tag, *rest = data
            if tag == "tensor":
                return self.tensors[_size(rest[0])]
            read = _READERS.get(tag)
            return self.resolve(data) if read is None else read(self, *rest)
        except Malformed:
            raise
        except (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError) as e:
            raise Malformed(f"a value that cannot be made ({type(e).__name__}: {e})") from None


def _size(n: Any) -> int:
    if type(n) is not int or not 0 <= n < 2**40:
        raise Malformed(f"a size of {n!r:.40}")
    return n


def _read_array(reader: Reader, dtype: str, shape: list[int], order: str, number: int) -> Any:
    kind = np.dtype(dtype)
    data = reader.blobs[_size(number)]
    sizes = [_size(n) for n in shape]
    if kind.kind not in ARRAY_KINDS or math.prod(sizes) * kind.itemsize != len(data):
        raise Malformed("an array whose bytes do not fit its shape")
    if not kind.itemsize:
        return np.zeros(sizes, kind)
    array = np.frombuffer(bytearray(data), kind)
    return array.reshape(sizes, order="F" if order == "F" else "C")


def _read_objects(reader: Reader, shape: list[int], items: list[Any]) -> np.ndarray:
    made = np.empty(len(items), object)
    for i, item in enumerate(items):
        made[i] = reader.value(item)
    return made.reshape([_size(n) for n in shape])


def _read_column(reader: Reader, data: list[Any]) -> Any:
    import pandas as pd

    if data[0] == "plain":
        return reader.value(data[1])
    values = [reader.value(v) for v in data[2]]
    return pd.array(values, dtype=data[1])


def _read_table(reader: Reader, columns: list[Any], index: Any, names: Any) -> Any:
    import pandas as pd

    rows, heads = reader.value(index), reader.value(names)
    made = {i: _read_column(reader, column) for i, column in enumerate(columns)}
    table = pd.DataFrame(made, index=rows, columns=range(len(columns)))
    table.columns = heads
    return table


def _read_series(reader: Reader, column: list[Any], index: Any, name: Any) -> Any:
    import pandas as pd

    return pd.Series(
        _read_column(reader, column), index=reader.value(index), name=reader.value(name)
    )


def _read_pandas(reader: Reader, kind: str, *rest: Any) -> Any:
    import pandas as pd

    if kind == "missing":
        return pd.NA if rest[0] == "NA" else pd.NaT
    if kind == "timestamp":
        return pd.Timestamp(str(rest[0]))
    if kind == "timedelta":
        return pd.Timedelta(int(rest[0]))
    if kind == "rows":
        start, stop, step = (int(v) for v in rest[:3])
        if (stop - start) // step > 10_000_000:
            raise Malformed("an index that is too long")
        return pd.RangeIndex(start, stop, step, name=reader.value(rest[3]))
    if kind == "levels":
        rows = [reader.value(row) for row in rest[0]]
        return pd.MultiIndex.from_tuples(rows, names=[reader.value(n) for n in rest[1]])
    return pd.Index(_read_column(reader, rest[0]), name=reader.value(rest[1]))


def _of(kind: str) -> Callable[..., Any]:
    return lambda reader, *rest: _read_pandas(reader, kind, *rest)


_READERS: dict[str, Callable[..., Any]] = {
    "int": lambda r, text: int(text[:4000], 16),
    "ellipsis": lambda r: Ellipsis,
    "type": lambda r, name: TYPES[name],
    "array": _read_array,
    "objects": _read_objects,
    "number": lambda r, dtype, n: _read_array(r, dtype, [1], "C", n)[0],
    "bytes": lambda r, n: r.blobs[_size(n)],
    "complex": lambda r, a, b: complex(a, b),
    "size": lambda r, sizes: torch.Size([_size(n) for n in sizes]),
    "list": lambda r, items: [r.value(x) for x in items],
    "tuple": lambda r, items: tuple(r.value(x) for x in items),
    "set": lambda r, items: {r.value(x) for x in items},
    "dict": lambda r, pairs: {r.value(k): r.value(v) for k, v in pairs},
    "range": lambda r, a, b, c: range(int(a), int(b), int(c)),
    "slice": lambda r, a, b, c: slice(r.value(a), r.value(b), r.value(c)),
    "dtype": lambda r, name: DTYPES[name],
    "device": lambda r, name: torch.device("meta" if name == "meta" else "cpu"),
    "series": _read_series,
    "table": _read_table,
    **{
        kind: _of(kind) for kind in ("missing", "timestamp", "timedelta", "rows", "levels", "index")
    },
}
