"""What ``photoward doctor`` looks at."""
