"""Trained surrogates: architectures, weights with their cards, the cache."""
