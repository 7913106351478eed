"""One course for all tests, and no box where none can be made."""

import pytest
from course import NAME, ROOT, Course

from classroom.judging.judge import Judge
from classroom.judging.sandbox import require_bubblewrap

BOXED = {
    *("test_class.py", "test_judge.py", "test_honest.py", "test_sandbox.py", "test_rooms.py"),
    *("test_room.py", "test_reach.py", "test_bombs.py", "test_forgeries.py"),
    "test_laboratory.py",
}


def pytest_collection_modifyitems(items):
    """Leave out what runs student code in a box, where no box can be made."""
    try:
        require_bubblewrap()
    except RuntimeError as error:
        for item in items:
            if item.path.name in BOXED:
                item.add_marker(pytest.mark.skip(reason=str(error)))


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    return Course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="session")
def judge():
    """One judge for all tests of a process: it imports once."""
    with Judge(ROOT, NAME) as judge:
        yield judge


@pytest.fixture(scope="session")
def strict_judge():
    """The same with limits that bombs reach soon."""
    with Judge(ROOT, NAME, seconds=4.0, memory_mib=1500) as judge:
        yield judge
