"""From "MODULE:NAME", as users write it, to the object of theirs that it names."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


def load_object(place: str, module_name: str, attribute: str) -> object:
    """Return what a module holds under a name; the current directory is looked in first.

    Args:
        place: where the user wrote it, for the error: "--schema".
        module_name: with dots where it is in a package.
        attribute: with dots where it is in a class.

    Raises:
        ConfigurationError: if the module cannot be imported, or has no such name.
    """
    try:
        with _current_directory_first():
            found: object = importlib.import_module(module_name)
        for name in attribute.split("."):
            found = getattr(found, name)
    except AttributeError:
        raise ConfigurationError(
            f"{place}: the module {module_name!r} has no {attribute!r}."
        ) from None
    except Exception as error:  # the module is the user's, and may raise anything as it loads
        raise ConfigurationError(
            f"{place}: the module {module_name!r} cannot be imported: "
            f"{type(error).__name__}: {error}."
        ) from error
    return found


@contextmanager
def _current_directory_first() -> Iterator[None]:
    directory = str(Path.cwd())
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)
