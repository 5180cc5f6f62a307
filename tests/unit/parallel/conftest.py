"""Virtual time for all tests of this folder, and an eye on the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ...virtual import StrictLoop, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run async tests on strict virtual time."""
    return "asyncio", {"loop_factory": StrictLoop}


@pytest.fixture(autouse=True)
async def watch(anyio_backend: object) -> AsyncIterator[Watch]:
    """Fail a test that loses an exception or leaks a task."""
    watching = Watch()
    yield watching
    await watching.check()
