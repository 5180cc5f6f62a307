"""What the files of a batch say was asked and answered, by provider."""
