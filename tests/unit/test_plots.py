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
