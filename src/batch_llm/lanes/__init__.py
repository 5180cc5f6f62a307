"""What crosses from one lane to the other: a request is written once, and travels in either."""

from .live_items import LiveItems
from .live_lane import LiveEnd, LiveLane
from .live_strategies import GivenStrategies, LiveStrategies
from .portable_jobs import jobs_of

__all__ = [
    "GivenStrategies",
    "LiveEnd",
    "LiveItems",
    "LiveLane",
    "LiveStrategies",
    "jobs_of",
]
