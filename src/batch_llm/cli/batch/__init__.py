"""`batch-llm batch`: rows through a provider's Batch API."""
