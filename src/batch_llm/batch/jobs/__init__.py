"""Jobs: how they are made, named, checked and read again."""
