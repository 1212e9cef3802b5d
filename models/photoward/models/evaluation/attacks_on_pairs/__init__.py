"""Attackers who hold pairs of an original and its protected file, and learn δ from them."""
