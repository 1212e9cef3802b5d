"""``python -m benchmarks``: the maintainers' measurements, from the repository's root."""

from benchmarks.commands import main

if __name__ == "__main__":
    main()
