"""What has no answer by the deadline."""
