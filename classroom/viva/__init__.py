"""Questions on a student's own answer, each with a key that was measured by running the change."""
