"""What is known of a run, and the file that knows it."""
