"""Run the student notebooks, solved, under the package versions that Colab has preinstalled.

Makes ``.venv-colab``, runs the installation cell there with the student zip alone, proves that it
changed no preinstalled package, looks at what wrong answers show, and executes every release with
the model answers filled in. Finished notebooks are noted in ``build/colab`` and not repeated while
nothing has changed (``--again`` does).
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError

from classroom.authoring.build import Run, execute
from classroom.authoring.publish import publish
from classroom.authoring.source import notebook_names, read_source

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv-colab"
PYTHON = VENV / "bin" / "python"
VERSIONS = ROOT / "tests" / "colab" / "colab-2026-08.txt"
# Colab has these too, at versions that matter less; everything else comes as a dependency.
ALSO = ("tqdm", "ipywidgets", "safetensors", "tokenizers", "aiohttp", "fsspec", "requests")
ALSO += ("soundfile",)
ADDED = {"attention-in-medicine", "captum", "duckdb", "neurokit2", "wfdb", "pywavelets"}
TORCH = next(
    row for row in (ROOT / "constraints.txt").read_text().splitlines() if row.startswith("torch==")
)


def pip(*arguments):
    """Run pip in the environment and return what it printed."""
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    if done.returncode:
        sys.exit(f"test-colab: pip {' '.join(arguments[:3])} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def clean_environment():
    """Environment without the course in it."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}


def frozen():
    """Package -> version of what is installed."""
    rows = json.loads(pip("list", "--format", "json"))
    return {re.sub(r"[-_.]+", "-", row["name"]).lower(): row["version"] for row in rows}


def make_environment():
    """Environment with Colab's versions and nothing that the installation cell would add."""
    pins = [r for r in VERSIONS.read_text().splitlines() if r[:1] not in ("#", "")]
    pins = [TORCH if row.startswith("torch==") else row for row in pins]  # torch as available
    stamp = VENV / ".colab"
    wanted = "\n".join([*pins, *ALSO])
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"test-colab: making {VENV.name} (minutes the first time)", flush=True)
        venv.create(VENV, clear=True, with_pip=True)
        pip("install", "--quiet", *pins, *ALSO)
        stamp.write_text(wanted)
    pip("uninstall", "--quiet", "--yes", *sorted(ADDED - {"duckdb"}))
    have = frozen()
    for row in pins:
        name, version = row.split("==")
        if have[name].split("+")[0] != version:
            sys.exit(f"test-colab: {row} is wanted, {have[name]} is there")
    return have


def run_install_cell(folder, name):
    """Run the installation cell of a release in ``folder`` as a script; return what it printed."""
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    (cell,) = [c for c in notebook.cells if "install" in c.metadata.get("tags", [])]
    done = subprocess.run(
        [PYTHON, "-c", cell.source],
        cwd=folder,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    if done.returncode:
        sys.exit(f"test-colab: the installation cell of {name} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def check_installation(folder, names, before):
    """Run all installation cells twice and compare the packages before and after."""
    for name in names:
        print(f"  {name}: {run_install_cell(folder, name).strip()}", flush=True)
    after = frozen()
    for name in names:
        run_install_cell(folder, name)
    if frozen() != after:
        sys.exit("test-colab: running the installation cells again changed a package")
    changed = {n: (v, after.get(n)) for n, v in before.items() if after.get(n) != v}
    added = after.keys() - before.keys()
    if changed or not added <= ADDED:
        sys.exit(f"test-colab: changed: {changed}; added: {sorted(added)}")
    print(f"test-colab: {len(before)} preinstalled packages unchanged, added: {sorted(added)}")


def fill_in(notebook, source, answers):
    """Put answers (exercise -> text) into a release."""
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in answers:
            cell.source = answers[grade_id]
        elif grade_id in source.written:
            cell.source = "A written answer."


def write_kernel(folder):
    """Make a kernel of the environment known to Jupyter, for this process and its children."""
    spec = folder / "kernels" / "colab"
    spec.mkdir(parents=True)
    argv = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    text = {"argv": argv, "display_name": "Colab", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(text))
    os.environ["JUPYTER_PATH"] = str(folder)


def run_solved(folder, name):
    """Execute a release with the model answers; an error or anything on stderr is a failure.

    Raises
    ------
    RuntimeError
        With the first of what went wrong.
    """
    source = read_source(ROOT, name)
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    fill_in(notebook, source, {key: e.answer for key, e in source.exercises.items()})
    run = execute(notebook, name, folder=folder, strict=True, kernel="colab")
    outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
    problems = [o.evalue for o in outputs if o.output_type == "error"]
    problems += [o.text for o in outputs if o.get("name") == "stderr"]
    if problems:
        raise RuntimeError(problems[0][-2000:])
    return run


def write_solved(folder, target):
    """Write the solved releases and the wheel, for another machine to run."""
    target.mkdir(parents=True, exist_ok=True)
    for name in notebook_names(ROOT):
        source = read_source(ROOT, name)
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        fill_in(notebook, source, {key: e.answer for key, e in source.exercises.items()})
        nbformat.write(notebook, target / f"{name}.ipynb")
    wheel = next(folder.glob("*.whl"))
    (target / wheel.name).write_bytes(wheel.read_bytes())


def kept_run(folder, name, again):
    """Run a solved release, or take the kept result while nothing it depends on has changed."""
    digest = hashlib.sha256((folder / f"{name}.ipynb").read_bytes())
    digest.update((ROOT / "solutions" / name / f"{name}.py").read_bytes())
    digest.update(next(folder.glob("*.whl")).read_bytes() + VERSIONS.read_bytes())
    kept = ROOT / "build" / "colab" / f"{name}-{digest.hexdigest()[:12]}.json"
    if kept.exists() and not again:
        return Run(**json.loads(kept.read_text())), "kept"
    run = run_solved(folder, name)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(vars(run)))
    return run, "run"


def check_messages():
    """Run the test of what IPython shows for wrong answers with Colab's IPython."""
    script = ROOT / "tests" / "colab" / "shown_messages.py"
    done = subprocess.run([PYTHON, script], capture_output=True, text=True, env=clean_environment())
    if done.returncode:
        sys.exit(f"test-colab: messages look wrong:\n{done.stdout}\n{done.stderr[-2000:]}")
    print(f"test-colab: {done.stdout.strip().splitlines()[-1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK")
    parser.add_argument("--again", action="store_true", help="repeat what has been run before")
    parser.add_argument(
        "--solved-to", type=Path, metavar="FOLDER", help="only write the solved notebooks there"
    )
    options = parser.parse_args()
    known = notebook_names(ROOT)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"NOTEBOOK must be one of {known}, got {unknown}")
    os.environ.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as scratch:
        _, archive, *_ = publish(ROOT, Path(scratch) / "dist")
        with zipfile.ZipFile(archive) as file:
            file.extractall(scratch)
        (folder,) = Path(scratch).glob("attention-in-medicine-*/notebooks")
        if options.solved_to:
            write_solved(folder, options.solved_to)
            return 0
        before = make_environment()
        check_installation(folder, known, before)
        check_messages()
        write_kernel(Path(scratch) / "jupyter")
        failed = []
        for name in options.names or known:
            try:
                run, how = kept_run(folder, name, options.again)
            except (RuntimeError, CellExecutionError) as error:
                failed.append(name)
                print(f"  {name:30} FAILED: {error}", flush=True)
                continue
            inside = sum(claim["inside"] for claim in run.claims)
            print(
                f"  {name:30} {run.cpu_seconds:6.0f} CPU s  "
                f"{inside} of {len(run.claims)} figures in their bands  ({how})",
                flush=True,
            )
    print(f"test-colab: {'failed: ' + ', '.join(failed) if failed else 'passed'}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
