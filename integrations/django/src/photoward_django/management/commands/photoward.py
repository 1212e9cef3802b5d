"""``manage.py photoward status | backfill | undo``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from photoward_client import PhotowardError
from photoward_django.conf import client
from photoward_django.library import Library, protected_storages
from photoward_django.originals import State

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """Shows how the public photos stand, protects existing ones, or puts the originals back."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("action", choices=["status", "backfill", "undo"])
        parser.add_argument("--storage", metavar="ALIAS", help="only this one of STORAGES")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--limit", type=int, help="backfill: at most so many photos")
        parser.add_argument("--force", action="store_true", help="undo: also changed files")

    def handle(self, *_: Any, **options: Any) -> None:  # noqa: ANN401
        """Run one action on each storage; exits with 1 when something is left to be done."""
        chosen = {
            alias: storage
            for alias, storage in protected_storages().items()
            if options["storage"] in {None, alias}
        }
        if not chosen:
            raise CommandError("No such storage of STORAGES protects its files.")
        if options["action"] == "status":
            self._ask_service()
        left = sum(self._run(alias, storage, options) for alias, storage in chosen.items())
        if left:
            raise CommandError(f"{left} photos are not as they should be; see above.")

    def _ask_service(self) -> None:
        try:
            client().json("GET", "/v1/limits")
        except PhotowardError as error:
            raise CommandError(f"The service: {error}") from error
        self.stdout.write("The service answers.")

    def _run(self, alias: str, storage: Any, options: dict[str, Any]) -> int:  # noqa: ANN401
        """Run the action; how many photos are not as it wants them."""
        library = Library(storage, self.stderr.write)
        if options["action"] == "status" or options["dry_run"]:
            counts = library.count()
            shown = ", ".join(f"{counts[state]} {state}" for state in State)
            self.stdout.write(f"{alias}: {shown}")
            return 0 if options["dry_run"] else counts.total() - counts[State.PROTECTED]
        try:
            done = (
                library.undo(force=options["force"])
                if options["action"] == "undo"
                else library.protect(options["limit"])
            )
        except PhotowardError as error:
            raise CommandError(f"{error} Run this again: it goes on from here.") from error
        shown = ", ".join(f"{number} {what}" for what, number in sorted(done.items()))
        self.stdout.write(f"{alias}: {shown or 'nothing to do'}")
        return done["failed"]
