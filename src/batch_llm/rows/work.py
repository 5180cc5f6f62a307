"""From the rows of a table to work items."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal, overload

from ..base import LLMWorkItem
from ..exceptions import ConfigurationError, InputError
from .frames import columns_of, table_rows
from .identity import IdRule
from .plan import RowPlan
from .template import FieldPath, PromptTemplate
from .unusable import UnusableRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..base import LLMCallStrategy, TOutput
    from .frames import Rows
    from .plan import Entry
    from .row import Fields


@overload
def work_items(
    rows: Rows,
    strategy: LLMCallStrategy[TOutput],
    prompt: str,
    *,
    id_field: str | None = None,
    context: Literal["row"] = "row",
) -> Iterator[LLMWorkItem[str, TOutput, Fields]]: ...


@overload
def work_items(
    rows: Rows,
    strategy: LLMCallStrategy[TOutput],
    prompt: str,
    *,
    id_field: str | None = None,
    context: Literal["number"],
) -> Iterator[LLMWorkItem[str, TOutput, int]]: ...


@overload
def work_items(
    rows: Rows,
    strategy: LLMCallStrategy[TOutput],
    prompt: str,
    *,
    id_field: str | None = None,
    context: None,
) -> Iterator[LLMWorkItem[str, TOutput, None]]: ...


def work_items(
    rows: Rows,
    strategy: LLMCallStrategy[Any],
    prompt: str,
    *,
    id_field: str | None = None,
    context: Literal["row", "number"] | None = "row",
) -> Iterator[LLMWorkItem[str, Any, Any]]:
    """Return one work item for each row of a table, made as they are asked for.

    Give it to `process_all` or `stream`:

        results = await processor.process_all(work_items(frame, strategy, "Summarise: {text}"))

    A row that makes no prompt (a field is missing, None or NaN, or holds what no prompt can) is
    yielded too: its item fails without a call, with an `InputError` that names row and field.

    Args:
        rows: an iterable of mappings, a data frame of pandas or polars, a table of pyarrow, or a
            data set of Hugging Face. It is read row by row, and not copied.
        strategy: how to call the model.
        prompt: the template; `{text}` stands for a field, `{author.name}` for one inside of it,
            `{{` and `}}` for braces. Text fills a gap as it is, any other value as JSON.
        id_field: the field that holds a row's id. Without it: "id", else "custom_id", else the
            row's number. Ids are not compared with each other.
        context: what each result brings back: "row" for the row's JSON-ready fields, of which those
            without a value are left out; "number" for its number, from 1; None for nothing.

    Raises:
        InputError: if `rows` is no source of rows, or tells that it has no such column.
        ConfigurationError: if the template, or `context`, cannot work.
    """
    if context not in ("row", "number", None):
        raise ConfigurationError(f"context is 'row', 'number' or None, not {context!r}.")
    plan = RowPlan(PromptTemplate(prompt), IdRule(id_field), keep=None if context == "row" else ())
    check_columns(columns_of(rows), plan)
    return _items(plan.entries(table_rows(rows)), strategy, context)


def _items(
    entries: Iterable[Entry],
    strategy: LLMCallStrategy[Any],
    context: Literal["row", "number"] | None,
) -> Iterator[LLMWorkItem[str, Any, Any]]:
    unusable = UnusableRows()
    for entry in entries:
        brought = entry.kept or {} if context == "row" else entry.line if context else None
        if entry.prompt is None:
            yield LLMWorkItem(entry.item_id, unusable, entry.reason or "", brought)
        else:
            yield LLMWorkItem(entry.item_id, strategy, entry.prompt, brought)


def check_columns(columns: tuple[str, ...] | None, plan: RowPlan) -> None:
    """Raise InputError for the first field that no row can have.

    Args:
        columns: the names of those that there are; None where they are not known.
        plan: what is made of each row.
    """
    if columns is None:
        return
    wanted = [*plan.template.fields]
    if plan.ids.field is not None:
        wanted.append(FieldPath(plan.ids.field))
    for path in wanted:
        column = path.name.partition(".")[0]
        if path.name not in columns and column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            there = ", ".join(map(repr, columns[:10])) + (", …" if len(columns) > 10 else "")
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {there}."
            raise InputError(f"rows has no column {path.name!r}. {hint}")
