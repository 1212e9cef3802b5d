"""Pretrained networks and their cards: data that `docs/networks.py` writes; nothing here is run."""
