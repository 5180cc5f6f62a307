"""The import path of a class: how what is kept names the type of an answer."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from pydantic import BaseModel


class NoClassPathError(TypeError):
    """A class cannot be found by its path. The message ends a sentence that begins with it."""


def path_of(cls: type[Any]) -> str:
    """Return "module:QualName" of a class that `class_at` gives back.

    Raises:
        NoClassPathError: if it would not.
    """
    path = f"{cls.__module__}:{cls.__qualname__}"
    if "<locals>" in cls.__qualname__:
        raise NoClassPathError("is defined inside of a function, where no later run can find it")
    if class_at(path) is not cls:
        raise NoClassPathError("is not what stands under its own name in its module")
    return path


def class_at(path: str) -> type[Any]:
    """Return the pydantic model or dataclass at a path.

    Raises:
        NoClassPathError: if there is none any longer.
    """
    module_name, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # the module is the user's, and may raise anything as it loads
        raise NoClassPathError(f"cannot be imported ({type(error).__name__})") from error
    if not is_kept_class(found):
        raise NoClassPathError("is no pydantic model or dataclass")
    return found  # type: ignore[no-any-return]  # a class, as was checked


def is_kept_class(found: object) -> bool:
    """Return whether instances of it can be kept as JSON, with its path."""
    return isinstance(found, type) and (
        issubclass(found, BaseModel) or dataclasses.is_dataclass(found)
    )
