"""Files that ship with the course, and the scripts that make them."""
