"""POST models/{model}:countTokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..call import Sender
from ..exchange import json_response
from .answer import encoded_tokens
from .refusal import RefusedError
from .request import CountTokensRequest, GenerateContentRequest, decode

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from .models import Models
    from .reader import RequestReader


class CountTokens:
    """Counts the tokens of a prompt.

    Args:
        models: which there are.
        reader: reads requests.
    """

    def __init__(self, models: Models, reader: RequestReader) -> None:
        self._models = models
        self._reader = reader

    async def create(self, request: Request) -> Response:
        """Answer one request: turns, or a whole request of `generateContent`."""
        params = request.params
        model = self._models.named(params["model"], "countTokens", params["version"])
        written = decode(request.body, CountTokensRequest)
        whole = written.generate_content_request
        if whole is None:
            whole = GenerateContentRequest(contents=written.contents)
        elif written.contents is not None:
            raise RefusedError(
                "Only one of contents and generate_content_request may be set.", field="contents"
            )
        asked = self._reader.read(whole, model, Sender(request.key))
        counted: dict[str, object] = {
            "totalTokens": asked.call.input_tokens,
            "promptTokensDetails": encoded_tokens(asked.tokens),
        }
        if asked.call.cached_input_tokens:
            counted["cachedContentTokenCount"] = asked.call.cached_input_tokens
        return json_response(counted)
