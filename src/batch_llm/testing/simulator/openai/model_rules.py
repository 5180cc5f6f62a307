"""What a request may ask of the model that it names."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from .catalogue import EFFORTS, LISTED, facts_of, is_openai_model
from .refusal import RefusedError, not_among

if TYPE_CHECKING:
    from ..world import World
    from .catalogue import ModelFacts

_SERVICE_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast")
_SERVED_AS: Final = {"flex": "flex", "scale": "scale", "priority": "priority", "fast": "priority"}


def is_model(world: World, name: str) -> bool:
    """Return whether a name is one of the settings', or one of OpenAI's models.

    That is whatever looks like one, or with strict models what OpenAI's list names, fine-tuned
    ones included.
    """
    settings = world.settings
    if name in settings.models:
        return True
    if not settings.strict_models:
        return is_openai_model(name)
    tuned_from = name.split(":")[1] if name.startswith("ft:") else name
    return tuned_from in LISTED


def checked_model(world: World, name: str | None) -> ModelFacts:
    """Return what is known of a model.

    Raises:
        RefusedError: if no model is named, or it is none of OpenAI's nor of the settings' names.
    """
    if not name:
        raise RefusedError("you must provide a model parameter")
    if not is_model(world, name):
        raise _no_model(name)
    return facts_of(name)


def _no_model(name: str) -> RefusedError:
    """Return the error for a model that is none."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return RefusedError(message, code="model_not_found", status=404)


def check_speaks(facts: ModelFacts, name: str) -> None:
    """Refuse a model of vectors where words are asked for."""
    if facts.dimensions is not None:
        message = f"You are not allowed to sample from this model: {name} makes embeddings."
        raise RefusedError(message, param="model", status=403)


def check_effort(facts: ModelFacts, effort: str | None, param: str) -> None:
    """Refuse an effort of reasoning that the model does not know."""
    if effort is None:
        return
    if effort not in EFFORTS:
        raise not_among(param, effort, EFFORTS)
    if facts.reasoning == "never":
        raise unsupported(param)
    if facts.reasoning == "always" and effort == "none":
        message = f"Unsupported value: '{param}' does not support 'none' with this model."
        raise RefusedError(message, param=param, code="unsupported_value")


def unsupported(param: str, instead: str | None = None) -> RefusedError:
    """Return the error for a parameter that the model does not take."""
    message = f"Unsupported parameter: '{param}' is not supported with this model."
    if instead is not None:
        message += f" Use '{instead}' instead."
    return RefusedError(message, param=param, code="unsupported_parameter")


def served_tier(wanted: str | None) -> str:
    """Return the service tier that answers name.

    Raises:
        RefusedError: for a word that is no tier.
    """
    if wanted is None or wanted in ("auto", "default"):
        return "default"
    if wanted not in _SERVED_AS:
        raise not_among("service_tier", wanted, _SERVICE_TIERS)
    return _SERVED_AS[wanted]


@lru_cache(maxsize=1_024)
def fingerprint_of(facts: ModelFacts) -> str | None:
    """Return the fingerprint of the system behind a model; None for one that can reason."""
    if facts.reasoning != "never":
        return None
    return "fp_" + hashlib.blake2b(facts.snapshot.encode(), digest_size=5).hexdigest()
