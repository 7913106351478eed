"""What nbgrader's exchange needs to bring feedback back to the student who submitted."""

from __future__ import annotations

from pathlib import Path

from classroom.files import copy_whole

__all__ = ["SECRET", "keep_exchange_files"]

SECRET = "submission_secret.txt"
STAMP = "timestamp.txt"


def keep_exchange_files(source: Path, assignment: str, workspace: Path) -> int:
    """Copy the time and the secret of each submission that ``nbgrader collect`` brought.

    The secret says which page of feedback is whose: without it ``nbgrader fetch_feedback`` finds
    none. Only files beside the very notebook that counts are taken.

    Returns
    -------
    Number of submissions with a secret.
    """
    count = 0
    for secret in sorted(source.glob(f"*/{assignment}/{SECRET}")):
        folder = workspace / "submitted" / secret.parts[-3] / assignment
        mine, theirs = folder / f"{assignment}.ipynb", secret.with_name(f"{assignment}.ipynb")
        regular = not secret.is_symlink() and mine.is_file() and theirs.is_file()
        if not regular or mine.read_bytes() != theirs.read_bytes():
            continue
        for name in (SECRET, STAMP):
            file = secret.with_name(name)
            if file.is_file() and not file.is_symlink() and file.stat().st_size < 1000:
                copy_whole(file, folder / name)
        count += 1
    return count
