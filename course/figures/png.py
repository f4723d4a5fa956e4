"""The fingerprint inside a PNG: got out of bytes that nobody vouches for, with bounded memory."""

import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any

KEYWORD = "figure-fingerprint"
VERSION = 1  # of the form in which fingerprints are written
MAX_PNG = 64 << 20
MAX_COMPRESSED = 1 << 20
MAX_JSON = 4 << 20


class FigureError(ValueError):
    """A PNG or the fingerprint in it cannot be used; the message says why."""


def read_fingerprint(png: bytes) -> dict[str, Any] | None:
    """Return the fingerprint in a PNG, None where there is none; for bytes from anywhere: memory stays bounded.

    Raises:
        FigureError: no PNG, one that is cut short, damaged or too large, or a fingerprint in a form that this
            project does not write.
    """
    bodies = [body for kind, body in _chunks(png) if kind in (b"tEXt", b"zTXt", b"iTXt") and _is_ours(body)]
    if not bodies:
        return None
    if len(bodies) > 1:
        raise FigureError(f"the PNG holds {len(bodies)} fingerprints, expected one: save the figure again with show")
    return _parse(_inflate(bodies[0]))


def _chunks(png: bytes, *, every: bool = False) -> Iterable[tuple[bytes, memoryview]]:
    if len(png) > MAX_PNG:
        raise FigureError(f"the PNG has {len(png):,} bytes, expected at most {MAX_PNG:,}: save a smaller figure")
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        raise FigureError(f"expected a PNG, got {len(png):,} bytes that begin otherwise: save the figure with show")
    view, at = memoryview(png), 8
    while at < len(png):
        if len(png) - at < 12:
            break
        length, kind = struct.unpack(">I4s", view[at : at + 8])
        if length > len(png) - at - 12:
            break
        body = view[at + 8 : at + 8 + length]
        if every or kind.endswith(b"Xt"):  # else pictures stay where they are
            (crc,) = struct.unpack(">I", view[at + 8 + length : at + 12 + length])
            if crc != zlib.crc32(body, zlib.crc32(kind)):
                raise FigureError(f"a {kind.decode('latin-1')} chunk of the PNG is damaged: save the figure again")
            yield kind, body
        if kind == b"IEND":
            return
        at += 12 + length
    raise FigureError("the PNG is cut short, its last chunk is missing: save the figure again")


def same_pixels(png: bytes) -> bytes:
    """Return what of a PNG is the same for the same picture: its size and its pixels as stored, without any text.

    Raises:
        FigureError: no PNG, or one that is cut short, or damaged.
    """
    return b"".join(bytes(body) for kind, body in _chunks(png, every=True) if kind in (b"IHDR", b"PLTE", b"IDAT"))


def _is_ours(body: memoryview) -> bool:
    return bytes(body[: len(KEYWORD) + 1]) == KEYWORD.encode() + b"\0"


def _inflate(body: memoryview) -> bytes:
    packed = body[len(KEYWORD) + 2 :]
    if len(packed) > MAX_COMPRESSED:
        raise FigureError(
            f"the fingerprint has {len(packed):,} compressed bytes, expected at most {MAX_COMPRESSED:,}: "
            "draw fewer artists, or rasterize them into an image"
        )
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, MAX_JSON + 1)
    except zlib.error as error:
        raise FigureError(f"the fingerprint cannot be unpacked ({error}): save the figure again with show") from error
    if len(text) > MAX_JSON:
        raise FigureError(f"the fingerprint unpacks to more than {MAX_JSON:,} bytes, which no figure of ours does")
    if not inflater.eof:
        raise FigureError("the fingerprint is cut short: save the figure again with show")
    return text


def _parse(text: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number")

    try:
        parsed = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise FigureError(f"the fingerprint is not JSON ({str(error)[:80]}): save the figure again") from error
    if not isinstance(parsed, dict) or parsed.get("version") != VERSION or not isinstance(parsed.get("name"), str):
        raise FigureError(f"the fingerprint is not one of version {VERSION} with a name: save the figure again")
    return parsed
