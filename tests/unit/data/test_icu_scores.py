"""The SOFA-like score, the tokens of a record, attention times gradient."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from course_utils import explain
from course_utils.data.icu import event_tokens, sofa_like
from course_utils.icu_model import IcuRiskModel


def table(rows: list[tuple]) -> pd.DataFrame:
    names = ["stay_id", "event_type", "event_text", "minutes_since_admission"]
    return pd.DataFrame(rows, columns=names)


def test_sofa_like_takes_the_worst_value_of_each_organ() -> None:
    events = table(
        [
            (7, "lab", "Platelet Count 149 K/uL abnormal", 1),
            (7, "lab", "Platelet Count 99 K/uL abnormal", 2),
            (7, "lab", "Creatinine 1.1 mg/dL", 3),
            (7, "lab", "Creatinine 2.0 mg/dL abnormal", 4),
            (8, "lab", "Creatinine 9.9 mg/dL abnormal", 4),
            (8, "procedure", "Dialysis - CRRT", 5),
            (8, "procedure", "Invasive Ventilation", 6),
            (8, "prescription", "NORepinephrine 8 mg IV DRIP", 6),
            (8, "lab", "Platelet Count K/uL", 7),
        ]
    )
    got = sofa_like(events, pd.Index([9, 8, 7]))
    assert got.loc[7].tolist() == [2, 2, 0, 0, 4]
    assert got.loc[8].tolist() == [0, 4, 3, 3, 10]
    assert got.loc[9].tolist() == [0, 0, 0, 0, 0]
    assert sofa_like(events[:0], pd.Index([1])).loc[1, "points"] == 0


def test_tokens_say_values_as_quantiles_and_waiting_between_instants() -> None:
    values = [
        (1, "lab", f"Lactate {v}.0 mmol/L", 10 * (i // 2 + 1)) for i, v in enumerate(range(1, 6))
    ]
    events = table(
        [
            *values,
            (1, "procedure", "EKG", 500),
            (2, "lab", "Lactate 99.0 mmol/L", 0),
            (2, "lab", "pH 7.40 units", 0),
        ]
    )
    got = event_tokens(events, [1])
    own = got[got["stay_id"] == 1]["token"].tolist()
    wait = "<wait 15 min>"
    lactates = [f"Lactate Q{q}" for q in range(1, 6)]
    assert own == [
        *(wait, *lactates[:2], wait, *lactates[2:4], wait, lactates[4]),
        *("<wait longer>", "EKG"),
    ]
    assert got[got["stay_id"] == 2]["token"].tolist() == ["Lactate Q5", "pH Q?"]
    assert got.columns.tolist() == ["stay_id", "token", "minutes_since_admission"]
    with pytest.raises(ValueError, match="quantiles=1"):
        event_tokens(events, [1], quantiles=1)


def test_attention_times_gradient_follows_what_moves_the_logit() -> None:
    torch.manual_seed(3)
    model = IcuRiskModel(5, 3, d_model=16, d_ff=16, num_layers=2).eval()
    batch = {
        "events": torch.randn(1, 4, 5),
        "static": torch.randn(1, 3),
        "is_event": torch.tensor([[True, True, True, False]]),
    }
    scores = explain.attention_gradient_scores(model, batch)
    assert scores.shape == (4,)
    assert scores[3] == 0
    assert (scores >= 0).all()
    assert scores.max() > 0
    used = []
    model.pooling.register_forward_hook(lambda _, __, output: used.append(output[1]))
    logits, weights = model(*batch.values(), need_weights=True)
    parts = [*weights["layers"], *used]
    pull = torch.autograd.grad(logits.sum(), parts)
    shown = [(p * g).clamp(min=0)[0].mean(0) for p, g in zip(parts, pull, strict=True)]
    first, second, (last,) = shown
    eye = torch.eye(4)
    want = (last @ (second + eye) @ (first + eye)).detach().numpy()
    np.testing.assert_allclose(scores[:3], want[:3], atol=1e-7)
    with torch.no_grad():  # the last map silenced: nothing moves the logit
        model.classifier[-1].weight.zero_()
        assert (explain.attention_gradient_scores(model, batch) == 0).all()
