"""A course as students get it: released, for a public repository and without one."""

import pytest
from student_release import REF, REPO, ROOT

from classroom.authoring.publish import publish


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Folder of ``dist/`` by kind: ``plain`` and, with repository and tag, ``stamped``."""
    folder = tmp_path_factory.mktemp("published")
    publish(ROOT, folder / "plain")
    publish(ROOT, folder / "stamped", repo=REPO, ref=REF)
    return folder
