"""Request headers with a grammar of their own."""
