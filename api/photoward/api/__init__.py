"""The faces: what a person or a program touches. Knows no tensors."""
