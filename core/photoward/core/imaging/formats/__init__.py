"""One file a format: how to read a header from the first bytes of a file.

Every reader takes a ``Window`` and ``Limits``, returns a ``Header``, raises ``BadInput`` for what
is refused and ``Short`` when the answer lies beyond the bytes at hand. Readers look at headers
only, visit at most ``MAX_STEPS`` blocks, and never allocate by a number that they read.
"""
