"""Is the input broken? Metrics of missing, unseen, out-of-range, mistyped and repeated values."""
