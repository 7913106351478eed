"""Judging the submissions of a class on dask.distributed, one task each.

A judge starts slowly, so a worker keeps its own from task to task. Whatever a task does, its end
becomes the result of its submission, and the others go on.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from classroom.files import one_line
from classroom.gradebook.results import Submission, checked, failed

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["MakeJudge", "cluster", "cores", "judge_all"]

PATIENCE = 30.0  # seconds in which a scheduler has to answer
MakeJudge = Callable[..., Any]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def cluster(workers: int, tasks: int, scheduler: str | None) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set(
        {
            "distributed.scheduler.allowed-failures": 1,
            "distributed.worker.daemon": False,  # a judge has processes of its own
            "distributed.admin.large-graph-warning-threshold": "1GB",
        }
    ):
        if scheduler:
            try:
                client = Client(scheduler, timeout=PATIENCE)
            except OSError as error:
                raise RuntimeError(f"scheduler: nobody answers at {scheduler} ({error})") from None
            with client, _closing(client):
                try:
                    client.wait_for_workers(1, timeout=PATIENCE)
                except TimeoutError:
                    raise RuntimeError(f"scheduler: {scheduler} has no worker") from None
                yield client
            return
        with (
            tempfile.TemporaryDirectory() as scratch,
            LocalCluster(
                n_workers=min(workers, tasks),
                threads_per_worker=1,
                dashboard_address=None,
                memory_limit=0,  # the judge limits the memory of each submission
                local_directory=scratch,
                silence_logs="ERROR",
            ) as cluster,
            Client(cluster) as client,
            _closing(client),
        ):
            yield client


@contextlib.contextmanager
def _closing(client: Client) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            client.run(_close_judges)


def judge_all(
    client: Client,
    root: Path,
    assignment: str,
    waiting: list[Submission],
    options: dict[str, Any],
    make_judge: MakeJudge | None,
    progress: bool,
) -> Iterator[tuple[Submission, dict[str, Any]]]:
    from distributed import as_completed, wait

    common = (str(root), assignment, options, make_judge)
    hosts = {w["host"]: address for address, w in client.scheduler_info(-1)["workers"].items()}
    with tqdm(total=len(waiting), desc="gate", unit="notebook", disable=not progress) as bar:
        gates = [
            client.submit(_gate, *common, workers=[address], pure=False)
            for address in hosts.values()
        ]
        client.gather(gates)  # raises what a gate raised
        bar.set_description(assignment)

        def start(s: Submission) -> Any:
            assert s.notebook is not None
            text = s.notebook.read_text(encoding="utf-8", errors="replace")
            return client.submit(_judge, text, *common, key=_key(s), pure=False)

        def end(
            future: Any, s: Submission, result: dict[str, Any]
        ) -> tuple[Submission, dict[str, Any]]:
            future.release()
            bar.set_postfix_str(f"{s.student}: {result['status']}"[:40])
            bar.update()
            return s, result

        tasks = {start(s): s for s in waiting if s.notebook}
        alone = []
        for future in as_completed(tasks):
            found, broke = _outcome(future, assignment)  # a worker may die until this is fetched
            if broke:
                alone.append(tasks[future])  # its own doing, or its neighbour's?
                future.release()
            else:
                yield end(future, tasks[future], found)
        for s in alone:
            future = start(s)
            wait([future])
            yield end(future, s, _outcome(future, assignment)[0])


def _key(submission: Submission) -> str:
    return f"{submission.student}-{submission.fingerprint('')[:12]}-{uuid.uuid4().hex[:6]}"


def _error(future: Any) -> BaseException:
    try:
        return future.exception()
    except Exception as broken:  # what the task raised cannot even be read here
        return broken


def _outcome(future: Any, assignment: str) -> tuple[dict[str, Any], bool]:
    """What a task found, and whether it broke: then there is no fingerprint, it is tried again."""
    try:
        if future.status == "finished":
            return checked(assignment, future.result()), False
        error = _error(future)
    except Exception as broken:  # nor what it returned
        error = broken
    words = f"{type(error).__name__}: {one_line(error)}"  # ours, not the student's
    reason = f"Grading broke down and will be tried again: {words}"
    return failed(assignment, reason) | {"fingerprint": ""}, True


_judges: dict[Any, Any] = {}


def _the_judge(
    root: str, assignment: str, options: dict[str, Any], make_judge: MakeJudge | None
) -> Any:
    """Return this worker's judge of an assignment, kept from task to task: it starts slowly."""
    if make_judge is None:
        from classroom.judging.judge import Judge

        make_judge = Judge
    key = (root, assignment, json.dumps(options), getattr(make_judge, "__qualname__", ""))
    if key not in _judges:
        judge = make_judge(Path(root), assignment, **options)
        _judges[key] = judge.__enter__()
    return _judges[key]


def _close_judges() -> None:
    while _judges:
        _, judge = _judges.popitem()
        with contextlib.suppress(Exception):
            judge.__exit__(None, None, None)


def _gate(*common: Any) -> None:
    _the_judge(*common).gate()


def _judge(text: str, *common: Any) -> dict[str, Any]:
    judge = _the_judge(*common)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "submission.ipynb"
        path.write_text(text, encoding="utf-8")
        try:
            return judge.judge(path)
        except SystemExit as error:
            _close_judges()
            raise RuntimeError(f"the judge ended itself: {one_line(error)}") from None
        except Exception:
            _close_judges()  # the next submission gets a new one
            raise
