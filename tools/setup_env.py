"""Create or update the course's environment: one virtual environment from ``constraints.txt``.

Uses only the standard library, so that any Python can run it and say what is missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED_GIB = 4
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
OLDEST = (3, 11)


def stop(message):
    """End with one clear line."""
    sys.exit(f"setup: {message}")


def check_machine(folder):
    """Stop when Python is too old or the disk too small."""
    if sys.version_info < OLDEST:
        stop(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. "
            "Choose another: make PYTHON=python3.12 ..."
        )
    free = shutil.disk_usage(folder).free / 2**30
    if free < NEEDED_GIB:
        stop(f"{NEEDED_GIB} GiB of disk are needed in {folder}, {free:.1f} GiB are free.")


def pip(python, *arguments):
    """Run pip, and explain its failure."""
    command = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments]
    if subprocess.run(command).returncode:
        stop(
            "pip could not install the packages (its message is above). Is there a network? "
            "Nothing else was changed; run the same command again."
        )


def pinned(name):
    """Line of constraints.txt that pins a package."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line
    stop(f"constraints.txt does not pin {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=Path(".venv"))
    parser.add_argument("--torch", choices=("cpu", "cuda"), default="cpu", help="build of torch")
    parser.add_argument("--extras", default="dev,ecg,grading")
    options = parser.parse_args()
    check_machine(ROOT)
    folder = options.venv.resolve()
    ready = folder / ".ready"
    ready.unlink(missing_ok=True)  # an interrupted run is not taken for a finished one
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists() or subprocess.run([python, "-c", "import pip"]).returncode:
        print(f"setup: creating {options.venv}", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder])
        if made.returncode:
            stop("could not create a virtual environment (on Debian: apt install python3-venv)")
    print("setup: installing the packages of constraints.txt (minutes the first time)", flush=True)
    constraints = ["--constraint", ROOT / "constraints.txt"]
    pip(python, *constraints, *torch_index(options.torch), pinned("torch"))
    pip(python, *constraints, pinned("hatchling"), pinned("editables"))
    extras = f"{ROOT}[{options.extras}]"
    pip(python, *constraints, "--no-build-isolation", "--editable", extras)
    ready.touch()
    print("setup: done", flush=True)


def torch_index(build):
    """Options that make pip take a CPU build of torch; on Linux the default one brings CUDA."""
    if build == "cuda" or not sys.platform.startswith("linux"):
        return []
    try:
        urllib.request.urlopen(f"{CPU_WHEELS}/torch/", timeout=5).close()
    except OSError:
        return []  # not reachable: whatever index pip is set up with decides
    return ["--extra-index-url", CPU_WHEELS]


if __name__ == "__main__":
    main()
