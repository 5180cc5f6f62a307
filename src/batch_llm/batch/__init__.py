"""The batch lane: remote batches at half the price, with nothing lost and nothing sent twice."""
