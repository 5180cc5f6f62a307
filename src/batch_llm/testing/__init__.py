"""What tests of code that uses this package need: mocks, and time that jumps."""

from ..batch.faces.mock_provider import MockProvider
from ..providers import MockBatchClient
from .batches import MockBatchRequest, MockCostTracker
from .mocks import MockAgent, MockResult, MockUsage, mock_strategy
from .state import MockStateManager
from .virtual_time import VirtualTimeLoop, run_in_virtual_time

__all__ = [
    "MockAgent",
    "MockBatchClient",
    "MockBatchRequest",
    "MockCostTracker",
    "MockProvider",
    "MockResult",
    "MockStateManager",
    "MockUsage",
    "VirtualTimeLoop",
    "mock_strategy",
    "run_in_virtual_time",
]
