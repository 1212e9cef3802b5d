"""Decoder processes that may crash, hang or be taken over by a file without harm to others.

``pool`` is what callers use; ``process`` restarts a decoder, ``child_process`` speaks to one,
``server`` runs inside it, ``protocol`` is what both sides send, ``confinement`` what it gives up.
"""
