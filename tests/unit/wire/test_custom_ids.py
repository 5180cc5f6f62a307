from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import ConfigurationError, InputError
from batch_llm.wire.custom_ids import CustomIds, carries_nonce, new_nonce

JOBS = st.lists(st.text(max_size=20), unique=True, max_size=30)
TAKEN = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")


@given(JOBS, st.booleans())
def test_ids_go_there_and_back(jobs: list[str], is_stamped: bool) -> None:
    nonce = new_nonce() if is_stamped else None
    ids = CustomIds(jobs, nonce)
    sent = [ids.sent_for(job) for job in jobs]
    assert len(set(sent)) == len(jobs)
    assert [CustomIds(jobs, nonce).job_of(one) for one in sent] == jobs
    assert list(ids) == jobs
    if nonce is not None:
        assert all(TAKEN.match(one) and carries_nonce(one, nonce) for one in sent)


@given(st.text(max_size=40))
def test_no_other_id_is_anyones(text: str) -> None:
    ids = CustomIds(["a", "b"], "0123456789abcdef")
    if text not in ("0123456789abcdef-0", "0123456789abcdef-1"):
        assert ids.job_of(text) is None


@pytest.mark.parametrize("number", ["2", "00", "01", "-1", "+1", "", "1 ", "²", "9" * 4_400])
def test_numbers_are_read_as_they_were_written(number: str) -> None:
    assert CustomIds(["a", "b"], "0123456789abcdef").job_of(f"0123456789abcdef-{number}") is None


def test_another_runs_ids_carry_another_nonce() -> None:
    mine, other = new_nonce(), new_nonce()
    assert mine != other
    assert not carries_nonce(f"{other}-0", mine)
    assert not carries_nonce(mine, mine)


def test_an_id_that_is_there_twice_is_named() -> None:
    with pytest.raises(InputError, match="'b'"):
        CustomIds(["a", "b", "b"])


def test_a_job_of_another_chunk_has_no_id() -> None:
    with pytest.raises(InputError, match="'z'"):
        CustomIds(["a"]).sent_for("z")


@pytest.mark.parametrize("nonce", ["", "short", "UPPERCASE", "with-a-dash", "x" * 33])
def test_a_nonce_that_no_provider_takes_is_refused(nonce: str) -> None:
    with pytest.raises(ConfigurationError, match="nonce"):
        CustomIds(["a"], nonce)
