"""How protected photos go out: single files, lists and zip archives. Knows no HTTP."""
