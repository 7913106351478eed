"""What the tests of the student release share."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPO, REF = "someone/attention", "v1"
