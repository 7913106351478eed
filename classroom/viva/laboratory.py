"""Run variants of a student's answer in the judge's box, and bring back what each of them did."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from nbformat import NotebookNode

from classroom.judging.judge import Judge, plan_of
from classroom.judging.trial_worker import plain
from classroom.viva.inputs import record_inputs
from classroom.viva.probe import harness

__all__ = ["Laboratory", "Run"]

ROOMS = 4  # opened for one request, when variants end their process


@dataclass
class Run:
    """What one variant did: its outcome by call, and the verdict of the checks if asked for."""

    outcomes: dict[int, dict[str, Any]] = field(default_factory=dict)
    check: dict[str, Any] | None = None
    broken: str = ""


class Laboratory(Judge):
    """A judge whose checks are measurements: the same box, rooms and bridge.

    Attributes
    ----------
    calls
        By exercise the calls that there are: ``shown`` and ``init``.
    """

    def __init__(self, root: Path, assignment: str, *, unsafe: bool = False) -> None:
        super().__init__(root, assignment, seconds=120.0, unsafe=unsafe)
        self._folder = tempfile.TemporaryDirectory(prefix="viva-")
        self.place = Path(self._folder.name)
        self.calls = record_inputs(root, self.source, self.place / "inputs.pickle")

    def copy(self) -> Laboratory:
        """A second one, for another thread, with the inputs of this."""
        other = copy.copy(self)
        other._process = None
        other._folder = tempfile.TemporaryDirectory(prefix="viva-")
        other.place = Path(other._folder.name)
        data = (self.place / "inputs.pickle").read_bytes()
        (other.place / "inputs.pickle").write_bytes(data)
        return other

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._folder.cleanup()

    def _job(self) -> dict[str, Any]:
        job = super()._job()
        checks = {
            e["name"]: {"checks": e["checks"], "points": e["points"]} for e in job["exercises"]
        }
        (self.place / "checks.json").write_text(json.dumps(checks))
        known: list[str] = []
        for exercise in job["exercises"]:
            name = exercise["name"]
            used = "\n".join(exercise["checks"].values())
            earlier = ", ".join(n for n in known if n in used)  # the examiner fetches what is named
            key = next(iter(exercise["checks"]))
            exercise["checks"] = {
                key: (
                    "from classroom.viva import probe\n"
                    f"lambda: ({earlier})\n"
                    f"probe.run(globals(), {str(self.place)!r}, {name!r})\n"
                )
            }
            exercise["points"] = {key: 1}
            known.append(name)
        return job

    def measure(
        self,
        notebook: NotebookNode,
        exercise: str,
        texts: Sequence[str],
        *,
        calls: Sequence[int],
        check: Collection[int] = (),
    ) -> list[Run]:
        """Run variants of one answer in the place where the student's stands.

        Parameters
        ----------
        notebook
            The student's repaired notebook: earlier cells run as they are.
        texts
            Whole answers; by convention the first is the student's own.
        calls
            Numbers of the calls to make (see ``calls``).
        check
            Numbers of the variants that the exercise's checks judge, too.

        Returns
        -------
        One run a variant; ``broken`` says why it has no outcome.
        """
        changed = copy.deepcopy(notebook)
        for cell in changed.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == exercise:
                cell.source = harness(exercise, [plain(t) for t in texts])
        plan = plan_of(changed, self.source, self.values) | {"only": [exercise], "stubs": []}
        runs = [Run() for _ in texts]
        waiting = list(range(len(texts)))
        for _ in range(ROOMS):
            found = self._room(plan, waiting, calls, check)
            if not any("begin" in f for f in found):
                break
            last = -1
            for line in found:
                if "begin" in line:
                    last = line["begin"]
                elif "call" in line:
                    runs[line["variant"]].outcomes[line["call"]] = line["outcome"]
                elif "check" in line:
                    runs[line["variant"]].check = line["check"]
                elif "broken" in line:
                    runs[line["variant"]].broken = line["broken"]
            if found[-1].get("done"):
                waiting = []
                break
            runs[last].broken = "it ends its process"
            waiting = waiting[waiting.index(last) + 1 :]
        for number in waiting:
            runs[number].broken = runs[number].broken or "it was not reached"
        return runs

    def _room(
        self, plan: dict[str, Any], waiting: list[int], calls: Sequence[int], check: Collection[int]
    ) -> list[dict[str, Any]]:
        if self._process is None:
            (self.place / "task.json").unlink(missing_ok=True)
            self._start()
        out = self.place / "out.jsonl"
        out.write_text("")
        task = {"variants": waiting, "calls": list(calls), "check": sorted(check)}
        (self.place / "task.json").write_text(json.dumps(task))
        self.answer = self._ask(plan)
        lines = []
        for line in out.read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:  # it was cut off
                break
        return lines
