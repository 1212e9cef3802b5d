"""Originals and outputs by key: in a folder, in memory or in an S3 bucket."""

from __future__ import annotations

from photoward.core.storage.adapter import ObStore
from photoward.core.storage.places import open_store

__all__ = ["ObStore", "open_store"]
