"""The page at ``/``: plain files that talk to ``/v1`` only; nothing here runs on the server."""
