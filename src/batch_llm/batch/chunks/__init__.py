"""Jobs that go together as one remote batch: cut, planned, submitted, polled, collected."""
