"""cachedContents, with Google's SDK as the judge.

What is set follows `google.genai.types.CachedContent`; of the usage, all but the total is "not
supported in Gemini API".
"""

from __future__ import annotations

import datetime
import io
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import errors, types
from tests.contract.simulator.gemini_sdk import KEY, MODEL, client_of, fault, raw, unknown_names
from tests.sdk_coverage import covers

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

ALL = "/{version}/cachedContents"
ONE = f"{ALL}/{{id}}"
CREATE, LIST = f"POST {ALL}", f"GET {ALL}"
GET, PATCH, DELETE = f"GET {ONE}", f"PATCH {ONE}", f"DELETE {ONE}"
LONG = "word " * 1_000
LONG_TOKENS = 4 + 1_250
GONE = "CachedContent not found (or permission denied)"
TTL = datetime.timedelta(seconds=600)


@pytest.fixture(autouse=True)
def _still(simulator: Simulator) -> None:
    """Let time stand still: the tests move it."""
    simulator.set_speed(1e-6)


def create(simulator: Simulator, model: str = MODEL, **config: Any) -> types.CachedContent:
    config.setdefault("contents", LONG)
    with client_of(simulator) as client:
        return client.caches.create(model=model, config=types.CreateCachedContentConfig(**config))


def refused(simulator: Simulator, **config: Any) -> str:
    with pytest.raises(errors.ClientError) as raised:
        create(simulator, **config)
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    return str(raised.value.message)


def told(cache: types.CachedContent) -> dict[str, Any]:
    """Return every field that is set but the name; times as they are."""
    fields = cache.model_dump(exclude_none=True)
    assert fields.pop("name").startswith("cachedContents/")
    return fields


def moment(simulator: Simulator, *, after: float = 0) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(simulator.now() + after, datetime.UTC)


def is_near(moment: datetime.datetime | None, other: datetime.datetime) -> bool:
    return moment is not None and abs(moment - other) < datetime.timedelta(seconds=1)


# --- states -----------------------------------------------------------------------------------


@covers("gemini", CREATE, "caches.create")
@covers("gemini", GET, "caches.get")
def test_a_new_cache(simulator: Simulator) -> None:
    cache = create(simulator, display_name="manual", ttl="600s")
    assert is_near(cache.create_time, moment(simulator))
    assert cache.create_time is not None
    assert told(cache) == {
        "display_name": "manual",
        "model": f"models/{MODEL}",
        "create_time": cache.create_time,
        "update_time": cache.create_time,
        "expire_time": cache.create_time + TTL,
        "usage_metadata": {"total_token_count": LONG_TOKENS},
    }
    with client_of(simulator) as client:
        assert client.caches.get(name=cache.name or "") == cache


def test_a_cache_lives_an_hour_and_needs_no_name(simulator: Simulator) -> None:
    cache = create(simulator)
    assert cache.display_name is None
    assert is_near(cache.expire_time, moment(simulator, after=3_600))


@covers("gemini", CREATE, "caches.create")
@covers("gemini", GET, "caches.get")
@covers("gemini", PATCH, "caches.update")
@covers("gemini", LIST, "caches.list")
@covers("gemini", DELETE, "caches.delete")
async def test_the_life_of_a_cache_for_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        cache = await client.caches.create(model=MODEL, config={"contents": LONG})
        name = cache.name or ""
        assert await client.caches.get(name=name) == cache
        simulator.advance(100)
        renewed = await client.caches.update(name=name, config={"ttl": "600s"})
        assert is_near(renewed.update_time, moment(simulator))
        assert is_near(renewed.expire_time, moment(simulator, after=600))
        assert [found async for found in await client.caches.list()] == [renewed]
        await client.caches.delete(name=name)
        assert [found async for found in await client.caches.list()] == []


@covers("gemini", PATCH, "caches.update")
def test_a_cache_whose_life_is_changed(simulator: Simulator) -> None:
    cache = create(simulator, display_name="manual")
    simulator.advance(100)
    with client_of(simulator) as client:
        changed = client.caches.update(name=cache.name or "", config={"ttl": "60.5s"})
    assert changed.update_time is not None
    assert is_near(changed.update_time, moment(simulator))
    assert told(changed) == told(cache) | {
        "update_time": changed.update_time,
        "expire_time": changed.update_time + datetime.timedelta(seconds=60.5),
    }


def test_a_moment_to_expire_at(simulator: Simulator) -> None:
    wanted = moment(simulator, after=7_200)
    cache = create(simulator, expire_time=wanted)
    assert cache.expire_time == wanted
    later = moment(simulator, after=9_000)
    with client_of(simulator) as client:
        changed = client.caches.update(name=cache.name or "", config={"expire_time": later})
    assert changed.expire_time == later


def test_no_name_is_sent_that_the_sdk_does_not_know(simulator: Simulator) -> None:
    create(simulator, display_name="manual")
    sent = raw(simulator, "GET", "/v1beta/cachedContents").json()
    (cache,) = sent["cachedContents"]
    assert not unknown_names(cache, types.CachedContent)
    assert not unknown_names(cache["usageMetadata"], types.CachedContentUsageMetadata)


# --- the end ----------------------------------------------------------------------------------


def gone(simulator: Simulator, name: str, key: str = KEY) -> list[tuple[int, str, str]]:
    """Return how Gemini refuses a get, a patch, a delete and a use of a cache."""
    with client_of(simulator, key) as client:
        failures = []
        for attempt in (
            lambda: client.caches.get(name=name),
            lambda: client.caches.update(name=name, config={"ttl": "60s"}),
            lambda: client.models.generate_content(
                model=MODEL, contents="hello", config={"cached_content": name}
            ),
            lambda: client.caches.delete(name=name),
        ):
            with pytest.raises(errors.ClientError) as raised:
                attempt()
            error = raised.value
            failures.append((error.code, str(error.status), str(error.message)))
    return failures


@covers("gemini", DELETE, "caches.delete")
def test_a_deleted_cache_is_gone(simulator: Simulator) -> None:
    name = create(simulator).name or ""
    with client_of(simulator) as client:
        deleted = client.caches.delete(name=name)
        assert deleted.model_dump(exclude_none=True, exclude={"sdk_http_response"}) == {}
    assert gone(simulator, name) == [(403, "PERMISSION_DENIED", GONE)] * 4


def test_a_cache_expires(simulator: Simulator) -> None:
    name = create(simulator, ttl="600s").name or ""
    simulator.advance(599)
    with client_of(simulator) as client:
        assert client.caches.get(name=name).name == name
    simulator.advance(1)
    assert gone(simulator, name) == [(403, "PERMISSION_DENIED", GONE)] * 4


def test_lists_leave_out_what_has_expired(simulator: Simulator) -> None:
    create(simulator, ttl="600s")
    simulator.advance(600)
    with client_of(simulator) as client:
        assert list(client.caches.list()) == []


def test_other_keys_do_not_see_a_cache(simulator: Simulator) -> None:
    name = create(simulator).name or ""
    assert gone(simulator, name, "other") == [(403, "PERMISSION_DENIED", GONE)] * 4
    with client_of(simulator, "other") as client:
        assert list(client.caches.list()) == []


# --- what cannot be cached --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("gemini-2.5-flash", 1_024),
        ("gemini-2.5-flash-lite", 1_024),
        ("gemini-2.5-pro", 4_096),
        ("gemini-3.5-flash", 4_096),
    ],
)
def test_content_below_the_least_is_refused(simulator: Simulator, model: str, least: int) -> None:
    enough = "x" * 4 * (least - 4)
    total = least - 1
    message = f"Cached content is too small. total_token_count={total}, min_total_token_count="
    assert refused(simulator, model=model, contents=enough[4:]) == f"{message}{least}"
    cache = create(simulator, model, contents=enough)
    assert cache.usage_metadata == types.CachedContentUsageMetadata(total_token_count=least)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"display_name": "n" * 129},
            (
                "* CreateCachedContentRequest.cached_content.display_name: "
                "display_name must have at "
                "most 128 characters.\n"
            ),
        ),
        (
            {"ttl": "an hour"},
            (
                "Invalid value at 'cached_content.ttl' "
                "(type.googleapis.com/google.protobuf.Duration)"
                ', "an hour"'
            ),
        ),
        ({"ttl": "0s"}, "The expiration of a CachedContent must be in the future."),
        (
            {"expire_time": "2020-01-01T00:00:00Z"},
            "The expiration of a CachedContent must be in the future.",
        ),
        (
            {"ttl": "1s", "expire_time": "2099-01-01T00:00:00Z"},
            (
                "Invalid value at 'cached_content' (oneof), oneof field 'expiration' "
                "is already set. "
                "Cannot set 'expireTime'"
            ),
        ),
    ],
)
def test_creates_that_are_refused(
    simulator: Simulator, config: dict[str, Any], message: str
) -> None:
    assert refused(simulator, **config) == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "* CreateCachedContentRequest.cached_content.model: model is required.\n"),
        (
            {"model": f"models/{MODEL}", "expireTime": "tomorrow"},
            (
                "Invalid value at 'cached_content.expire_time' "
                '(type.googleapis.com/google.protobuf.Timestamp), "tomorrow"'
            ),
        ),
        (
            {"model": f"models/{MODEL}", "kind": "small"},
            'Invalid JSON payload received. Unknown name "kind": Cannot find field.',
        ),
    ],
)
def test_creates_that_no_sdk_sends(
    simulator: Simulator, body: dict[str, Any], message: str
) -> None:
    response = raw(simulator, "POST", "/v1beta/cachedContents", json=body)
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


@pytest.mark.parametrize("model", ["gpt-5", "gemini-embedding-001"])
def test_a_model_that_caches_nothing(simulator: Simulator, model: str) -> None:
    with pytest.raises(errors.ClientError) as raised:
        create(simulator, model)
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert "is not supported for createCachedContent" in str(raised.value.message)


@pytest.mark.parametrize(
    ("query", "body", "message"),
    [
        ("", {}, "Either ttl or expire_time must be set to update a CachedContent."),
        (
            "?updateMask=displayName",
            {"displayName": "new"},
            "Only the expiration (ttl or expire_time) of a CachedContent can change.",
        ),
        (
            "",
            {"contents": [{"parts": [{"text": "other"}]}], "ttl": "5s"},
            "Only the expiration (ttl or expire_time) of a CachedContent can change.",
        ),
    ],
)
def test_patches_that_are_refused(
    simulator: Simulator, query: str, body: dict[str, Any], message: str
) -> None:
    name = create(simulator).name
    response = raw(simulator, "PATCH", f"/v1beta/{name}{query}", json=body)
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


def test_a_patch_may_name_what_it_changes(simulator: Simulator) -> None:
    name = create(simulator).name
    response = raw(
        simulator, "PATCH", f"/v1beta/{name}?updateMask=expire_time,ttl", json={"ttl": "5s"}
    )
    assert response.status_code == 200


# --- a call that builds on a cache ------------------------------------------------------------


def test_a_call_reads_the_cache(simulator: Simulator) -> None:
    image = types.Part.from_bytes(data=b"1", mime_type="image/png")
    cache = create(simulator, contents=[LONG, image], system_instruction="Be brief.")
    with client_of(simulator) as client:
        response = client.models.generate_content(
            model=MODEL, contents="hello", config={"cached_content": cache.name}
        )
    cached = LONG_TOKENS + 258 + 7
    assert response.text == "hello"
    assert response.usage_metadata is not None
    assert response.usage_metadata.model_dump(mode="json", exclude_none=True) == {
        "prompt_token_count": cached + 6,
        "candidates_token_count": 2,
        "total_token_count": cached + 8,
        "cached_content_token_count": cached,
        "prompt_tokens_details": [
            {"modality": "TEXT", "token_count": cached - 258 + 6},
            {"modality": "IMAGE", "token_count": 258},
        ],
        "cache_tokens_details": [
            {"modality": "TEXT", "token_count": cached - 258},
            {"modality": "IMAGE", "token_count": 258},
        ],
    }
    (record,) = simulator.books.records
    assert record.usage.input_tokens == cached + 6
    assert record.usage.cached_input_tokens == cached


def test_an_uploaded_file_is_cached(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        file = client.files.upload(
            file=io.BytesIO(LONG.encode()), config={"mime_type": "text/plain"}
        )
    cache = create(simulator, contents=[file])
    assert cache.usage_metadata == types.CachedContentUsageMetadata(total_token_count=LONG_TOKENS)


def test_a_cache_is_for_one_model(simulator: Simulator) -> None:
    cache = create(simulator)
    with client_of(simulator) as client, pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(
            model="gemini-2.5-pro", contents="hello", config={"cached_content": cache.name}
        )
    assert raised.value.code == 400
    assert raised.value.message == (
        "Model used by GenerateContent request (models/gemini-2.5-pro) and CachedContent "
        f"(models/{MODEL}) has to be the same."
    )


@pytest.mark.parametrize(
    "beside",
    [
        {"system_instruction": "Be long."},
        {"tools": [{"function_declarations": [{"name": "f"}]}]},
        {"tool_config": {"function_calling_config": {"mode": "NONE"}}},
    ],
)
def test_what_belongs_into_a_cache_cannot_stand_beside_it(
    simulator: Simulator, beside: dict[str, Any]
) -> None:
    cache = create(simulator)
    with client_of(simulator) as client, pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(
            model=MODEL,
            contents="hello",
            config=types.GenerateContentConfig(cached_content=cache.name, **beside),
        )
    assert raised.value.code == 400
    assert "move those values to CachedContent" in str(raised.value.message)


def test_the_tools_of_a_cache_are_the_calls(simulator: Simulator) -> None:
    cache = create(
        simulator,
        tools=[{"function_declarations": [{"name": "f"}]}],
        tool_config={"function_calling_config": {"mode": "ANY"}},
    )
    with client_of(simulator) as client:
        response = client.models.generate_content(
            model=MODEL,
            contents="hello",
            config={
                "cached_content": cache.name,
                "automatic_function_calling": {"disable": True},
            },
        )
    assert [call.name for call in response.function_calls or []] == ["f"]


# --- lists ------------------------------------------------------------------------------------


@covers("gemini", LIST, "caches.list")
def test_lists_come_newest_first_and_page_by_page(simulator: Simulator) -> None:
    made = [create(simulator, display_name=str(number)) for number in range(5)]
    with client_of(simulator) as client:
        pages = client.caches.list(config={"page_size": 2})
        assert len(pages.page) == 2
        assert list(pages) == made[::-1]


def test_what_is_made_meanwhile_moves_no_page(simulator: Simulator) -> None:
    made = [create(simulator) for _ in range(3)]
    with client_of(simulator) as client:
        pages = client.caches.list(config={"page_size": 2})
        create(simulator)
        assert list(pages) == made[::-1]


def test_a_stale_list_leaves_out_what_is_new(simulator: Simulator) -> None:
    simulator.add_fault(fault("stale_list", seconds=30))
    create(simulator)
    with client_of(simulator) as client:
        assert list(client.caches.list()) == []
        simulator.advance(31)
        assert len(list(client.caches.list())) == 1


def test_a_create_whose_answer_is_lost_makes_a_cache(simulator: Simulator) -> None:
    simulator.add_fault(fault("dropped", operation="cachedContents.create", calls=(1,)))
    retries = types.HttpRetryOptions(attempts=2, initial_delay=0, jitter=0)
    with client_of(simulator, retry_options=retries) as client:
        with pytest.raises(Exception, match="reset"):
            client.caches.create(model=MODEL, config={"contents": LONG})
        client.caches.create(model=MODEL, config={"contents": LONG})
        assert len(list(client.caches.list())) == 2
