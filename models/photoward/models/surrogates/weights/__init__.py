"""Shipped surrogates: NAME.safetensors beside its card NAME.json. Data only."""
