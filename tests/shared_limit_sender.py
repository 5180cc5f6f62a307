"""Sends under a limit that others share: `KEY BASE_URL REDIS_URL NAME A_MINUTE`.

Says "ready", waits for a line, sends twice what the limit allows for three seconds, and says how
many calls succeeded.
"""

from __future__ import annotations

import sys

from batch_llm import (
    OpenAICompatibleStrategy,
    ProcessorConfig,
    SharedLimits,
    process_prompts_sync,
)


def main(key: str, base_url: str, redis_url: str, name: str, a_minute: str) -> None:
    """Send when told to."""
    limits = SharedLimits(redis_url, name, int(a_minute))
    config = ProcessorConfig(max_workers=5, shared_limits=limits, run_deadline_seconds=3)
    strategy = OpenAICompatibleStrategy("gpt-4.1-mini", base_url=base_url, api_key=key)
    prompts = [f"Question {number} of {key}?" for number in range(2 * int(a_minute))]
    print("ready", flush=True)
    sys.stdin.readline()
    print(process_prompts_sync(prompts, strategy, config=config).succeeded)


main(*sys.argv[1:])
