"""What jobs cost: before, at the most, and in the end."""
