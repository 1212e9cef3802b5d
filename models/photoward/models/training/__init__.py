"""Trains surrogates: data, the loop, and the card that goes with the weights."""
