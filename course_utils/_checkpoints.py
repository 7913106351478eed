"""Checkpoints in one safetensors file: nothing is pickled, an interrupted write costs nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

__all__ = ["load_checkpoint", "save_checkpoint"]


def _pack(tree: Any, tensors: dict[str, torch.Tensor], name: str) -> Any:
    """Copy a nested state into plain JSON; tensors go to ``tensors`` and leave their name."""
    if isinstance(tree, torch.Tensor):
        tensors[name] = tree.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"items": [[k, _pack(v, tensors, f"{name}.{k}")] for k, v in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return [_pack(v, tensors, f"{name}.{i}") for i, v in enumerate(tree)]
    return tree


def _unpack(tree: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(tree, list):
        return [_unpack(v, tensors) for v in tree]
    if isinstance(tree, dict):
        if "tensor" in tree:
            return tensors[tree["tensor"]]
        return {k: _unpack(v, tensors) for k, v in tree["items"]}
    return tree


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
    *,
    state: dict[str, Any] | None = None,
) -> Path:
    """Write model, optimizer, scheduler and random state to one safetensors file.

    Numbers and structure are JSON in the file's header, so nothing is pickled. The file is
    written beside its place and moved there in one step: an interrupted write leaves the old
    checkpoint whole.

    Parameters
    ----------
    path
        File to write, usually ``*.safetensors``; its folder is made.
    state
        Anything of your own that JSON can hold (epoch, history, configuration).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tree = {
        "model": dict(model.state_dict()),
        "optimizer": None if optimizer is None else optimizer.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "rng": {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        },
    }
    tensors: dict[str, torch.Tensor] = {}
    structure = json.dumps(_pack(tree, tensors, "checkpoint"))
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        save_file(
            tensors,
            partial,
            metadata={"structure": structure, "state": json.dumps(state or {})},
        )
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def load_checkpoint(
    path: str | Path,
    model: nn.Module | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
    *,
    restore_rng: bool = False,
) -> dict[str, Any]:
    """Load what :func:`save_checkpoint` wrote into the objects given and return its ``state``.

    Raises
    ------
    ValueError
        If the file is no checkpoint of this function's kind, or holds no optimizer or scheduler
        although one is asked for.
    """
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        if "structure" not in header:
            raise ValueError(f"path={str(path)!r} was not written by save_checkpoint")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tree = _unpack(json.loads(header["structure"]), tensors)
    targets = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    for name, target in targets.items():
        if target is None:
            continue
        if tree[name] is None:
            raise ValueError(f"path={str(path)!r} holds no {name} state")
        target.load_state_dict(tree[name])
    if restore_rng:
        torch.set_rng_state(tree["rng"]["cpu"])
        if torch.cuda.is_available() and len(tree["rng"]["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(tree["rng"]["cuda"])
    return json.loads(header["state"])
