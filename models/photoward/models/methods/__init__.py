"""The ways to protect, one file each, behind one interface."""
