"""One item's life, as named steps: admission, attempt, retry, end."""
