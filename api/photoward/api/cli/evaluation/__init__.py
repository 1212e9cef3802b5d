"""What ``photoward evaluate`` does between its options and the report."""
