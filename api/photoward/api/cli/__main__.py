"""``python -m photoward.api.cli``: how a supervisor calls the same interpreter's commands."""

from photoward.api.cli import main

main()
