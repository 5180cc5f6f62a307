"""Where work comes from and where results go: the rows of files."""
