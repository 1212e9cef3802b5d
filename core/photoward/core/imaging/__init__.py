"""Image files: read a header, decode under limits, add noise, encode, measure.

``sniff`` (over ``formats`` and ``header``) reads the first bytes only and costs nothing to import.
``codec`` and ``metrics`` handle pixels and run inside the processes of ``sandbox`` only. This
folder knows no method, queue or request.
"""
