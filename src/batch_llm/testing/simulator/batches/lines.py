"""Lines that a fault of their batch keeps from running."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..call import ModelCall
    from ..exchange import Response
    from ..faults import Fault
    from ..serving import Dialect
    from ..world import World


def kept_from_running(world: World, dialect: Dialect, call: ModelCall, fault: Fault) -> Response:
    """Return the error of a line in the place of its answer, and book a call that fails."""
    response = dialect.error(fault.status, error_type=fault.error_type)
    response.record = world.books.open(call)
    response.record.fault = fault.kind
    return response
