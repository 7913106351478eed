"""Create or update the course's environment: one virtual environment with the pinned packages.

``constraints.txt`` says which versions, ``requirements.lock`` which files of them (their hashes).
uv installs them, itself put into the environment by pip; where uv cannot be had, pip installs.
Uses only the standard library, so that any Python can run it and say what is missing.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED_GIB = {"cpu": 4, "cuda": 12}
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
OLDEST = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11")
PROGRESS = re.compile(r"(Resolved|Downloading|Downloaded|Building|Built|Prepared|Installed) ")
NO_NETWORK = re.compile(
    r"NewConnectionError|Max retries exceeded|dns error|tcp connect|error sending request|"
    r"Temporary failure in name resolution|Name or service not known|Connection refused|"
    r"No route to host|Network is unreachable|nodename nor servname|getaddrinfo failed|"
    r"[\w ]*timed out",
    re.IGNORECASE,
)
NO_DISK = re.compile(r"No space left on device|os error 28|Errno 28|Disk quota exceeded")


def stop(message):
    """End with one clear line."""
    sys.exit(f"setup: {message}")


def check_machine(folder, gib):
    """Stop when Python is too old or the disk too small."""
    if sys.version_info < OLDEST:
        found = [name for name in NEWER if works(name)] or ["python3.12"]
        stop(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. "
            f"Choose another: make PYTHON={found[0]} ..."
        )
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    if free < gib:
        stop(f"{gib} GiB of disk are needed in {folder}, {free:.1f} GiB are free.")


def works(name):
    """Whether a command runs (a version manager's placeholder does not)."""
    try:
        return subprocess.run([name, "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def run(command, environment=None):
    """Run an installer and show its progress; return the exit status and all that it said."""
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | (environment or {}),
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        return 1, f"error: {error}"
    said, shown, start = [], 0, time.monotonic()
    for line in process.stdout:
        said.append(line)
        words = line.strip()
        if sys.stdout.isatty():
            line = f"{time.monotonic() - start:4.0f} s  {words}"
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line[:width].ljust(width), end="", flush=True)
            shown = width
        elif PROGRESS.match(words):
            print(f"  {words}", flush=True)
    if shown:
        print("\r" + " " * shown, end="\r", flush=True)
    return process.wait(), "".join(said)


def reason(said):
    """What an installer gave as its reason, in one line."""
    conflict = re.search(r"The conflict is caused by:\n(.*?)\n\s*\n", said, re.DOTALL)  # pip's
    rows = [re.sub(r"^[\s×╰─▶│├]+", "", row).strip() for row in said.splitlines()]
    rows = [row for row in rows if row and not row.startswith(("hint:", "WARNING", "INFO"))]
    errors = [place for place, row in enumerate(rows) if row.lower().startswith("error")]
    if any(rows[place].startswith("ERROR") for place in errors):  # pip marks each line
        rows = [rows[i] for i in errors if "ResolutionImpossible" not in rows[i]]
    elif errors:  # what uv says after it
        rows = rows[errors[0] :]
    rows += [row.strip() for row in conflict[1].splitlines()] if conflict else []
    rows = [re.sub(r"(?i)^(error|cause|caused by): *", "", row) for row in rows]
    words = "; ".join(dict.fromkeys(row.rstrip(".:") for row in rows))
    words = re.sub(r"(https?://)[^/@\s]+@", r"\1", words)  # no password of an index
    return words if len(words) <= 500 else f"{words[:500]} ..."


def explain(name, said):
    """End with what is wrong, in one line."""
    network = [match[0].strip() for match in NO_NETWORK.finditer(said)]
    if NO_DISK.search(said):
        what = "the disk is full."
    elif network:
        what = f"the package index was not reached ({network[-1]}). Is there a network?"
    else:
        what = "the packages could not be installed."
    stop(f"{what} {name} says: {reason(said)}")


def pinned(name):
    """Line of constraints.txt that pins a package."""
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}=="):
            return line
    stop(f"constraints.txt does not pin {name}")


def pip_settings(python):
    """What pip is configured with (files and variables): option -> values."""
    command = [python, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = {}
    for section in ("global", "install", ":env:"):  # each goes before the one above
        for line in done.stdout.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                try:
                    values = str(ast.literal_eval(value)).split()
                except (SyntaxError, ValueError):
                    continue
                found[key[len(section) + 1 :].replace("_", "-")] = values
    return found


def for_uv(settings):
    """Options and variables that make uv do what pip is configured to do."""
    options = ["--index-strategy", "unsafe-best-match"]  # the best of all indexes, as pip takes it
    renamed = {"index-url": "--default-index", "extra-index-url": "--index"}
    renamed |= {"trusted-host": "--allow-insecure-host"}
    for key in ("find-links", "constraint", "no-binary", "only-binary"):
        renamed[key] = f"--{key}"
    for key, option in renamed.items():
        for value in settings.get(key, ()):
            options += [option, value]
    for key in ("no-index", "pre"):
        if settings.get(key, ["0"])[0].lower() in ("1", "true", "yes", "on"):
            options += ["--no-index"] if key == "no-index" else ["--prerelease", "allow"]
    variables = {"cert": ["SSL_CERT_FILE"], "client-cert": ["SSL_CLIENT_CERT"]}
    variables |= {"proxy": ["HTTPS_PROXY", "HTTP_PROXY"]}
    variables |= {"timeout": ["UV_HTTP_TIMEOUT"], "default-timeout": ["UV_HTTP_TIMEOUT"]}
    environment = {
        name: settings[key][0]
        for key, names in variables.items()
        if key in settings
        for name in names
    }
    return options, environment


def make_venv(folder):
    """Create a virtual environment, or keep one that works; return its Python."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    test = f"import pip, sys; sys.exit(sys.version_info < {OLDEST})"
    if works(python) and not subprocess.run([python, "-c", test], capture_output=True).returncode:
        return python
    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        stop(f"{folder} is not a virtual environment, and is left alone. Choose another VENV.")
    print(f"setup: creating {folder.name} with Python {sys.version.split()[0]}", flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True
    )
    if made.returncode:
        said = made.stdout + made.stderr
        if "ensurepip" in said:
            stop("Python lacks the module venv. On Debian and Ubuntu: apt install python3-venv")
        explain("venv", said)
    return python


def get_uv(python):
    """Command that runs uv from the environment; None, with one line, where it cannot be had."""
    uv, pin = [python, "-m", "uv"], pinned("uv")
    have = subprocess.run([*uv, "--version"], capture_output=True, text=True)
    if have.stdout.startswith(pin.replace("==", " ")):
        return uv
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps"]
    status, said = run([*pip, "--retries", "1", pin])
    if not status:
        return uv
    print(f"setup: without uv, pip takes minutes ({reason(said)})", flush=True)
    return None


def torch_index(build):
    """Index of CPU builds of torch; on Linux the default one brings CUDA."""
    if build == "cuda" or not sys.platform.startswith("linux"):
        return []
    try:
        urllib.request.urlopen(f"{CPU_WHEELS}/torch/", timeout=5).close()
    except OSError:
        return []  # not reachable: whatever index pip is set up with decides
    return [CPU_WHEELS]


def install(python, options):
    """Install the build backend, then everything else and the course itself."""
    uv = get_uv(python) if options.installer == "uv" else None
    environment = {}
    if uv:
        settings, environment = for_uv(pip_settings(python))
        command = [*uv, "pip", "install", "--python", python, *settings]
        command += ["--constraint", ROOT / "requirements.lock"]
        command += ["--reinstall-package", "attention-in-medicine"]
        more = "--index"
    else:
        command = [python, "-m", "pip", "--disable-pip-version-check", "install"]
        more = "--extra-index-url"
    command += ["--constraint", ROOT / "constraints.txt"]
    command += [part for index in torch_index(options.torch) for part in (more, index)]
    course = ["--no-build-isolation", "--editable", f"{ROOT}[{options.extras}]"]
    name = "uv" if uv else "pip"
    print(f"setup: {name} installs the packages of constraints.txt", flush=True)
    for wanted in [[pinned("hatchling"), pinned("editables")], [pinned("torch"), *course]]:
        status, said = run([*command, *wanted], environment)
        if status:
            explain(name, said)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=Path(".venv"))
    parser.add_argument("--torch", choices=("cpu", "cuda"), default="cpu", help="build of torch")
    parser.add_argument("--extras", default="dev,ecg,grading,site")
    parser.add_argument("--installer", choices=("uv", "pip"), default="uv")
    options = parser.parse_args()
    start, folder = time.monotonic(), options.venv.resolve()
    ready = folder / ".ready"
    try:
        check_machine(folder, 1 if ready.exists() else NEEDED_GIB[options.torch])
        ready.unlink(missing_ok=True)  # an interrupted run is not taken for a finished one
        install(make_venv(folder), options)
        ready.touch()
    except KeyboardInterrupt:
        stop("interrupted; run the same command again to finish.")
    except OSError as error:
        stop(f"{error.strerror or error}: {error.filename or folder}")
    print(f"setup: done in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
