"""Test what changed since the last commit on main: lint, its unit tests, answers and notebooks."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*command):
    """Run a command of this environment, say so, and return whether it passed."""
    print("quick:", *command, flush=True)
    environment = os.environ | {"COURSE_STRICT": "1"}
    return (
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment).returncode == 0
    )


def changed():
    """Paths that differ from main's last commit, untracked ones too."""
    base = "main" if git("rev-parse", "--abbrev-ref", "HEAD") != ["main"] else "HEAD"
    return sorted(
        {*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")}
    )


def git(*arguments):
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def main():
    paths = changed()
    notebooks = sorted({m[1] for p in paths if (m := re.search(r"/(\d\d_\w+)/", f"/{p}"))})
    code = [p for p in paths if p.endswith(".py") and (ROOT / p).exists()]
    print(f"quick: {len(paths)} files changed; notebooks: {', '.join(notebooks) or 'none'}")
    passed = True
    if code:
        passed &= run("ruff", "format", "--check", *code) & run("ruff", "check", *code)
    if any(p.startswith("course_utils/") for p in paths):
        passed &= run("mypy")
    if any(not p.startswith(("solutions/", "notebooks/", "docs/")) for p in paths):
        passed &= run("pytest", "tests/unit")
    for name in notebooks:
        passed &= run("pytest", "tests/answers", "-k", name)
        passed &= run("pytest", "tests/notebooks/test_sources.py", "-k", name)
        solution = f"solutions/{name}/{name}.ipynb"
        if any(p.startswith(f"solutions/{name}/") for p in paths):
            passed &= run("pytest", "--nbval-lax", "--nbval-current-env", solution)
    print("quick:", "all passed" if passed else "something failed")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
