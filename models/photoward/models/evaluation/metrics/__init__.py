"""What is computed from pictures, networks and finished runs; draws nothing and writes no file."""
