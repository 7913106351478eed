"""One room by itself, without a judge: what it holds, how it ends, what it leaves."""

import ctypes
import os
import time

import pytest

from classroom.judging.rooms import Room

LIMITS = {"seconds": 5, "memory_mib": 1024, "file_mib": 1, "processes": 8, "filter": ""}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that is the home of a room; its file ``outside`` is not seen within."""
    (tmp_path / "outside").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def stay(work, place, *, boxed=True, patience=10.0, **limits):
    """Let ``work`` run in a room; return what it wrote on a pipe, and how the room ended."""
    read, write = os.pipe()
    job = LIMITS | {"places": ["/dev/shm", str(place)], "keep": [], "descriptors": []}
    job |= {"user": 300_000_123} | limits
    room = Room(lambda: os.write(write, str(work()).encode()), job, boxed=boxed)
    os.close(write)
    if patience:
        time.sleep(0.05)
    ended = room.close(patience)
    if boxed and "new namespaces" in ended["trouble"]:
        pytest.skip(ended["trouble"])
    with os.fdopen(read) as pipe:
        return pipe.read(), ended


def test_it_is_empty_and_leaves_nothing(place):
    def write():
        found = os.listdir("."), os.listdir("/dev/shm")
        for name in ("left", "/dev/shm/left"):
            open(name, "w").close()
        return found

    for _ in range(2):
        told, ended = stay(write, place)
        assert told == "([], [])"
        assert os.waitstatus_to_exitcode(ended["status"]) == 0
    assert os.listdir(place) == ["outside"]
    assert not os.path.exists("/dev/shm/left")


def test_memory_that_processes_share_ends_with_it(place):
    def share():
        return ctypes.CDLL(None).shmget(0x5153, 4096, 0o1666) >= 0

    assert stay(share, place)[0] == "True"
    assert ctypes.CDLL(None).shmget(0x5153, 4096, 0o666) == -1


def test_who_works_there(place):
    def look():
        with open("/proc/self/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return [lines[key].strip() for key in ("CapEff", "NoNewPrivs")]

    assert stay(look, place)[0] == "['0000000000000000', '1']"
    user = os.getuid() or 300_000_123
    assert stay(os.getuid, place)[0] == str(user)


@pytest.mark.parametrize("boxed", [True, False])
def test_how_it_ended_and_what_it_took(place, boxed):
    def work():
        while time.process_time() < 0.2:  # of this process: it counts from the fork
            pass
        os._exit(3)

    _, ended = stay(work, place, boxed=boxed)
    assert os.waitstatus_to_exitcode(ended["status"]) == 3
    assert 0.1 < ended["seconds"] < 5


@pytest.mark.parametrize("boxed", [True, False])
def test_who_does_not_end_is_ended(place, boxed):
    begin = time.monotonic()
    _, ended = stay(lambda: time.sleep(60), place, boxed=boxed, patience=0.0)
    assert ended["status"] is None
    assert time.monotonic() - begin < 20


def test_a_process_that_was_left_behind_ends_with_it(place):
    def leave():
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
        return "left"

    begin = time.monotonic()
    assert stay(leave, place)[0] == "left"  # the pipe ends when nobody holds it any more
    assert time.monotonic() - begin < 20


def test_files_and_processes_are_bounded(place):
    def fill():
        size, forks = 0, 0
        try:
            with open("file", "wb", buffering=0) as file:
                for _ in range(4):
                    size += file.write(bytes(2**20)) or 0
        except OSError:
            pass
        try:
            for _ in range(40):
                if os.fork() == 0:
                    time.sleep(5)
                    os._exit(0)
                forks += 1
        except OSError:
            pass
        return size <= 2**20, forks < 40

    if os.getuid() == 0:  # as another user its other processes count, too
        assert stay(fill, place)[0] == "(True, True)"


def test_a_room_that_cannot_be_furnished_says_why(place):
    told, ended = stay(lambda: "here", place, places=[str(place / "nothing")])
    assert told == ""
    assert "mount" in ended["trouble"]
