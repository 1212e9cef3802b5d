"""Originals and outputs by key: in a folder, in memory or in an S3 bucket."""

from __future__ import annotations

from photoward.core.storage.factory import open_store
from photoward.core.storage.object_store import ObjectStore

__all__ = ["ObjectStore", "open_store"]
