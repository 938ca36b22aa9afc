"""What scores were worth once labels are known, and how sure that is."""
