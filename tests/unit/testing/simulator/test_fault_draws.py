"""What a fault's rate draws from, for requests that call no model: each request, not its turn."""

from __future__ import annotations

import pytest

from batch_llm.testing.simulator import Fault, FaultKind, SimulatorSettings
from batch_llm.testing.simulator.exchange import Request
from batch_llm.testing.simulator.front import Front

UPLOADS = "/openai/v1/responses/none/cancel"
"""An endpoint that reads no body, and answers 404."""
TELLING_BYTES = 4_096
"""Of a body, those at its start tell it from others."""


async def _hit(bodies: list[bytes], path: str = UPLOADS) -> list[bool]:
    """Send bodies, one after another; return which of them met the fault."""
    front = Front(SimulatorSettings(faults=(Fault(kind=FaultKind.STATUS, status=503, rate=0.5),)))
    headers = {"Authorization": "Bearer any"}
    answers = [await front.answer(Request("POST", path, headers, body)) for body in bodies]
    await front.aclose()
    assert {answer.status for answer in answers} <= {404, 503}
    return [answer.status == 503 for answer in answers]


@pytest.mark.parametrize("length", [0, 1_000, TELLING_BYTES - 2])
async def test_bodies_of_one_address_draw_each_for_itself(length: int) -> None:
    bodies = [b"x" * length + b"%02d" % number for number in range(60)]
    hit = await _hit(bodies)
    assert 15 < sum(hit) < 45
    assert await _hit(bodies[::-1]) == hit[::-1], "whatever came before"


async def test_of_a_long_body_the_start_tells() -> None:
    bodies = [b"x" * TELLING_BYTES + b"%02d" % number for number in range(60)]
    assert await _hit(bodies) == await _hit(bodies[::-1])


async def test_equal_bodies_at_other_addresses_draw_each_for_itself() -> None:
    first, second = UPLOADS, UPLOADS.replace("none", "nothing")
    assert await _hit([b""] * 60, first) != await _hit([b""] * 60, second)
