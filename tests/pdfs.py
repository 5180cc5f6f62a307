"""PDFs as writers make them: plain, and with their objects packed."""

from __future__ import annotations

import zlib


def plain_pdf(pages: int, start: int = 1) -> bytes:
    """Return a PDF of empty pages, without its table of places; `start` is its first object."""
    kids = " ".join(f"{start + 2 + n} 0 R" for n in range(pages))
    objects = [
        f"<< /Type /Catalog /Pages {start + 1} 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
        *[f"<< /Type /Page /Parent {start + 1} 0 R /MediaBox [0 0 9 9] >>"] * pages,
    ]
    body = "".join(f"{start + n} 0 obj\n{each}\nendobj\n" for n, each in enumerate(objects))
    return f"%PDF-1.4\n{body}trailer << /Root {start} 0 R >>\n%%EOF\n".encode()


def packed_pdf(pages: int) -> bytes:
    """Return a PDF whose catalogue and page tree stand in a compressed stream of objects."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} >>".encode(),
    ]
    places = f"1 0 2 {len(objects[0]) + 1} ".encode()
    stream = zlib.compress(places + b" ".join(objects))
    head = f"/Type /ObjStm /N 2 /First {len(places)} /Filter /FlateDecode /Length {len(stream)}"
    return (
        b"%PDF-1.5\n3 0 obj\n<< " + head.encode() + b" >>\nstream\n" + stream + b"\nendstream\n"
        b"endobj\n4 0 obj\n<< /Type /XRef /Root 1 0 R >>\nstream\n\nendstream\nendobj\n%%EOF\n"
    )
