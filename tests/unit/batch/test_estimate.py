"""What a batch would cost, told without a call."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from tests.pdfs import packed_pdf, plain_pdf

from batch_llm.base import Message, PricedModel, TokenUsage
from batch_llm.base.request import FilePart, ImagePart, TextPart
from batch_llm.batch import Batch, BatchEstimate, MockProvider, ProviderRegistry
from batch_llm.exceptions import MissingKeyError
from batch_llm.pricing import cost_usd, estimate_tokens
from batch_llm.providers import AnthropicBatchClient, BatchClient, OpenAIBatchClient

TEXT = "A question of some length, ünd mit Umlauten."
PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


def batch() -> Batch:
    openai = OpenAIBatchClient(base_url="http://127.0.0.1:9/v1", api_key="k")
    anthropic = AnthropicBatchClient(base_url="http://127.0.0.1:9", api_key="k")
    made = Batch(clients={"openai": openai, "anthropic": anthropic})
    return made.defaults(model="gpt-4o-mini", max_tokens=100)


def dry(of: Batch) -> BatchEstimate:
    return of.run(dry_run=True)


def test_the_low_end_is_the_texts_and_one_token_of_answer() -> None:
    found = dry(batch().add_job("a", prompt=TEXT).add_job("b", prompt=TEXT))
    model = found.models["openai:gpt-4o-mini"]
    assert (model.jobs, model.batches) == (2, 1)
    assert model.input_tokens == 2 * estimate_tokens(TEXT)
    one = TokenUsage(input_tokens=estimate_tokens(TEXT), output_tokens=1)
    assert model.low_usd == pytest.approx(
        2 * (cost_usd(PricedModel("openai", "gpt-4o-mini"), one, lane="batch") or 0)
    )
    assert model.low_usd < (model.most_usd or 0)
    assert (found.low_usd, found.most_usd) == (model.low_usd, model.most_usd)


def test_a_text_that_is_embedded_has_no_answer() -> None:
    found = dry(batch().add_job("a", text=TEXT, model="text-embedding-3-small"))
    usage = TokenUsage(input_tokens=estimate_tokens(TEXT))
    priced = PricedModel("openai", "text-embedding-3-small")
    assert found.low_usd == pytest.approx(cost_usd(priced, usage, lane="batch"))


def test_live_prices_are_told_apart() -> None:
    of = batch().add_job("a", text=TEXT, model="text-embedding-3-small")
    embeds, chats = dry(of.add_job("b", prompt=TEXT)).models.values()
    assert (embeds.is_at_live_prices, chats.is_at_live_prices) == (True, False)
    assert str(embeds).endswith("USD (at live prices: none of batches is listed)")
    assert str(chats).endswith(" USD")


def test_pages_and_images_are_counted_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(plain_pdf(3))
    (tmp_path / "b.png").write_bytes(PNG)
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    packed = base64.b64encode(packed_pdf(4)).decode()
    parts = (
        FilePart(url=f"data:application/pdf;base64,{packed}"),
        FilePart(url="https://example.org/unseen.pdf"),
        ImagePart(data=PNG, media_type="image/png"),
        TextPart(TEXT),
    )
    of = batch()
    for name in ("a.pdf", "b.png", "c.pdf"):
        of.add_job(name, file=tmp_path / name, prompt=TEXT)
    of.add_job("parts", messages=[Message("user", parts)], model="claude-haiku-4-5")
    found = dry(of)
    files, other = found.models.values()
    assert (files.pdfs, files.pdf_pages, files.uncounted_pdfs, files.images) == (2, 3, 1, 1)
    assert (other.pdfs, other.pdf_pages, other.uncounted_pdfs, other.images) == (2, 4, 1, 1)
    assert (found.pdf_pages, found.images) == (7, 2)
    assert other.input_tokens == estimate_tokens(TEXT)


def test_the_text_of_a_document_counts_as_text(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(TEXT * 50, encoding="utf-8")
    model = "claude-haiku-4-5"
    cited = batch().add_job("a", file=file, prompt="p", enable_citations=True, model=model)
    plain = batch().add_job("a", file=file, prompt="p", model=model)
    low, high = sorted((dry(cited).low_usd or 0, dry(plain).low_usd or 0))
    assert high <= low * 1.1


def test_what_is_not_known_is_not_zero() -> None:
    found = dry(batch().add_job("a", prompt=TEXT).add_job("b", prompt=TEXT, model="openai:new"))
    assert (found.low_usd, found.most_usd) == (None, None)
    assert found.models["openai:new"].most_usd is None
    assert "1 job in 1 batch" in str(found.models["openai:new"]).replace(",", "")
    assert str(found).endswith("2 jobs in all: an unknown sum")


def test_it_reads_as_a_table(tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(plain_pdf(3))
    of = batch().add_job("a", file=file, prompt=TEXT).add_job("b", prompt=TEXT)
    of.add_jobs([{"id": "c", "text": None}], "{text}")
    gone: Any = tmp_path / "gone.txt"
    gone.write_text("x")
    of.add_job("gone", file=gone, prompt=TEXT)
    gone.unlink()
    lines = str(dry(of)).splitlines()
    assert lines[0].startswith("openai:gpt-4o-mini: 2 jobs, in 1 batch, about ")
    assert "1 PDF (3 pages)" in lines[0]
    assert re.search(r": 0\.0{5}\d{3} USD to 0\.0\d+ USD$", lines[0]), "small sums are no zeros"
    assert lines[1].startswith("2 jobs in all: 0.0")
    assert lines[2].startswith("1 job cannot be sent: gone: file ")
    assert lines[3] == "1 row made no job"


KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")


def test_it_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = (
        Batch()
        .add_job("a", prompt="hello", model="gpt-4.1-nano", max_tokens=20)
        .add_job("b", prompt="hello", model="claude-haiku-4-5", max_tokens=20)
        .add_job("c", text="hello", model="gemini-embedding-001")
    )
    for name in KEYS:
        monkeypatch.setenv(name, "a-key")
    with_keys = batch.run(dry_run=True)
    for name in KEYS:
        monkeypatch.delenv(name)
    ProviderRegistry._made.clear()
    assert batch.run(dry_run=True) == with_keys
    assert with_keys.jobs == 3
    assert with_keys.most_usd
    with pytest.raises(MissingKeyError):
        batch.run(wait=True)


def test_a_provider_of_the_users_own_that_lacks_its_key_is_told() -> None:
    class Keyless(MockProvider):
        def open_client(self) -> BatchClient:
            raise MissingKeyError("Mine needs a key.")

    provider = Keyless()
    ProviderRegistry.register(provider)
    try:
        batch = Batch().add_job("a", prompt="hello", model=f"{provider.name}:m", max_tokens=20)
        with pytest.raises(MissingKeyError, match="Mine"):
            batch.run(dry_run=True)
    finally:
        ProviderRegistry.unregister(provider.name)
