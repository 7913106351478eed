"""From the hand-written source to solutions, releases and what students get."""
