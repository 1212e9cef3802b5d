"""Trained surrogates: architectures, weights with their cards, and the cache that keeps them loaded."""
