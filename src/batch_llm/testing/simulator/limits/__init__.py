"""What a provider allows, and how it says no."""

from .admission import Admission, Measure, Quota
from .bucket import Hold
from .limit import Capacity, Limit, Slope
from .limits import Limits

__all__ = ["Admission", "Capacity", "Hold", "Limit", "Limits", "Measure", "Quota", "Slope"]
