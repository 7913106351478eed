"""Models and tokenizers that the checks of notebook 04 use, and how they must be left."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
from collections.abc import Callable, Iterator
from typing import Any

import torch

from course_utils.checks.core import fail, require

__all__ = [
    "LONG",
    "ForwardBroke",
    "Recorder",
    "assert_restored",
    "left_alone",
    "shipped_model",
    "small_model",
    "tokenizer",
]


LONG = "The patient denies chest pain, fever and chills. " * 30


@functools.cache
def _shipped() -> tuple[Any, torch.nn.Module]:
    from course_utils import text

    with contextlib.redirect_stdout(io.StringIO()):
        return text.load_clinical_encoder(text.SHIPPED)


def tokenizer() -> Any:
    """A fresh copy of the shipped tokenizer."""
    return copy.deepcopy(_shipped()[0])


def shipped_model() -> torch.nn.Module:
    """A fresh copy of the shipped model, in evaluation mode."""
    return copy.deepcopy(_shipped()[1])


def small_model(
    seed: int = 0, *, width: int = 24, layers: int = 3, positions: int = 40, dtype: Any = None
) -> torch.nn.Module:
    """A random BERT in training mode: every size differs from the shipped model's."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=len(_shipped()[0]),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=3,
        intermediate_size=2 * width,
        max_position_embeddings=positions,
        hidden_dropout_prob=0.4,
        attention_probs_dropout_prob=0.4,
        layer_norm_eps=0.05,
        attn_implementation="eager",
    )
    generator = torch.Generator().manual_seed(seed)
    model = BertModel(config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            spread = 0.4 if "embeddings" in name else 0.25
            value.copy_(torch.randn(value.shape, generator=generator) * spread)
            if name.endswith("LayerNorm.weight"):
                value.add_(1.0)
    return model.to(dtype or torch.float32).train()


def _settings(model: torch.nn.Module) -> list[Any]:
    """What a model is set to beside its weights: dropout, epsilons, what is to be learnt."""
    return [
        str(model),
        [p.requires_grad for p in model.parameters()],
        [p.grad is None for p in model.parameters()],
    ]


@contextlib.contextmanager
def left_alone(model: torch.nn.Module) -> Iterator[None]:
    """Fail when mode, weights, settings or the global gradient setting are not as they were."""
    training, grad = model.training, torch.is_grad_enabled()
    modes = [module.training for module in model.modules()]
    weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    settings = _settings(model)
    yield
    require(
        model.training == training and modes == [m.training for m in model.modules()],
        f"The model came in {'training' if training else 'evaluation'} mode and left in the other.",
        "put its mode back: remember `model.training`, and restore it at the end",
    )
    require(
        torch.is_grad_enabled() == grad,
        f"Gradients were globally {'on' if grad else 'off'} and are not so any more.",
        "use `with torch.no_grad():` instead of `torch.set_grad_enabled(False)`",
    )
    now = model.state_dict()
    changed = [name for name in weights if not torch.equal(now[name], weights[name])]
    require(
        not changed and len(now) == len(weights), f"The model's weights changed: {changed[:2]}."
    )
    require(
        _settings(model) == settings,
        "The model is not as it was: a dropout rate, a `requires_grad` or a gradient changed.",
        "leave its parts as they are: `model.eval()` for a while switches dropout off",
    )


class ForwardBroke(RuntimeError):
    """Raised by a model on purpose."""


def assert_restored(answer: Callable[..., Any], model: torch.nn.Module, *args: Any) -> None:
    """When the model raises, mode and gradient setting are put back all the same."""

    def broken(*_: Any, **__: Any) -> None:
        raise ForwardBroke("the model broke, on purpose")

    training = model.training
    model.forward = broken
    try:
        with left_alone(model):
            try:
                answer(*args)
            except (ForwardBroke, RuntimeError):
                pass
            except Exception as error:
                fail(f"When the model raises, {type(error).__name__} comes out instead: {error}")
            require(
                model.training == training and torch.is_grad_enabled(),
                "After a forward call that raised, the model's mode or the gradient setting is not "
                "as it was.",
                "put the mode back in a `finally:` block, and use `with torch.no_grad():`",
            )
    finally:
        del model.forward


class Recorder:
    """Counts how many texts each forward call of a model holds, and what carries a gradient."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.sizes: list[int] = []
        self.gradients = False
        self.model = model
        self.forward = model.forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        ids = args[0] if args else kwargs.get("input_ids", kwargs.get("inputs_embeds"))
        self.sizes.append(1 if ids is None else len(ids))
        result = self.forward(*args, **kwargs)
        self.gradients = self.gradients or result.last_hidden_state.requires_grad
        return result

    def __enter__(self) -> Recorder:
        self.model.forward = self
        return self

    def __exit__(self, *_: object) -> None:
        del self.model.forward
