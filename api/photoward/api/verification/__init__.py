"""What a file is: whether it was protected here, and what of the protection is left in it."""
