"""Pictures: they draw what they are given, with labels, and refuse shapes that do not fit."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from course_utils import plots


@pytest.fixture(autouse=True)
def close():
    plots.use_style()
    yield
    plt.close("all")


def test_curves_of_one_and_of_several_runs():
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3, 2, 1], "val_loss": [3, 3, 2]})
    ax = plots.curves(history, ["loss", "val_loss"], ylabel="loss (nats)")
    assert ax.get_ylabel() == "loss (nats)"
    assert ax.get_xlabel() == "epoch"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["loss", "val_loss"]
    ax = plots.curves({"a": history, "b": history}, "loss", ylabel="loss")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    assert plots.curves(history, "loss", ylabel="loss").get_legend() is None


def test_bars_show_values_and_intervals():
    ax = plots.bars(["x", "y"], [0.5, 0.9], low=[0.4, 0.8], high=[0.6, 1.0], xlabel="accuracy")
    assert {t.get_text() for t in ax.texts} == {"0.500", "0.900"}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["x", "y"]
    assert ax.yaxis_inverted()


@pytest.mark.parametrize(("number", "figsize"), [(1, None), (3, None), (14, None), (6, (4, 2.5))])
@pytest.mark.parametrize("rising", [True, False])
def test_the_legend_of_bars_covers_none(number, figsize, rising):
    values = np.linspace(0.1, 1, number) if rising else np.linspace(1, 0.1, number)
    ax = plt.subplots(figsize=figsize)[1] if figsize else None
    intervals = {"low": values - 0.05, "high": values + 0.05}
    names = [f"bar {i}" for i in range(number)]
    ax = plots.bars(
        names, values, **intervals, reference=0.5, reference_label="chance", xlabel="x", ax=ax
    )
    ax.figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    drawn = [*ax.patches, *ax.texts]  # the intervals lie as high as their bars
    assert len(ax.patches) == number
    assert not [part for part in drawn if part.get_window_extent().overlaps(legend)]


def test_maps_have_words_on_the_axes():
    weights = np.full((2, 3), 1 / 3)
    ax = plots.attention_map(weights, ["a", "b", "c"], ["q", "r"], highlight={1: "C3"})
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["q", "r"]
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        plots.attention_map(weights, ["a", "b"])
    ax = plots.heat_map(weights, rows=["q", "r"], columns=["a", "b", "c"], colorbar="weight")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["q", "r"]
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        plots.heat_map(weights, rows=["q"], columns=["a", "b", "c"])


def test_word_bars():
    ax = plots.word_bars(["no", "pain"], {"u": [1, 2], "v": [2, 1]}, ylabel="share")
    assert len(ax.patches) == 4
    assert ax.get_ylabel() == "share"


def test_decision_curve_draws_models_beside_everyone_and_no_one():
    from course_utils.plots import icu

    outcome = np.array([1, 0, 0, 0])
    ax = icu.decision_curve(outcome, {"best": outcome * 0.9}, thresholds=[0.1, 0.5])
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    assert list(lines) == ["everyone", "no one", "best"]
    assert lines["best"] == pytest.approx([0.25, 0.25])
    assert lines["everyone"] == pytest.approx([0.25 - 0.75 / 9, -0.5])


def test_subgroups_name_those_with_too_few_deaths():
    from course_utils.plots import icu

    table = pd.DataFrame(
        {
            "kind": ["sex", "race"],
            "group": ["F", "ASIAN"],
            "patients": [50, 9],
            "deaths": [9, 1],
            "value": [0.8, np.nan],
            "low": [0.7, np.nan],
            "high": [0.9, np.nan],
        }
    )
    ax = icu.subgroups(table, by="kind", reference=0.75, xlabel="AUROC")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["F (50, 9)", "ASIAN (9, 1)"]
    assert "too few deaths to say" in [t.get_text() for t in ax.texts]


def test_short_text_keeps_what_decides():
    from course_utils.plots.icu import short_text

    culture = "BLOOD CULTURE Blood Culture, Routine STAPH AUREUS COAG + OXACILLIN R"
    assert short_text(culture, 48) == "BLOOD CULTURE STAPH AUREUS COAG + OXACILLIN R"
    assert short_text(culture, 30).endswith("R")
    assert len(short_text(culture, 30)) == 30
    assert short_text("Lactate 6.1 mmol/L abnormal") == "Lactate 6.1 mmol/L*"
    assert short_text("MRSA SCREEN MRSA SCREEN") == "MRSA SCREEN"


def test_head_bars_leave_padding_out_of_the_line():
    from course_utils.plots import icu

    weights = np.array([[0.5, 0.5, 0.0, 0.0]])
    (ax,) = icu.head_bars(weights, range(4), is_event=[True, True, False, False])
    assert ax.get_lines()[0].get_ydata()[0] == 0.5
    (ax,) = icu.head_bars(weights, range(4))
    assert ax.get_lines()[0].get_ydata()[0] == 0.25
