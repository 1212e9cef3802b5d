"""Trainers and their recipes: classifiers from scratch, and from ImageNet weights."""
