"""Who answers batches: the seam, and who is found for a model."""
