"""The command ``photoward``."""
