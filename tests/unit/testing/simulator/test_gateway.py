"""A request's way to what answers it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.testing.simulator import Fault, FaultKind, SimulatorSettings
from batch_llm.testing.simulator.exchange import Request, Response, json_response
from batch_llm.testing.simulator.gateway import Gateway
from batch_llm.testing.simulator.routes import Route
from batch_llm.testing.simulator.world import World

if TYPE_CHECKING:
    from batch_llm.testing.simulator.call import Provider
    from batch_llm.testing.simulator.limits import Admission
    from batch_llm.testing.simulator.serving import Outcome


class Dialect:
    def error(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> Response:
        return json_response([message, error_type, retry_after_seconds], status=status)

    def limited(self, outcome: Outcome) -> Response:
        raise NotImplementedError

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        return {}

    def error_in_200(self, outcome: Outcome) -> Response:
        raise NotImplementedError


class Face:
    """A provider of three endpoints, and the requests that reached them."""

    name: Provider = "openai"
    dialect = Dialect()

    def __init__(self) -> None:
        self.reached: list[Request] = []

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/things/{id}", "things.get", self.handle),
            Route("POST", "/calls", "calls", self.handle, calls_model=True),
            Route("POST", "/open", "open", self.handle, needs_key=False),
            Route("POST", "/defect", "defect", self.fail),
        ]

    async def handle(self, request: Request) -> Response:
        self.reached.append(request)
        return json_response({})

    async def fail(self, request: Request) -> Response:
        raise ZeroDivisionError

    def key_of(self, request: Request) -> str:
        return request.headers.get("key", "")

    def wrong_key(self, key: str) -> Response:
        return json_response(["wrong", key], status=401)

    def unknown_path(self, request: Request) -> Response:
        return json_response("path", status=404)

    def unknown_method(self, request: Request) -> Response:
        return json_response("method", status=405)

    def new_request_id(self) -> str:
        return "req_1"

    def usual_headers(self, request: Request) -> dict[str, str]:
        return {"x-id": request.id, "x-key": request.key}

    async def aclose(self) -> None:
        return


def _gateway(**settings: Any) -> tuple[Gateway, Face]:
    face = Face()
    return Gateway(World(SimulatorSettings.model_validate(settings)), face), face


async def _ask(
    gateway: Gateway, method: str, path: str, key: str = "k", **headers: str
) -> tuple[str, Response]:
    return await gateway.answer(Request(method, path, {"key": key, **headers}))


async def test_a_request_reaches_its_endpoint_with_its_parts_and_its_key() -> None:
    gateway, face = _gateway()
    name, response = await _ask(gateway, "GET", "/things/t-1")
    assert (name, response.status) == ("GET /things/{id}", 200)
    assert (face.reached[0].params, face.reached[0].key) == ({"id": "t-1"}, "k")
    assert response.headers == {"x-id": "req_1", "x-key": "k"}


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/none", 404), ("PUT", "/calls", 405)]
)
async def test_an_address_that_is_none(method: str, path: str, status: int) -> None:
    gateway, face = _gateway()
    name, response = await _ask(gateway, method, path)
    assert (name, response.status, face.reached) == ("", status, [])
    assert response.headers["x-id"] == "req_1", "errors have a name too"


@pytest.mark.parametrize("key", ["", "wrong", "wrong-2"])
async def test_a_key_that_is_missing_or_wrong(key: str) -> None:
    gateway, face = _gateway()
    name, response = await _ask(gateway, "POST", "/calls", key)
    assert (name, response.status, face.reached) == ("POST /calls", 401, [])


async def test_keys_that_were_named_are_the_only_right_ones() -> None:
    gateway, _face = _gateway(keys=["mine"])
    assert (await _ask(gateway, "POST", "/calls", "k"))[1].status == 401
    assert (await _ask(gateway, "POST", "/calls", "mine"))[1].status == 200


async def test_an_endpoint_that_needs_no_key() -> None:
    gateway, _face = _gateway()
    assert (await _ask(gateway, "POST", "/open", ""))[1].status == 200


async def test_a_defect_of_the_simulator_is_a_500_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway, _ = _gateway()
    with caplog.at_level(logging.CRITICAL):
        _, response = await _ask(gateway, "POST", "/defect")
    assert (response.status, gateway.broken) == (500, 1)


async def test_a_fault_before_keeps_the_request_from_its_endpoint() -> None:
    fault = Fault(kind=FaultKind.STATUS, status=503, retry_after_seconds=2)
    gateway, face = _gateway(faults=[fault])
    _, response = await _ask(gateway, "GET", "/things/1")
    assert (response.status, response.body) == (503, b"[null,null,2.0]")
    assert face.reached == []


async def test_a_connection_that_breaks_before() -> None:
    gateway, face = _gateway(faults=[Fault(kind=FaultKind.RESET_BEFORE)])
    _, response = await _ask(gateway, "GET", "/things/1")
    assert response.fault is not None
    assert face.reached == []


async def test_a_connection_that_breaks_after() -> None:
    gateway, face = _gateway(faults=[Fault(kind=FaultKind.DROPPED, operation="things.get")])
    _, response = await _ask(gateway, "GET", "/things/1")
    assert response.fault is not None
    assert len(face.reached) == 1, "it was done, and nobody hears of it"


async def test_calls_of_models_meet_their_faults_where_they_are_made() -> None:
    gateway, face = _gateway(faults=[Fault(kind=FaultKind.RESET_BEFORE)])
    _, response = await _ask(gateway, "POST", "/calls")
    assert (response.fault, len(face.reached)) == (None, 1)


async def test_a_request_asks_for_its_own_fault() -> None:
    gateway, _face = _gateway()
    _, response = await _ask(gateway, "GET", "/things/1", **{"x-sim-fault": "503"})
    assert response.status == 503
    _, response = await _ask(gateway, "GET", "/things/1", **{"x-sim-fault": "nonsense"})
    assert response.status == 400
    assert b"no such kind" in response.body


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/things/1", "empty"),
        ("GET", "/things/1", "stale_list"),
        ("GET", "/things/1", "batch_failed"),
        ("POST", "/calls", "stale_list"),
        ("POST", "/calls", "batch_expired"),
    ],
)
async def test_a_fault_that_cannot_happen_is_refused(method: str, path: str, kind: str) -> None:
    gateway, face = _gateway()
    _, response = await _ask(gateway, method, path, **{"x-sim-fault": kind})
    assert (response.status, face.reached) == (400, [])
    assert b"cannot happen" in response.body


async def _fate_of_form(boundary: str, content: str, marks: str = '"') -> list[int]:
    gateway, _face = _gateway(faults=[Fault(kind=FaultKind.STATUS, rate=0.5)])
    form = f"--{boundary}\r\n\r\n{content}\r\n--{boundary}\r\n\r\nb\r\n--{boundary}--\r\n".encode()
    headers = {
        "key": "k",
        "Content-Type": f"multipart/form-data; boundary={marks}{boundary}{marks}; charset=utf-8",
    }
    return [
        (await gateway.answer(Request("GET", "/things/1", headers, form)))[1].status
        for _ in range(40)
    ]


@pytest.mark.parametrize("size", [10, 4_096 - 20, 4_096 - 36, 9_000])
async def test_the_boundary_of_a_form_is_no_part_of_what_is_sent(size: int) -> None:
    content = "x" * size
    fates = await _fate_of_form("a" * 32, content)
    assert await _fate_of_form("b" * 32, content) == fates
    assert await _fate_of_form("c" * 40, content, marks="") == fates
    assert await _fate_of_form("a" * 32, "y" * size) != fates


async def test_a_rate_hits_its_share_of_equal_requests() -> None:
    gateway, _face = _gateway(faults=[Fault(kind=FaultKind.STATUS, rate=0.3)])
    statuses = [(await _ask(gateway, "GET", "/things/1"))[1].status for _ in range(1_000)]
    assert 250 < statuses.count(500) < 350
