"""How much the package costs, beside others that do the same; run by `make bench`."""
