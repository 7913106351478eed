"""Import time and the time of the checks."""

from __future__ import annotations

import subprocess
import sys
import time


def seconds(code: str) -> float:
    """Least CPU seconds, of three, that a fresh Python takes for ``code``."""
    timed = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
    runs = (
        subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True) for _ in "123"
    )
    return min(float(run.stdout) for run in runs)


def measure() -> dict[str, float]:
    """Milliseconds of importing the package, and in units of importing torch."""
    ours, torch = seconds("import course_utils"), seconds("import torch")
    layers = seconds("import course_utils.layers")
    return {
        "import course_utils, ms": 1000 * ours,
        "import course_utils / import torch": ours / torch,
        "import course_utils.layers / import torch": layers / torch,
        "one attention call on (1, 8, 16), ms": 1000 * small_call(),
    }


def small_call() -> float:
    """CPU seconds of one small forward pass, the mean of many."""
    import torch

    from course_utils.layers import MultiHeadAttention

    torch.set_num_threads(1)
    layer, x = MultiHeadAttention(16, 2), torch.randn(1, 8, 16)
    start = time.process_time()
    for _ in range(500):
        layer(x)
    return (time.process_time() - start) / 500
