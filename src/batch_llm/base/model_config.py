"""What a model of a provider can do."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..exceptions import ConfigurationError


@dataclass(slots=True)
class ModelConfig:
    """What a model can do in a Batch API.

    Args:
        name: as the provider names it.
        max_input_tokens: of one request.
        max_output_tokens: of one answer, reasoning included.
        batch_discount: the share of the live price that a batch saves, as the provider says: 0.5 is
            half of it. Costs are by the price list, which need not have a price of batches.
        supports_images: whether it sees images.
        supports_files: whether it reads files of `file_types`.
        supports_citations: whether it tells which passages an answer rests on.
        supports_structured_output: whether it keeps to a schema.
        file_types: suffixes with their dots, such as ".pdf".

    Raises:
        ConfigurationError: for a value that cannot be.
    """

    name: str
    max_input_tokens: int
    max_output_tokens: int
    batch_discount: float = 0.5
    supports_images: bool = False
    supports_files: bool = False
    supports_citations: bool = False
    supports_structured_output: bool = True
    file_types: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigurationError(f"ModelConfig.name is a model's name, not {self.name!r}.")
        for limit in ("max_input_tokens", "max_output_tokens"):
            if getattr(self, limit) < 1:
                raise ConfigurationError(
                    f"ModelConfig.{limit} is 1 or more, not {getattr(self, limit)!r}."
                )
        if not 0 <= self.batch_discount <= 1:
            raise ConfigurationError(
                f"ModelConfig.batch_discount is a share from 0 to 1, not {self.batch_discount!r}."
            )
        self.file_types = [_suffix(suffix) for suffix in self.file_types]

    def reads(self, suffix: str) -> bool:
        """Return whether it reads files of this suffix, such as ".pdf"."""
        return self.supports_files and _suffix(suffix) in self.file_types


def _suffix(suffix: str) -> str:
    lower = suffix.lower()
    return lower if lower.startswith(".") else f".{lower}"
