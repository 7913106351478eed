"""A guess before a figure: read kindly, shown, and never needed."""

import matplotlib.pyplot as plt
import pytest

from course_utils import checks, plots


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (0.7, 0.7),
        (3, 3.0),
        ("0.7", 0.7),
        ("0,7", 0.7),
        ("70 %", 0.7),
        ("70%", 0.7),
        (-1e3, -1000.0),
    ],
)
def test_numbers_as_people_write_them(written, value):
    guess = checks.guess("micro-F1", written)
    assert guess.made
    assert guess.value == pytest.approx(value)


@pytest.mark.parametrize("choice", ["encoder", " Encoder", 2])
def test_one_of_several_options(choice, capsys):
    guess = checks.guess("best model", ["rule", "encoder"], choice)
    assert guess.value == "encoder"
    guess.reveal("encoder")
    guess.reveal("rule")
    out = capsys.readouterr().out
    assert "measured “encoder”; as you guessed" in out
    assert "measured “rule”; you guessed “encoder”" in out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (None,),
        (...,),
        ("about half",),
        (float("nan"),),
        ([],),
        (["rule", "bag"],),
        (["rule", "bag"], ...),
        (["rule", "bag"], None),
        (["rule", "bag"], "BERT"),
        (["rule", "bag"], 0),
        (["rule", "bag"], 3),
        (["rule", "bag"], True),
    ],
)
def test_a_guess_left_out_or_unreadable_changes_nothing(arguments, capsys):
    guess = checks.guess("micro-F1", *arguments)
    assert not guess.made
    _, ax = plt.subplots()
    before = ax.get_xlim(), len(ax.get_children())
    assert plots.mark_guess(ax, guess) is ax
    assert (ax.get_xlim(), len(ax.get_children())) == before
    guess.reveal(0.5)
    guess.reveal("rule")
    captured = capsys.readouterr()
    assert "micro-F1: measured 0.50 (you made no guess)" in captured.out
    assert not captured.err


def test_it_says_what_it_could_not_read(capsys):
    checks.guess("micro-F1", "about half")
    checks.guess("best model", ["rule", "bag"], "BERT")
    out = capsys.readouterr().out
    assert "'about half' is not a number" in out
    assert "'BERT' is none of rule, bag" in out


def test_the_reveal_measures_the_distance(capsys):
    guess = checks.guess("micro-F1", 0.7)
    guess.reveal(0.91)
    guess.reveal(0.701)
    guess.reveal("the rule")  # a measurement of another kind is no error either
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "micro-F1: measured 0.91; you guessed 0.70: 0.21 away"
    assert lines[2].endswith("just as you guessed")


def test_a_number_is_drawn_where_it_belongs_and_never_outside():
    _, (left, right) = plt.subplots(1, 2)
    left.set_xlim(0, 1)
    plots.mark_guess(left, checks.guess("ratio", 4))
    assert left.get_xlim()[1] > 4
    assert list(left.lines[0].get_xdata()) == [4, 4]
    right.set_ylim(1, 0)  # upside down, as bars are
    plots.mark_guess(right, checks.guess("ratio", 3), axis="y", at=2.0)
    assert right.get_ylim()[0] > 3
    assert (right.lines[0].get_xdata()[0], right.lines[0].get_ydata()[0]) == (2.0, 3.0)
    assert {t.get_text() for ax in (left, right) for t in ax.texts} == {
        "your guess: 4",
        "your guess: 3",
    }


def test_an_option_is_drawn_at_its_tick():
    ax = plots.bars(["rule", "encoder"], [0.9, 0.98], xlabel="F1")
    plots.mark_guess(ax, checks.guess("best", ["rule", "encoder"], "encoder"), axis="y")
    assert ax.lines[-1].get_ydata()[0] == 1
    with pytest.raises(ValueError, match="'bag' is not among the y tick labels"):
        plots.mark_guess(ax, checks.guess("best", ["bag"], "bag"), axis="y")
