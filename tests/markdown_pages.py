"""The pages of the documentation, as a test sees them: blocks of code, links, lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_TITLE = re.compile(r'title="(?P<title>[^"]+)"')
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: the page it stands on.
        line: the line of its first line of code, from 1.
        language: the first word behind the fence ("python", "sh", "text", …).
        title: the name of the file that it shows, or None.
        code: its text, with a line end.
        follows: whether nothing but blank lines stands between it and the block before.
    """

    page: Path
    line: int
    language: str
    title: str | None
    code: str
    follows: bool

    @property
    def shows_what_was_printed(self) -> bool:
        """Whether it is what the block before it prints."""
        return self.language == "text" and self.follows and self.title is None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return all pages that users and contributors read."""
    at_the_top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*at_the_top, *sorted((ROOT / "docs").glob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of `page`, in order."""
    return list(_blocks(page, page.read_text(encoding="utf-8").splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    start: int | None = None
    info = ""
    follows = False
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if start is None:
            if fence is None:
                follows = follows and not line.strip()
                continue
            start, info = number + 1, fence["info"].strip()
        elif fence is not None and not fence["info"].strip():
            title = _TITLE.search(info)
            yield Block(
                page=page,
                line=start,
                language=info.partition(" ")[0],
                title=title["title"] if title else None,
                code="".join(f"{text}\n" for text in lines[start - 1 : number - 1]),
                follows=follows,
            )
            start, follows = None, True
    assert start is None, f"{page.name}: the block that begins on line {start} has no end"


def prose_of(page: Path) -> str:
    """Return the page without its blocks of code."""
    kept: list[str] = []
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links_of(page: Path) -> list[str]:
    """Return the targets of all links to files and headings of this repository."""
    targets = [found["target"] for found in _LINK.finditer(prose_of(page))]
    return [target for target in targets if "://" not in target]


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of the page's headings, as GitHub makes them."""
    return {_anchor(found["text"]) for found in _HEADING.finditer(prose_of(page))}


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")
