"""Mistake: dropout is switched off by its rate
Message: dropout rate
"""

def explain_stay(
    model: nn.Module, stay_batch: dict[str, torch.Tensor], n_steps: int
) -> pd.DataFrame:
    """Attribute a stay's logit to its events and static features by Integrated Gradients.

    Returns a DataFrame with kind, position, attribution and completeness_gap.
    """
    ### BEGIN SOLUTION
    events, static, is_event = (stay_batch[k] for k in ("events", "static", "is_event"))
    inputs = (events.detach().clone(), static.detach().clone())
    zeros = tuple(torch.zeros_like(x) for x in inputs)
    was_training = [module.training for module in model.modules()]
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    try:
        by_event, by_static = IntegratedGradients(model).attribute(
            inputs, zeros, additional_forward_args=(is_event,), n_steps=n_steps
        )
        with torch.no_grad():
            moved = model(*inputs, is_event) - model(*zeros, is_event)
    finally:
        for module, training_mode in zip(model.modules(), was_training, strict=True):
            module.training = training_mode
    real = is_event[0].nonzero()[:, 0]
    event_part, static_part = by_event[0].sum(-1)[real].detach(), by_static[0].detach()
    gap = (by_event.sum() + by_static.sum() - moved[0]).abs().item()
    return pd.DataFrame(
        {
            "kind": ["event"] * len(real) + ["static"] * len(static_part),
            "position": [*real.tolist(), *range(len(static_part))],
            "attribution": [*event_part.tolist(), *static_part.tolist()],
            "completeness_gap": gap,
        }
    )
    ### END SOLUTION