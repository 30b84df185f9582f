"""Replace fields of forms that are sent in parts (multipart/form-data, RFC 7578) by hashes. No I/O."""

import re
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import unquote

Hash = Callable[[bytes], str]
KIND: Final = "multipart/form-data"
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_NAME: Final = re.compile(rb'[;\s]name=(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_HEAD_ENDS: Final = b"\r\n\r\n"


def redact_parts(body: bytes, content_type: str, parameters: Collection[str], hash_of: Hash) -> bytes:
    """Return the form with the content of the parts called as a parameter hashed.

    `content_type` is the header's value in its own letters. What has no boundary cannot be looked into, and becomes a
    hash as a whole.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        return hash_of(body).encode()
    delimiter = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    return delimiter.join(_part(part, parameters, hash_of) for part in body.split(delimiter))


def _part(part: bytes, parameters: Collection[str], hash_of: Hash) -> bytes:
    head, ends, content = part.partition(_HEAD_ENDS)
    if not ends or _name(head) not in parameters:
        return part
    rest = b"\r\n" if content.endswith(b"\r\n") else b""  # belongs to the next delimiter
    value = content.removesuffix(b"\r\n")
    return head + ends + (hash_of(value).encode() if value else value) + rest


def _name(head: bytes) -> str | None:
    found = _NAME.search(head)
    return None if found is None else unquote((found[1] or found[2] or b"").decode(errors="replace"))
