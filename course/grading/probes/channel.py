"""Messages between the grader and the one process that a submission lives in: JSON, arrays as their bytes.

Both ends use this file. The grader's end trusts nothing: a message is bounded, an array has one of a few types, its
strings are whole characters, and whatever else arrives is :class:`Garbled`.
"""

import base64
import json
import math
import struct
from typing import Any

import numpy as np

HEAD = struct.Struct(">I")
MOST_MESSAGE = 48 << 20
TYPES = ("float32", "float64", "int64", "bool")
ARRAY = "array"


class Garbled(ValueError):
    """What arrived is no message."""


def packed(message: dict[str, Any]) -> bytes:
    """Return a message as it travels."""
    body = json.dumps(message, default=array_as_text, ensure_ascii=True).encode()
    return HEAD.pack(len(body)) + body


def array_as_text(value: Any) -> Any:
    """Return an array, or what can be made one, as JSON knows it."""
    array = np.asarray(value)
    if array.dtype.name not in TYPES:
        array = array.astype(np.float64)
    raw = np.ascontiguousarray(array).tobytes()
    return {ARRAY: [array.dtype.name, list(array.shape), base64.b64encode(raw).decode()]}


def unpacked(body: bytes) -> dict[str, Any]:
    """Return the message that these bytes are.

    Raises:
        Garbled: they are none.
    """
    try:
        message = json.loads(whole_characters(body), object_hook=array_of)
    except (ValueError, RecursionError, TypeError) as error:
        raise Garbled("it is not JSON") from error
    if not isinstance(message, dict):
        raise Garbled("it is no object")
    return message


def whole_characters(body: bytes) -> str:
    """Return JSON without halves of characters (lone surrogates), which no file and no terminal takes."""
    text = body.decode()
    if "\\ud" not in text.lower():
        return text
    text = json.dumps(json.loads(text), ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def array_of(value: dict[str, Any]) -> Any:
    if set(value) != {ARRAY}:
        return value
    content = value[ARRAY]
    if not isinstance(content, list) or len(content) != 3 or content[0] not in TYPES:
        raise Garbled("an array is not in order")
    name, shape, text = content
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape) or len(shape) > 8:
        raise Garbled("an array has no shape")
    raw = base64.b64decode(text, validate=True)
    if len(raw) != math.prod(shape) * np.dtype(name).itemsize:
        raise Garbled("an array has another size than it says")
    return np.frombuffer(raw, name).reshape(shape).copy()


class Stream:
    """Put messages together from the bytes that arrive."""

    def __init__(self, most: int = MOST_MESSAGE) -> None:
        self.buffer = bytearray()
        self.most = most

    def feed(self, chunk: bytes) -> None:
        """Take bytes.

        Raises:
            Garbled: a message is announced that is larger than any may be.
        """
        self.buffer += chunk
        if len(self.buffer) >= HEAD.size and HEAD.unpack_from(self.buffer)[0] > self.most:
            raise Garbled(f"it sent a message of more than {self.most >> 20} MB")

    def next(self) -> dict[str, Any] | None:
        """Return the next message, None where it is not there as a whole."""
        if len(self.buffer) < HEAD.size:
            return None
        end = HEAD.size + HEAD.unpack_from(self.buffer)[0]
        if len(self.buffer) < end:
            return None
        body = bytes(self.buffer[HEAD.size : end])
        del self.buffer[:end]
        return unpacked(body)
