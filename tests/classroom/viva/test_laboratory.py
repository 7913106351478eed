"""The box measures what the programs do: the same outcomes as in this process."""

from course import ROOT
from test_sheets import NAME, SOURCE, WRONG, Bench, filled

from classroom.viva.laboratory import Laboratory
from classroom.viva.outcomes import same


def test_the_box_and_this_process_agree():
    name = "masked_softmax"
    ends = WRONG.replace("made = hidden", "import os; os._exit(3)\n    made = hidden")
    endless = WRONG.replace("made = hidden", "while True: pass\n    made = hidden")
    right = WRONG.replace("dim=0", "dim=-1")
    texts = [right, WRONG, ends, endless, right.replace("0.0", "1.0"), "def f(:"]
    bench = Bench(ROOT, NAME)
    with Laboratory(ROOT, NAME) as lab:
        assert lab.calls == bench.calls
        calls = range(len(lab.calls[name]))
        notebook = filled({name: WRONG})
        runs = lab.measure(notebook, name, texts, calls=calls, check=[0, 1])
    for number in (0, 1, 4):
        here = bench.measure(SOURCE.notebook, name, [texts[number]], calls=calls)[0]
        assert runs[number].outcomes.keys() == here.outcomes.keys()
        for call, outcome in here.outcomes.items():
            assert same(runs[number].outcomes[call], outcome)
    assert runs[0].check["status"] == "right"
    assert runs[1].check["status"] == "wrong"
    assert "ends its process" in runs[2].broken
    assert runs[3].outcomes[0]["error"] == "TimeoutError"
    assert "SyntaxError" in runs[5].broken
