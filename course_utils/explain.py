"""Which events made the risk? Helpers around Captum for models ``(events, static, is_event)``.

Each method gives one score per place on the time axis, so that their rankings can be compared with
each other and, on synthetic stays, with the planted causes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

__all__ = [
    "ablation_scores",
    "attention_gradient_scores",
    "causes_of",
    "layer_scores",
    "pooling_weights",
    "precision_at_causes",
    "randomised",
    "rollout_scores",
]

Batch = Mapping[str, torch.Tensor]


def _inputs(batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return batch["events"], batch["static"], batch["is_event"]


def ablation_scores(model: nn.Module, batch: Batch) -> np.ndarray:
    """Change of the logit when the numbers of one event are set to zero, (T,); padding gives 0.

    Captum's ``FeatureAblation`` with one feature per event. The event stays in the mask: its place
    is kept, its content is gone. The batch holds one stay, the model is in evaluation mode.
    """
    from captum.attr import FeatureAblation

    events, static, is_event = _inputs(batch)
    length = events.shape[1]
    one_per_event = torch.arange(length, device=events.device)[None, :, None].expand_as(events)
    with torch.no_grad():
        scores = FeatureAblation(lambda x, s, m: model(x, s, m)).attribute(
            events,
            additional_forward_args=(static, is_event),
            feature_mask=one_per_event,
            perturbations_per_eval=64,
        )
    return (scores[0, :, 0] * is_event[0]).cpu().numpy()  # the score is repeated over an event


def layer_scores(model: nn.Module, layer: nn.Module, batch: Batch) -> np.ndarray:
    """Activation times gradient at the output (1, T, d_model) of a layer, summed: (T,).

    The batch holds one stay, the model is in evaluation mode; padding gives 0.
    """
    from captum.attr import LayerGradientXActivation

    events, static, is_event = _inputs(batch)
    method = LayerGradientXActivation(lambda x, s, m: model(x, s, m), layer)
    scores = method.attribute(events.clone(), additional_forward_args=(static, is_event))
    return (scores.sum(-1)[0] * is_event[0]).detach().cpu().numpy()


@torch.no_grad()
def pooling_weights(model: nn.Module, batch: Batch) -> np.ndarray:
    """Return the weights of the attention pooling, (B, H, T)."""
    return model(*_inputs(batch), need_weights=True)[1]["pooling"].cpu().numpy()


@torch.no_grad()
def rollout_scores(model: nn.Module, batch: Batch) -> np.ndarray:
    """Follow the pooling's attention back through the layers to the events, (B, T).

    Each layer counts as half attention (mean over heads) and half residual path; padding gives 0.

    References
    ----------
    Abnar and Zuidema, Quantifying attention flow in transformers, 2020.
    """
    weights = model(*_inputs(batch), need_weights=True)[1]
    row = weights["pooling"].mean(1)[:, None]  # (B, 1, T)
    for attention in reversed(weights["layers"]):
        row = (row @ attention.mean(1) + row) / 2
    return row[:, 0].masked_fill(~batch["is_event"], 0).cpu().numpy()


def attention_gradient_scores(model: nn.Module, batch: Batch) -> np.ndarray:
    """Attention times gradient, followed back through the layers to the events, (T,).

    Each weight is multiplied by the gradient of the logit with respect to it; what is positive
    counts, as a mean over heads, and the residual path keeps the rest. It answers for the risk
    where rollout answers for the flow alone. The batch holds one stay, the model (with its
    ``pooling``) is in evaluation mode; padding gives 0.

    References
    ----------
    Chefer, Gur and Wolf, Transformer interpretability beyond attention visualization, 2021.
    """
    used = []  # the pooling's weights (1, H, 1, T) as they stand in the graph
    hook = model.pooling.register_forward_hook(lambda _, __, output: used.append(output[1]))
    try:
        with torch.enable_grad():
            logits, weights = model(*_inputs(batch), need_weights=True)
            parts = [*weights["layers"], *used]
            gradients = torch.autograd.grad(logits.sum(), parts)
    finally:
        hook.remove()
    *layers, pooling = [
        (part * gradient).clamp(min=0).mean(1).detach()
        for part, gradient in zip(parts, gradients, strict=True)
    ]
    row = pooling  # (1, 1, T)
    for attention in reversed(layers):
        row = row @ attention + row
    return (row[0, 0] * batch["is_event"][0]).cpu().numpy()


def randomised(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Copy a model and shuffle the entries of each of its parameters: same size, nothing learned.

    References
    ----------
    Adebayo et al., Sanity checks for saliency maps, 2018.
    """
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return twin.eval()


def causes_of(
    causes: pd.DataFrame, stay_id: int, texts: Sequence[str], minutes: Sequence[float]
) -> np.ndarray:
    """Effect of each event of a stay on its true log-odds, (T,); 0 for events that do nothing.

    ``texts`` and ``minutes`` are those of the events that the model reads. A planted event is
    found by both.
    """
    effects = np.zeros(len(texts))
    at = np.asarray(minutes, dtype=float)
    for row in causes[(causes["stay_id"] == stay_id) & causes["event_text"].notna()].itertuples():
        close = np.abs(at - row.minutes_since_admission) < 0.01
        here = [i for i in np.flatnonzero(close).tolist() if texts[i] == row.event_text]
        effects[here[:1]] = row.effect
    return effects


def precision_at_causes(scores: np.ndarray, effects: np.ndarray) -> float:
    """Share of true causes among as many top-ranked events as there are causes; nan without any.

    Scores are ranked by their size, whatever their sign.
    """
    k = int(np.count_nonzero(effects))
    if k == 0:
        return float("nan")
    top = np.argsort(-np.abs(scores[: len(effects)]), kind="stable")[:k]
    return float(np.count_nonzero(effects[top]) / k)
