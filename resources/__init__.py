"""Checkpoints, icons and style sheet; found from `engine` and `studio` through their paths."""
