"""The batch lane: jobs sent at once to a provider's Batch API."""
