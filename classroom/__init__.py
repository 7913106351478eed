"""What instructors run: authoring, intake of submissions, judging and the gradebook."""
