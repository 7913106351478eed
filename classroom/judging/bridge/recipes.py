"""Trusted objects of torch and transformers that the box makes anew from plain data.

The judge hands over generators, configurations, tokenizers and model outputs; nothing of this kind
is ever made from what the box sends. Of a generator only the state comes back.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["TAGS", "make", "write"]

TAGS = ("generator", "config", "tokenizer", "output")
SPECIAL = ("unk_token", "cls_token", "sep_token", "pad_token", "mask_token")
PLAIN = ("model_max_length", "padding_side", "truncation_side", "model_input_names")


def write(value: Any, inner: Callable[[Any], Any]) -> list[Any] | None:
    """Describe an object by its recipe; None when there is none."""
    if isinstance(value, torch.Generator) and value.device.type == "cpu":
        return ["generator", inner(value.get_state())]
    if not type(value).__module__.startswith("transformers."):
        return None
    transformers = importlib.import_module("transformers")
    name = type(value).__name__
    if isinstance(value, transformers.PretrainedConfig):
        return ["config", name, value.to_json_string(use_diff=False)]
    if isinstance(value, transformers.PreTrainedTokenizerFast):
        about = {key: str(getattr(value, key)) for key in SPECIAL if getattr(value, key)}
        about |= {key: getattr(value, key) for key in PLAIN}
        return ["tokenizer", value.backend_tokenizer.to_str(), about]
    if isinstance(value, transformers.utils.ModelOutput):
        items = [[key, inner(item)] for key, item in value.items()]
        return ["output", type(value).__module__, name, items]
    return None


def make(data: list[Any], inner: Callable[[Any], Any]) -> Any:
    """Make the object of a recipe."""
    tag, *rest = data
    if tag == "generator":
        generator = torch.Generator()
        generator.set_state(inner(rest[0]))
        return generator
    transformers = importlib.import_module("transformers")
    if tag == "config":
        return getattr(transformers, rest[0]).from_dict(json.loads(rest[1]))
    if tag == "output":
        kind = getattr(importlib.import_module(rest[0]), rest[1])
        return kind(**{key: inner(item) for key, item in rest[2]})
    text, about = rest
    tokenizers = importlib.import_module("tokenizers")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(text), **about
    )
