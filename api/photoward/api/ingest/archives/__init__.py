"""Zip and tar archives of photos."""
