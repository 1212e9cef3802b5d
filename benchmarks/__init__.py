"""The maintainers' measurements; not in the wheel. ``python -m benchmarks --help`` lists them."""
