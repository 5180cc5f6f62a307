"""All that a model is given to read: schema, tools, system prompt and turns, block by block.

Input tokens are counted by the rule of the simulator: a turn and the system prompt cost four
tokens, and the text in them what it is long; a tool costs its name, its description and the JSON
of its schema; the answer's schema costs its JSON; an image and a document cost their round number,
but a document of plain text its text. Thinking of earlier turns costs nothing, as at Anthropic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..decoding import is_given
from ..tokens import TOKENS_OF_TURN, count_json, count_text
from .body import CONTENTS, decode
from .documents import Document, read_document, read_image
from .prompt_cache import Piece
from .refusal import RefusedError, missing, not_among, wrong_kind
from .schemas import output_schema
from .tool_talk import ToolTalk, check_talks

if TYPE_CHECKING:
    from .body import Block, Body, CacheControl, ToolSpec, Turn
    from .schemas import Schema

_ROLES: Final = ("user", "assistant", "system")
_MOST_TURNS: Final = 100_000
_MOST_MARKS: Final = 4
_TTL_SECONDS: Final = {"5m": 300, "1h": 3_600}
# Blocks of Anthropic's own tools, which nobody runs here: they are taken, and cost their JSON.
_OF_SERVER_TOOLS: Final = frozenset(
    {
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "container_upload",
        "redacted_thinking",
        "server_tool_use",
        "text_editor_code_execution_tool_result",
        "thinking",
        "tool_reference",
        "tool_search_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
_KNOWN: Final = ("text", "image", "document", "search_result", "tool_use", "tool_result")


@dataclass(slots=True)
class Prompt:
    """What the model reads.

    Attributes:
        turns: (role, text) of each, without documents and images.
        system: the system prompt.
        pieces: all blocks.
        documents: in the order in which they stand.
        schema: what the answer must fit; None for plain text.
    """

    turns: list[tuple[str, str]] = field(default_factory=list)
    system: str = ""
    pieces: list[Piece] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    schema: Schema | None = None

    @property
    def tokens(self) -> int:
        """Input tokens of all of it."""
        return sum(piece.tokens for piece in self.pieces)


def read_prompt(body: Body) -> Prompt:
    """Return what a body gives the model to read.

    Raises:
        RefusedError: for a turn or a block that the API does not take.
    """
    prompt = Prompt(schema=output_schema(body.format))
    if body.format is not None and prompt.schema is not None:
        prompt.pieces.append(Piece(bytes(body.format.schema), prompt.schema.tokens))
    for index, tool in enumerate(body.tools or ()):
        prompt.pieces.append(_tool_piece(tool, f"tools.{index}"))
    if body.system:
        _read_system(prompt, body.system)
    _read_turns(prompt, body)
    if body.cache_control is not None and prompt.pieces:
        last = prompt.pieces[-1]
        last.cached_seconds = last.cached_seconds or _ttl(body.cache_control, "")
    _check_marks(prompt.pieces)
    return prompt


def _tool_piece(tool: ToolSpec, place: str) -> Piece:
    words, schema = f"{tool.name}\0{tool.description}\0", bytes(tool.input_schema)
    tokens = count_text(tool.name or "") + count_text(tool.description or "") + count_json(schema)
    return Piece(words.encode() + schema, tokens, _ttl(tool.cache_control, place))


def _read_system(prompt: Prompt, system: str | list[Block]) -> None:
    turn_tokens = TOKENS_OF_TURN
    if isinstance(system, str):
        prompt.system = system
        prompt.pieces.append(_text_piece("system", system, turn_tokens))
        return
    for index, block in enumerate(system):
        place = f"system.{index}"
        if block.type != "text":
            raise not_among(f"{place}.type", "text")
        piece = _text_piece("system", _text_of(block, place), turn_tokens)
        piece.cached_seconds = _ttl(block.cache_control, place)
        prompt.pieces.append(piece)
        turn_tokens = 0
    prompt.system = "\n".join(block.text or "" for block in system)


def _text_piece(role: str, text: str, turn_tokens: int) -> Piece:
    identity = f"{role}\0{text}".encode()
    return Piece(identity, turn_tokens + count_text(text))


def _read_turns(prompt: Prompt, body: Body) -> None:
    turns = body.messages
    if not turns:
        raise RefusedError("messages: at least one message is required")
    if len(turns) > _MOST_TURNS:
        raise RefusedError(f"messages: at most {_MOST_TURNS} messages are allowed")
    talks: list[ToolTalk] = []
    for index, turn in enumerate(turns):
        if turn.role not in _ROLES:
            raise not_among(f"messages.{index}.role", *_ROLES)
        if not turn.content and not (turn.role == "assistant" and index == len(turns) - 1):
            raise RefusedError(
                f"messages.{index}: all messages must have non-empty content except for the "
                f"optional final assistant message"
            )
        content = turn.content
        if isinstance(content, str):
            prompt.turns.append((turn.role, content))
            prompt.pieces.append(_text_piece(turn.role, content, TOKENS_OF_TURN))
            talks.append(ToolTalk())
        else:
            talks.append(_read_blocks(prompt, turn, content, f"messages.{index}.content"))
    check_talks(talks)


def _read_blocks(prompt: Prompt, turn: Turn, blocks: list[Block], where: str) -> ToolTalk:
    talk = ToolTalk()
    texts: list[str] = []
    turn_tokens = TOKENS_OF_TURN
    for index, block in enumerate(blocks):
        place = f"{where}.{index}"
        text, piece = _read_block(prompt, block, place)
        piece.identity = turn.role.encode() + b"\0" + piece.identity
        piece.tokens += turn_tokens
        piece.cached_seconds = _ttl(block.cache_control, place)
        prompt.pieces.append(piece)
        turn_tokens = 0
        if text is not None:
            texts.append(text)
        if block.type == "tool_use" and block.id is not None:
            talk.asked.append(block.id)
        if block.type == "tool_result" and block.tool_use_id is not None:
            talk.answered.append((place, block.tool_use_id))
    prompt.turns.append((turn.role, "\n".join(texts)))
    return talk


def _read_block(prompt: Prompt, block: Block, place: str) -> tuple[str | None, Piece]:
    """Return the text that a block adds to its turn, None for none, and the block."""
    kind = block.type
    if kind == "text":
        text = _text_of(block, place)
        return text, Piece(text.encode(), count_text(text))
    if kind == "image":
        return None, read_image(block, place)
    if kind == "document":
        return None, read_document(prompt.documents, block, place)
    if kind == "tool_use":
        return None, _tool_use(block, place)
    if kind in ("tool_result", "search_result"):
        return _result(prompt, block, place)
    if kind in _OF_SERVER_TOOLS:
        data = bytes(block.content) + bytes(block.input)
        return None, Piece(kind.encode() + data, count_json(data))
    known = ", ".join(f"'{name}'" for name in _KNOWN)
    raise RefusedError(
        f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected "
        f"tags: {known}"
    )


def _text_of(block: Block, place: str) -> str:
    if block.text is None:
        raise missing(f"{place}.text.text")
    if not block.text:
        raise RefusedError(f"{place}: text content blocks must be non-empty")
    return block.text


def _tool_use(block: Block, place: str) -> Piece:
    for name in ("id", "name"):
        if getattr(block, name) is None:
            raise missing(f"{place}.tool_use.{name}")
    data = bytes(block.input)
    if not data:
        raise missing(f"{place}.tool_use.input")
    if not data.startswith(b"{"):
        raise wrong_kind(f"{place}.tool_use.input", "dictionary")
    identity = f"{block.id}\0{block.name}\0".encode() + data
    return Piece(identity, count_text(block.name or "") + count_json(data))


def _result(prompt: Prompt, block: Block, place: str) -> tuple[str | None, Piece]:
    """Read the result of a tool or of a search: a text, or blocks of its own."""
    place = f"{place}.{block.type}"
    if block.type == "tool_result" and block.tool_use_id is None:
        raise missing(f"{place}.tool_use_id")
    if not is_given(block.content):
        return "", Piece(str(block.tool_use_id).encode(), 0)
    data = bytes(block.content)
    content = decode(CONTENTS, data, f"{place}.content")
    identity = f"{block.type}\0{block.tool_use_id}\0".encode() + data
    if isinstance(content, str):
        return content, Piece(identity, count_text(content))
    texts, tokens = [], 0
    for index, inner in enumerate(content):
        text, piece = _read_block(prompt, inner, f"{place}.content.{index}")
        tokens += piece.tokens
        texts.append(text)
    return "\n".join(text for text in texts if text is not None), Piece(identity, tokens)


def _ttl(mark: CacheControl | None, place: str) -> int:
    """Return the seconds that a mark asks for; 0 where there is none."""
    if mark is None:
        return 0
    place = f"{place}.cache_control" if place else "cache_control"
    if mark.type != "ephemeral":
        raise not_among(f"{place}.type", "ephemeral")
    if mark.ttl is not None and mark.ttl not in _TTL_SECONDS:
        raise not_among(f"{place}.ephemeral.ttl", "5m", "1h")
    return _TTL_SECONDS[mark.ttl or "5m"]


def _check_marks(pieces: list[Piece]) -> None:
    marks = [piece.cached_seconds for piece in pieces if piece.cached_seconds]
    if len(marks) > _MOST_MARKS:
        raise RefusedError(
            f"A maximum of {_MOST_MARKS} blocks with cache_control may be provided. "
            f"Found {len(marks)}."
        )
    if marks != sorted(marks, reverse=True):
        raise RefusedError(
            "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
            "cache_control block. Note that blocks are processed in the following order: `tools`, "
            "`system`, `messages`."
        )
