"""The domain: plain Python that every other room may import, and that imports none of them."""
