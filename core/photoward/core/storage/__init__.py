"""Originals and outputs by key: in a folder, in memory or in an S3 bucket."""

from __future__ import annotations

from photoward.core.storage.object_store import ObjectStore
from photoward.core.storage.places import open_store

__all__ = ["ObjectStore", "open_store"]
