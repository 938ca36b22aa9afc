"""What became of it: live performance, label maturity, drift, the review sample."""
