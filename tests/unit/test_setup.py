"""``make env``: what pip is told uv is told, and what goes wrong is said in one line."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import setup_env  # noqa: E402

PIP_CONFLICT = """\
INFO: pip is looking at multiple versions of nbconvert to determine which version is compatible.
ERROR: Cannot install nbconvert because these package versions have conflicting dependencies.

The conflict is caused by:
    beautifulsoup4 4.15.0 depends on soupsieve>=1.6.1
    The user requested (constraint) soupsieve==4.1.2

To fix this you could try to:
1. loosen the range of package versions you've specified

ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/
"""
UV_CONFLICT = """\
Resolved 7 packages in 2ms
error: No solution found when resolving dependencies
  cause: Because the current Python version (3.11.2) does not satisfy Python>=3.11.5 and \
soupsieve==4.1.2 depends on Python>=3.11.5, we can conclude that soupsieve cannot be used.

hint: Consider another version.
"""
PIP_OFFLINE = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Failed to \
establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/torch/
ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)
ERROR: No matching distribution found for torch==2.13.0
"""
UV_OFFLINE = """\
error: Failed to fetch: `https://someone:secret@index.example.org/simple/torch/`
  cause: error sending request for url (https://index.example.org/simple/torch/)
  cause: dns error
  cause: failed to lookup address information: Name or service not known
"""
DISK = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (PIP_CONFLICT, ["beautifulsoup4 4.15.0 depends on soupsieve", "soupsieve==4.1.2"]),
        (UV_CONFLICT, ["soupsieve==4.1.2 depends on Python>=3.11.5"]),
        (PIP_OFFLINE, ["not reached (Temporary failure in name resolution)", "a network?"]),
        (
            UV_OFFLINE,
            ["not reached (Name or service not known)", "index.example.org", "a network?"],
        ),
        (DISK, ["the disk is full"]),
    ],
)
def test_the_installers_reason_is_one_line(said, words):
    with pytest.raises(SystemExit) as caught:
        setup_env.explain("it", said)
    line = str(caught.value)
    assert [word for word in words if word not in line] == []
    assert "\n" not in line
    assert "secret" not in line
    assert ("network" in line) == ("network" in " ".join(words))


def test_an_old_python_and_a_small_disk_are_told(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(setup_env.sys, "version_info", (3, 9, 1))
        with pytest.raises(SystemExit, match=r"3\.11 or newer is needed, this is 3\.9.*PYTHON="):
            setup_env.check_machine(ROOT, 0)
    with pytest.raises(SystemExit, match="of disk are needed"):
        setup_env.check_machine(ROOT / "not" / "yet", 10**9)
    with pytest.raises(SystemExit, match="does not pin nothing-such"):
        setup_env.pinned("nothing-such")


def test_no_folder_but_an_environment_is_cleared(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SystemExit, match="not a virtual environment, and is left alone"):
        setup_env.make_venv(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_uv_is_told_what_pip_is_configured_with(monkeypatch, tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://one.example.org/simple\ntimeout = 7\n"
        "extra-index-url =\n    https://two.example.org/simple\n    https://three.example.org\n"
        "[install]\ntrusted-host = one.example.org\n"
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels more-wheels")
    monkeypatch.setenv("PIP_CERT", "bundle.pem")
    monkeypatch.setenv("PIP_TIMEOUT", "9")
    options, environment = setup_env.for_uv(setup_env.pip_settings(sys.executable))
    told = list(pairwise(options))
    assert ("--default-index", "https://one.example.org/simple") in told
    assert ("--index", "https://two.example.org/simple") in told
    assert ("--index", "https://three.example.org") in told
    assert ("--allow-insecure-host", "one.example.org") in told
    assert ("--find-links", "wheels") in told
    assert ("--find-links", "more-wheels") in told
    assert environment["SSL_CERT_FILE"] == "bundle.pem"
    assert environment["UV_HTTP_TIMEOUT"] == "9"
    helped = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--help"], capture_output=True, text=True
    )
    known = [option for option in options if option.startswith("--")]
    assert [option for option in known if option not in helped.stdout] == []


def make(*arguments):
    command = ["make", "--no-print-directory", "--dry-run", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def test_a_half_made_environment_is_not_taken_for_a_finished_one(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ready").touch()
    assert "setup_env.py" in make("env", f"VENV={tmp_path}")  # its Python has gone
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert "setup_env.py" not in make("env", f"VENV={tmp_path}")
    (tmp_path / ".ready").unlink()
    assert "setup_env.py" in make("env", f"VENV={tmp_path}")


def test_an_interrupted_setup_leaves_no_mark(monkeypatch, tmp_path):
    (tmp_path / ".ready").touch()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(setup_env, "make_venv", lambda folder: folder)
    monkeypatch.setattr(setup_env, "install", interrupted)
    monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(tmp_path)])
    with pytest.raises(SystemExit, match="interrupted; run the same command again"):
        setup_env.main()
    assert not (tmp_path / ".ready").exists()


def test_without_a_python_one_line_says_so():
    done = subprocess.run(
        ["make", "--no-print-directory", "env", "VENV=/nowhere", "PYTHON=python-that-is-not"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "there is no python-that-is-not. Python 3.11 or newer" in done.stdout


def test_the_lab_opens_the_first_notebook_without_a_question():
    said = make("lab")
    assert "JUPYTER_CONFIG_PATH=tools/lab" in said
    assert said.rstrip().endswith("notebooks/00_start_here/00_start_here.ipynb")
    shown = subprocess.run(
        [sys.executable, "-m", "jupyter", "labextension", "list"],
        cwd=ROOT,
        env=os.environ | {"JUPYTER_CONFIG_PATH": "tools/lab"},
        capture_output=True,
        text=True,
    )
    off = (shown.stdout + shown.stderr).partition("Disabled extensions:")[2]
    assert "@jupyterlab/apputils-extension:announcements" in off
