"""JSON values that fit a JSON schema, made from a seed."""

from .fitting import FittingValues

__all__ = ["FittingValues"]
