from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_llm.wire.redaction import without_private

PROMPT = "Summarise the attached letter of resignation in one sentence."
KEY = "sk-proj-0123456789abcdef"


def test_a_quoted_prompt_disappears() -> None:
    message = f"Invalid value: {PROMPT!r}. Expected a list."
    assert without_private(message, [PROMPT]) == "Invalid value: '…'. Expected a list."


def test_a_part_of_a_prompt_disappears() -> None:
    message = f"Too long near '{PROMPT[10:45]}' at 3"
    assert without_private(message, [PROMPT]) == "Too long near '…' at 3"


def test_a_key_disappears_also_where_the_provider_starred_it() -> None:
    assert without_private(f"No such key: {KEY}.", [KEY]) == "No such key: …."
    assert (
        without_private("No such key: sk-pr******cdef. Get one.", []) == "No such key: … Get one."
    )


def test_short_texts_do_not_tear_holes_into_the_message() -> None:
    assert without_private("The model is overloaded", ["model", "", "is"]) == (
        "The model is overloaded"
    )


@given(
    st.text(max_size=60),
    st.text(alphabet=st.characters(blacklist_characters="…*"), min_size=8, max_size=60),
    st.text(max_size=60),
)
def test_no_private_text_survives(before: str, secret: str, after: str) -> None:
    assert secret not in without_private(before + secret + after, [secret])


@given(st.text(alphabet="abc ", max_size=80), st.text(alphabet="xyz", max_size=40))
def test_a_message_that_quotes_nothing_stays_the_same(message: str, secret: str) -> None:
    assert without_private(message, [secret]) == message
