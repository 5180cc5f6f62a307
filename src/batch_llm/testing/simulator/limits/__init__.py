"""What a provider allows, and how it says no."""

from .admission import Admission, Measure, Quota
from .limit import Capacity, Limit, Slope
from .limits import Limits

__all__ = ["Admission", "Capacity", "Limit", "Limits", "Measure", "Quota", "Slope"]
