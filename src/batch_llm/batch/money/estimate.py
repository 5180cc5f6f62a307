"""What a batch would cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...base import PricedModel, TokenUsage
from ...base.job_file import PDF
from ...base.request import FilePart, ImagePart
from ...base.usd_text import usd_text
from ...exceptions import MissingKeyError
from ...llm_strategies.token_bounds import expected_tokens
from ...pricing import cost_usd, estimate_tokens, lacks_batch_price
from ...providers.registry import find_route
from ...wire.embedding import EmbeddingText
from ...wire.inline_data import inline_data
from ..chunks.drafts import drafts_of
from ..jobs.job_book import JobBook
from ..jobs.pdf_pages import count_pages
from ..seam.clients import Clients
from ..seam.provider_registry import ProviderRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ...base import Job
    from ...base.request import LLMRequest
    from ...providers import BatchClient
    from ..chunks.drafts import EnqueuedTokens


@dataclass(slots=True)
class ModelEstimate:
    """What the jobs of one model would be.

    Attributes:
        jobs: of the model.
        batches: remote batches that they make.
        input_tokens: that their texts have, as `estimate_tokens` guesses; those of PDFs and images
            come on top.
        most_input_tokens: that they can have together: a bound, not a guess.
        pdfs: files, and parts of messages, that are PDFs.
        pdf_pages: pages of those whose pages can be counted.
        uncounted_pdfs: PDFs whose pages cannot be: encrypted or broken ones, and addresses.
        images: files, and parts of messages, that are images.
        low_usd: what they cost if each text has as many tokens as is guessed, none of them read
            from a cache, and each answer one; None where no price is known.
        most_usd: what they can cost together; None where nothing bounds it or no price is known.
        is_at_live_prices: whether these are sums at live prices, for no price of batches is listed:
            the provider may bill half of them.
    """

    jobs: int = 0
    batches: int = 0
    input_tokens: int = 0
    most_input_tokens: int = 0
    pdfs: int = 0
    pdf_pages: int = 0
    uncounted_pdfs: int = 0
    images: int = 0
    low_usd: float | None = 0.0
    most_usd: float | None = 0.0
    is_at_live_prices: bool = False

    def __str__(self) -> str:
        """Return a line for people."""
        said = [_count(self.jobs, "job"), f"in {_count(self.batches, 'batch', 'batches')}"]
        said += [f"about {self.input_tokens:,} input tokens of text"]
        if self.pdfs:
            unknown = f", {self.uncounted_pdfs} not counted" if self.uncounted_pdfs else ""
            said.append(f"{_count(self.pdfs, 'PDF')} ({_count(self.pdf_pages, 'page')}{unknown})")
        if self.images:
            said.append(_count(self.images, "image"))
        prices = " (at live prices: none of batches is listed)" if self.is_at_live_prices else ""
        return f"{', '.join(said)}: {_range(self.low_usd, self.most_usd)}{prices}"


@dataclass(slots=True)
class BatchEstimate:
    """What a batch would cost, at the prices of Batch APIs as far as they are listed.

    As text it is a table for people.

    Attributes:
        models: by "PROVIDER:MODEL".
        refused: why jobs cannot be sent, by id.
        refused_rows: rows of which no job could be made.
    """

    models: dict[str, ModelEstimate] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    refused_rows: int = 0

    @property
    def jobs(self) -> int:
        """Jobs that can be sent."""
        return sum(each.jobs for each in self.models.values())

    @property
    def pdf_pages(self) -> int:
        """Pages of all PDFs whose pages can be counted."""
        return sum(each.pdf_pages for each in self.models.values())

    @property
    def images(self) -> int:
        """Images of all jobs."""
        return sum(each.images for each in self.models.values())

    @property
    def low_usd(self) -> float | None:
        """What all cost at the low end; None where that of one model is not known."""
        return _sum(each.low_usd for each in self.models.values())

    @property
    def most_usd(self) -> float | None:
        """What all can cost together; None where that of one model is not known."""
        return _sum(each.most_usd for each in self.models.values())

    def __str__(self) -> str:
        """Return a line for each model, and one for all."""
        lines = [f"{name}: {model}" for name, model in self.models.items()]
        sums = _range(self.low_usd, self.most_usd)
        lines.append(f"{_count(self.jobs, 'job')} in all: {sums}")
        if self.refused:
            first, why = next(iter(self.refused.items()))
            why = why.removeprefix(f"Job {first!r}: ")
            lines.append(f"{_count(len(self.refused), 'job')} cannot be sent: {first}: {why}")
        if self.refused_rows:
            lines.append(f"{_count(self.refused_rows, 'row')} made no job")
        return "\n".join(lines)


def estimate(
    jobs: Sequence[Job],
    clients: Mapping[str, BatchClient],
    items_per_batch: int | None = None,
    refused_rows: int = 0,
    max_enqueued_tokens: EnqueuedTokens = lambda _provider, _model: None,
) -> BatchEstimate:
    """Return what jobs would cost; nothing is sent, no key is needed, and files are read.

    Raises:
        ConfigurationError: for a model that no provider is known for, or a client that cannot be
            made.
    """
    found = BatchEstimate(refused_rows=refused_rows)
    clients = {**clients, **_keyless(jobs, clients)}
    book, refuse = JobBook(jobs, None, clients), found.refused.__setitem__
    job_ids, client = [job.id for job in jobs], book.clients.client
    for draft in drafts_of(job_ids, book, client, refuse, items_per_batch, max_enqueued_tokens):
        chunk, most = draft.chunk, draft.reserved_usd
        model = found.models.setdefault(f"{chunk.provider}:{chunk.model}", ModelEstimate())
        model.jobs += len(chunk.job_ids)
        model.batches += 1
        model.most_input_tokens += draft.most_input_tokens
        model.most_usd = _sum((model.most_usd, most))
        priced = PricedModel(client(chunk.provider).provider, chunk.model)
        for job_id in chunk.job_ids:
            _add(model, book.line(book.job(job_id)).request, priced)
        model.is_at_live_prices = lacks_batch_price(priced)
    return found


def _keyless(jobs: Sequence[Job], given: Mapping[str, BatchClient]) -> dict[str, BatchClient]:
    """Return clients that measure, in place of the built-in ones whose key is not there."""
    from ...providers.keyless import open_keyless

    found: dict[str, BatchClient] = {}
    clients = Clients(given)
    for model in {job.model: None for job in jobs}:
        try:
            clients.client(clients.route(model).provider)
        except MissingKeyError:
            if ProviderRegistry.registered_for(model) is not None:
                raise  # a provider of the user's own, which nothing can stand in for
            provider = find_route(model).provider
            found[provider] = open_keyless(provider)
    return found


def _add(model: ModelEstimate, request: LLMRequest | EmbeddingText, priced: PricedModel) -> None:
    """Count what is in one request."""
    if isinstance(request, EmbeddingText):
        tokens, answered = estimate_tokens(request.text), 0
    else:
        tokens, answered = expected_tokens(request), 1
        for part in _parts(request):
            tokens += _add_part(model, part)
    model.input_tokens += tokens
    # A request always has input, if only the markup around it.
    usage = TokenUsage(input_tokens=max(1, tokens), output_tokens=answered)
    model.low_usd = _sum((model.low_usd, cost_usd(priced, usage, lane="batch")))


def _parts(request: LLMRequest) -> Iterator[ImagePart | FilePart]:
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, (ImagePart, FilePart)):
                yield part


def _add_part(model: ModelEstimate, part: ImagePart | FilePart) -> int:
    """Count an image or a file; return the tokens of its text, where it has one."""
    if isinstance(part, ImagePart):
        model.images += 1
        return 0
    inline = inline_data(part)
    media_type = part.media_type if inline is None else inline.media_type
    if inline is not None and inline.media_type.startswith("text/"):
        return estimate_tokens(inline.data.decode("utf-8", "replace"))
    if media_type in (PDF, None):
        pages = None if inline is None else count_pages(inline.data)
        model.pdfs += 1
        model.pdf_pages += pages or 0
        model.uncounted_pdfs += pages is None
    return 0


def _sum(amounts: Iterable[float | None]) -> float | None:
    """Return the sum; None where one of the amounts is not known."""
    found = list(amounts)
    known = [amount for amount in found if amount is not None]
    return sum(known) if len(known) == len(found) else None


def _range(low_usd: float | None, most_usd: float | None) -> str:
    if low_usd is None and most_usd is None:
        return _usd(None)
    return f"{_usd(low_usd)} to {_usd(most_usd)}"


def _usd(amount: float | None) -> str:
    return "an unknown sum" if amount is None else usd_text(amount)


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
