"""Gemini, over its own SDK: plain calls, and calls that share a cached prefix."""
