"""Files to pixels and back: decode under limits, encode, and what a file says besides its pixels.

Runs in a sandboxed process only: the files are hostile and their decoders are not ours.
"""
