"""What a wrong answer shows in this environment's IPython (Colab's: ``make test-colab``)."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("shown_messages.py")


def test_outcomes_as_ipython_shows_them():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
