"""Tensors: surrogates, methods, training, evaluation. Knows no HTTP, queue or bucket."""
