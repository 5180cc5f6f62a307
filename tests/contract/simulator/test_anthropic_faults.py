"""Every fault that can hit a request, as Anthropic's SDK sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest
from tests.contract.simulator.anthropic_sdk import asks, async_client_of, client_of

from batch_llm.testing.simulator import Fault, FaultKind
from batch_llm.testing.simulator.faults import OF_BATCH

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

TEXT = "one two three four"
Seen = type[Exception] | Callable[[Any], bool]


def _is_whole(message: Any) -> bool:
    return bool(message.content[0].text == TEXT and message.stop_reason == "end_turn")


def _is_cut(message: Any) -> bool:
    return bool(message.stop_reason is None and TEXT.startswith(message.content[0].text))


def _is_empty(message: Any) -> bool:
    return bool(message.content == [] and message.stop_reason == "end_turn")


def _is_refusal(message: Any) -> bool:
    return bool(message.stop_reason == "refusal" and message.stop_details.type == "refusal")


def _is_withheld(message: Any) -> bool:
    details = message.stop_details
    return bool(message.content == [] and details.category == "general_harms")


def _is_half(message: Any) -> bool:
    text = message.content[0].text
    return bool(message.stop_reason == "max_tokens" and TEXT.startswith(text) and text != TEXT)


def _reports_an_error(message: Any) -> bool:
    """The SDK looks at the status alone: the report stands where a message should."""
    return bool(message.type == "error" and message.error["type"] == "overloaded_error")


def _is_a_page(message: Any) -> bool:
    return isinstance(message, str) and message.startswith("<html>")


# By kind: what the SDK makes of an answer in one piece, and of a stream.
SEEN: dict[FaultKind, tuple[Seen, Seen]] = {
    FaultKind.STATUS: (anthropic.InternalServerError, anthropic.InternalServerError),
    FaultKind.REFUSED: (anthropic.APIConnectionError, anthropic.APIConnectionError),
    FaultKind.RESET_BEFORE: (anthropic.APIConnectionError, anthropic.APIConnectionError),
    FaultKind.HANG: (anthropic.APIConnectionError, anthropic.APIConnectionError),
    FaultKind.DROPPED: (anthropic.APIConnectionError, anthropic.APIConnectionError),
    FaultKind.RESET_IN_BODY: (anthropic.APIConnectionError, httpx2.TransportError),
    FaultKind.SLOW_BODY: (_is_whole, _is_whole),
    FaultKind.TRUNCATED_JSON: (json.JSONDecodeError, _is_cut),
    FaultKind.INVALID_JSON: (json.JSONDecodeError, AssertionError),  # no event: the SDK asserts one
    FaultKind.WRONG_CONTENT_TYPE: (_is_a_page, AssertionError),
    FaultKind.ERROR_IN_200: (_reports_an_error, anthropic.APIStatusError),
    FaultKind.EMPTY: (_is_empty, _is_empty),
    FaultKind.REFUSAL: (_is_refusal, _is_refusal),
    FaultKind.SAFETY: (_is_withheld, _is_withheld),
    FaultKind.LENGTH: (_is_half, _is_half),
}
EXECUTED = set(SEEN) - {
    FaultKind.STATUS,
    FaultKind.REFUSED,
    FaultKind.RESET_BEFORE,
    FaultKind.HANG,
}
CASES = [(kind, streamed) for kind in SEEN for streamed in (False, True)]


def test_no_fault_is_left_out() -> None:
    assert set(SEEN) | OF_BATCH | {FaultKind.STALE_LIST} == set(FaultKind)


@pytest.mark.parametrize(("kind", "streamed"), CASES)
def test_a_fault_reaches_the_client(simulator: Simulator, kind: FaultKind, streamed: bool) -> None:
    def call() -> object:
        with client_of(simulator) as client:
            if not streamed:
                return client.messages.create(**asks(TEXT))
            with client.messages.stream(**asks(TEXT)) as stream:
                return stream.get_final_message()

    simulator.add_fault(Fault(kind=kind, times=1))
    seen = SEEN[kind][streamed]
    if isinstance(seen, type):
        with pytest.raises(seen):
            call()
    else:
        assert seen(call())
    _check_books(simulator, kind)


@pytest.mark.parametrize(("kind", "streamed"), CASES)
async def test_a_fault_reaches_the_async_client(
    simulator: Simulator, kind: FaultKind, streamed: bool
) -> None:
    async def call() -> object:
        async with async_client_of(simulator) as client:
            if not streamed:
                return await client.messages.create(**asks(TEXT))
            async with client.messages.stream(**asks(TEXT)) as stream:
                return await stream.get_final_message()

    simulator.add_fault(Fault(kind=kind, times=1))
    seen = SEEN[kind][streamed]
    if isinstance(seen, type):
        with pytest.raises(seen):
            await call()
    else:
        assert seen(await call())
    _check_books(simulator, kind)


def _check_books(simulator: Simulator, kind: FaultKind) -> None:
    """What was done is billed, also where the answer did not arrive; nothing else is."""
    (record,) = simulator.books.records
    assert record.fault is kind
    assert record.executed == (kind in EXECUTED)
    assert (record.usage.input_tokens > 0) == (kind in EXECUTED)


def test_a_stream_ends_with_the_error_that_it_reports(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="error_in_200"))
    with (
        client_of(simulator) as client,
        client.messages.stream(**asks(TEXT)) as stream,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        stream.get_final_message()
    assert caught.value.type == "overloaded_error"
    assert caught.value.status_code == 200


def test_the_sdk_tries_again_and_calls_twice_what_was_dropped(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="dropped", times=1))
    with client_of(simulator, max_retries=1) as client:
        assert _is_whole(client.messages.create(**asks(TEXT)))
    assert [record.executed for record in simulator.books.records] == [True, True]


def test_retry_after_is_told(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="status", status=429, retry_after_seconds=7))
    with client_of(simulator) as client, pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**asks(TEXT))
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_fault_hits_requests_that_call_no_model(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="status", status=529, operation="models.list", times=1))
    with client_of(simulator) as client:
        with pytest.raises(anthropic.OverloadedError):
            client.models.list()
        assert client.models.list().data
