"""A sample of small wrong changes of the model answers is rejected; no recorded reason is stale."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import mutants as tool  # noqa: E402

from classroom.authoring.source import notebook_names, read_source  # noqa: E402
from classroom.judging.trial import Task, judge  # noqa: E402
from classroom.mutants import sample  # noqa: E402

EACH = 6  # mutants of one exercise
NOTEBOOKS = [name for name in notebook_names(ROOT) if read_source(ROOT, name).exercises]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_sample_is_rejected(notebook, tmp_path):
    drawn = []
    for subject in tool.subjects(notebook):
        assert not subject.stale, f"{subject.exercise}: its answer changed; see make mutants"
        wrong = [m for key, m in subject.mutants.items() if key not in subject.equivalent]
        drawn += [(subject, mutant) for mutant in sample(wrong, EACH)]
    tasks = []
    for subject, mutant in drawn:
        path = tmp_path / f"{mutant.key}.py"
        path.write_text(mutant.text)
        tasks.append(Task(subject.exercise, path))
    judged = judge(ROOT, notebook, tasks, seconds=tool.SECONDS)
    alive = [
        f"{subject.exercise} {mutant.key} {mutant.operator}: {mutant.what}"
        for (subject, mutant), result in zip(drawn, judged, strict=True)
        if tool.outcome(result) == "survives"
    ]
    assert not alive, "\n".join(alive)
