"""From whatever a learning platform hands over to notebooks on the release's skeleton."""
