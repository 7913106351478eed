"""What a call gave, as plain data: compared with a tolerance and shown in a few words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["differ", "label", "of_error", "of_value", "same"]

Outcome = dict[str, Any]
SHOWN = 24  # numbers that a page shows of one value
KEPT = 4000  # numbers that are compared
LONGEST = 160
USUAL = ("torch.float32", "torch.int64", "torch.bool", "float64", "int64", "bool")  # not said


def of_error(error: BaseException) -> Outcome:
    """An outcome that is an exception."""
    text = " ".join(str(error).split())
    return {"error": type(error).__name__, "text": text[:LONGEST], "leaves": []}


def of_value(value: Any) -> Outcome:
    """An outcome that is a value: its leaves with kind, numbers and a text."""
    leaves: list[dict[str, Any]] = []
    _leaves(value, "", leaves)
    return {"error": "", "text": "", "leaves": leaves}


def _leaves(value: Any, path: str, found: list[dict[str, Any]]) -> None:
    import numpy as np
    import torch

    if len(found) > 30:
        return
    if isinstance(value, torch.Tensor):
        plain = value.detach().cpu()
        numbers = plain.reshape(-1)[:KEPT].to(torch.float64).tolist()
        kind = f"tensor {tuple(plain.shape)} {str(plain.dtype).removeprefix('torch.')}"
        text = _array(plain.to(torch.float64).tolist(), plain.dtype == torch.bool)
        text += "" if str(plain.dtype) in USUAL else f" {kind.split()[-1]}"
        found.append(_leaf(path, kind, numbers, text if plain.numel() <= SHOWN else ""))
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        numbers = value.ravel()[:KEPT].astype(float).tolist()
        text = _array(value.astype(float).tolist(), value.dtype.kind == "b")
        text += "" if str(value.dtype) in USUAL else f" {value.dtype}"
        kind = f"array {value.shape} {value.dtype}"
        found.append(_leaf(path, kind, numbers, text if value.size <= SHOWN else ""))
    elif isinstance(value, bool) or value is None:
        found.append(_leaf(path, repr(value), [], repr(value)))
    elif isinstance(value, int | float | np.number):
        found.append(_leaf(path, type(value).__name__, [float(value)], _number(float(value))))
    elif isinstance(value, str):
        found.append(_leaf(path, f"text {value[:LONGEST]!r}", [], repr(value[:LONGEST])))
    elif type(value).__module__.startswith("pandas") and hasattr(value, "columns"):
        _leaves(list(map(str, value.columns)), f"{path}.columns", found)
        for name in value.columns:
            _leaves(value[name].tolist(), f"{path}[{str(name)!r}]", found)
    elif isinstance(value, list | tuple | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        flat = value if isinstance(value, list | tuple) else []
        if flat and all(type(v) in (int, float) for v in flat):
            numbers = [float(v) for v in flat[:KEPT]]
            text = _array(numbers, False) if len(flat) <= SHOWN else ""
            found.append(_leaf(path, f"{type(value).__name__} of {len(flat)}", numbers, text))
            return
        found.append(_leaf(path, f"{type(value).__name__} of {len(value)}", [], ""))
        for key, item in items:
            _leaves(item, f"{path}[{key!r}]", found)
    else:
        found.append(_leaf(path, type(value).__name__, [], ""))


def _leaf(path: str, kind: str, numbers: list[float], text: str) -> dict[str, Any]:
    return {"path": path, "kind": kind, "numbers": numbers, "text": text}


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    value = 0.0 if abs(value) < 1e-12 else value  # what rounding leaves, and no -0
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"


def _array(values: Any, truth: bool) -> str:
    if isinstance(values, list):
        return "[" + ", ".join(_array(v, truth) for v in values) + "]"
    return str(bool(values)) if truth else _number(values)


def same(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two outcomes are the same but for rounding."""
    return _agree(one, two, 1e-6, 1e-4)


def differ(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two outcomes clearly differ: another kind, error or shape, or a number by 2 %."""
    return not _agree(one, two, 2e-3, 2e-2)


def _agree(one: Mapping[str, Any], two: Mapping[str, Any], near: float, share: float) -> bool:
    kinds = [
        [o["error"], *((leaf["path"], leaf["kind"]) for leaf in o["leaves"])] for o in (one, two)
    ]
    if kinds[0] != kinds[1]:
        return False
    for a, b in zip(one["leaves"], two["leaves"], strict=True):
        for x, y in zip(a["numbers"], b["numbers"], strict=True):
            if x == y or (math.isnan(x) and math.isnan(y)):
                continue
            if not abs(x - y) <= near + share * abs(y):
                return False
    return True


def label(outcome: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, str]:
    """Say what a change did, in words and as code, beside the outcome ``before`` the change."""
    if same(outcome, before):
        return "Nothing changes: it gives the same as before.", ""
    if outcome["error"]:
        return f"It raises {outcome['error']}.", ""
    mine, old = ([leaf["kind"] for leaf in o["leaves"]] for o in (outcome, before))
    values = _values(outcome["leaves"])
    if values:
        return "It gives", values
    if mine != old:
        kinds = [leaf for leaf in outcome["leaves"] if "of" not in leaf["kind"].split()[:2]]
        return "It gives", _lines(kinds[:6], "kind")
    return "The shapes stay, and the numbers are others.", ""


def _values(leaves: Sequence[Mapping[str, Any]]) -> str:
    plain = [leaf for leaf in leaves if leaf["numbers"] or leaf["text"]]
    if not plain or any(not leaf["text"] for leaf in plain):
        return ""
    if sum(len(leaf["numbers"]) for leaf in plain) > 2 * SHOWN or len(plain) > 8:
        return ""
    return _lines(plain, "text")


def _lines(leaves: Sequence[Mapping[str, Any]], key: str) -> str:
    return "\n".join(f"{leaf['path']} {leaf[key]}".strip() for leaf in leaves)
