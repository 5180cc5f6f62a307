"""Providers as plain synchronous objects, and what drives them."""
