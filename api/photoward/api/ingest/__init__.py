"""How a photo gets in: checked, stored, recorded. Knows no HTTP."""
