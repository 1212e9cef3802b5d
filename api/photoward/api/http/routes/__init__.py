"""Thin endpoints, one module for each kind of thing."""
