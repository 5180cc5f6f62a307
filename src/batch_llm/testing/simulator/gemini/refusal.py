"""What a client asked for in a wrong way."""

from __future__ import annotations


class RefusedError(Exception):
    """A request that Gemini refuses; the message is Google's.

    Args:
        message: what is wrong.
        status: of HTTP.
        error_type: Google's word; None is the usual one for the status.
        field: the path of what is wrong, "contents[0].parts", told in the error's details; None
            tells none, "" is the whole body.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        error_type: str | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error_type = error_type
        self.field = field


def refused_field(path: str, problem: str, *, of: str = "GenerateContentRequest") -> RefusedError:
    """Return the refusal of one field's value, as Google lists them.

    Args:
        path: "contents[0].parts", in snake case.
        problem: what is wrong with it.
        of: the message that it is a field of.
    """
    return RefusedError(f"* {of}.{path}: {problem}\n")
