"""The engine room: claims items from the ledger, protects them, hands in the results."""
