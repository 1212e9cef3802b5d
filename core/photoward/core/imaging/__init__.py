"""Pictures as files: what a header says, decoding under limits, adding noise, encoding, measuring.

``sniff`` is all that the HTTP face needs and costs nothing to import. Everything that touches
pixels runs in child processes behind ``pool``; this folder knows no method, queue or request.
"""
