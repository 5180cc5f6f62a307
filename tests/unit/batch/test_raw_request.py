"""Requests as they are kept: all that was asked, without the content of files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.base import Message
from batch_llm.base.request import FilePart, LLMRequest, TextPart
from batch_llm.batch.jobs.raw_request import raw_request
from batch_llm.providers import (
    AnthropicBatchClient,
    BatchClient,
    GeminiBatchClient,
    OpenAIBatchClient,
)
from batch_llm.wire.batch_item import BatchRequestLine
from batch_llm.wire.embedding import EmbeddingText

HERE = "http://127.0.0.1:9"
CLIENTS = [
    OpenAIBatchClient(base_url=HERE, api_key="k"),
    OpenAIBatchClient(base_url=HERE, api_key="k", chat_endpoint="/v1/responses"),
    AnthropicBatchClient(base_url=HERE, api_key="k"),
    GeminiBatchClient(base_url=HERE, api_key="k"),
]


def kept(client: BatchClient, request: LLMRequest | EmbeddingText) -> tuple[Any, Any]:
    """Return what is sent for a request, and what is kept of that."""
    endpoint, ids = client.endpoint_for(request), client.custom_ids(["a"], "0123456789ab")
    encoded = client.encode(BatchRequestLine("a", request, "m"), ids, endpoint)
    return json.loads(encoded.rstrip().rstrip(b",")), raw_request(encoded)


@pytest.mark.parametrize("client", CLIENTS)
def test_what_holds_no_file_is_kept_as_it_is_sent(client: BatchClient) -> None:
    sent, told = kept(client, LLMRequest("data: and ;base64, in words", system="Be brief."))
    assert told == sent


@pytest.mark.parametrize("client", CLIENTS)
def test_of_a_file_its_length_is_kept(client: BatchClient) -> None:
    part = FilePart(data=b"%PDF-1.4" * 99, media_type="application/pdf", name="a.pdf")
    sent, told = kept(client, LLMRequest([Message("user", (part, TextPart("Why?")))]))
    assert told != sent
    assert "Why?" in json.dumps(told)
    assert len(json.dumps(told)) < len(json.dumps(sent)) - 900
    assert "1056 characters)" in json.dumps(told)


def test_the_text_of_a_document_is_kept() -> None:
    part = FilePart(data=b"The cat sat.", media_type="text/plain", name="a.txt")
    sent, told = kept(CLIENTS[2], LLMRequest([Message("user", (part, TextPart("Why?")))]))
    assert told == sent


def test_a_text_that_is_embedded_is_kept() -> None:
    sent, told = kept(CLIENTS[3], EmbeddingText("embed me"))
    assert told == sent
