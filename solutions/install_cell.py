# Colab: adds only what is missing and replaces nothing. On a laptop that has the course: nothing.
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("course_utils") is None:
    wheels = sorted(str(path) for path in Path().glob("attention_in_medicine-*.whl"))
    if not wheels:
        raise RuntimeError(
            "upload attention_in_medicine-….whl (from the student zip) next to this notebook"
        )
    missing = [name for name in ("captum", "duckdb") if importlib.util.find_spec(name) is None]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, wheels[-1], *missing], check=True)
