"""What must never leave the collector in clear text, as the control plane hands it to a worker.

A redacted value becomes `redacted:` and a hash with a key that only this installation has: equal values stay equal, so
they can be compared, and nobody can try candidates without the key.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Any, Final, Self

import msgpack

from microstax.capture.paths import parse_path
from microstax.errors import UsageError

DEFAULT_HEADERS: Final = ("authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key")
"""Always redacted, whatever is configured."""
KEY_BYTES: Final = 32
_MIN_KEY_BYTES: Final = 16
_MAX_KEY_BYTES: Final = 64  # of BLAKE2b, RFC 7693


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Which values become hashes.

    headers: names beside DEFAULT_HEADERS, any case, of requests, responses and trailers.
    json_paths: places in JSON bodies, in the path grammar of `microstax.model.difference`; everything below goes.
    parameters: names of query and form parameters.
    patterns: regular expressions over header values, paths and bodies; what the groups match goes, without a group
        the whole match.
    """

    key: bytes
    headers: tuple[str, ...] = ()
    json_paths: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be applied: raises UsageError, since a rule that does nothing leaks."""
        if not _MIN_KEY_BYTES <= len(self.key) <= _MAX_KEY_BYTES:
            raise UsageError(
                f"redaction key has {len(self.key)} bytes: use {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes."
            )
        for path in self.json_paths:
            parse_path(path)
        for pattern in self.patterns:
            _check_pattern(pattern)

    @classmethod
    def with_fresh_key(cls) -> Self:
        """Return the defaults under a random key."""
        return cls(key=secrets.token_bytes(KEY_BYTES))

    def to_bytes(self) -> bytes:
        """Return the msgpack form that travels in `Target.redaction`."""
        packed: bytes = msgpack.packb({name: getattr(self, name) for name in self.__slots__})
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read `to_bytes`; raises UsageError. Nothing at all stands for the defaults under a random key."""
        if not data:
            return cls.with_fresh_key()
        try:
            fields: Any = msgpack.unpackb(data)
            rules = {name: tuple(fields.get(name, ())) for name in cls.__slots__ if name != "key"}
            return cls(key=bytes(fields["key"]), **rules)
        except (ValueError, TypeError, KeyError, AttributeError, msgpack.UnpackException) as error:
            raise UsageError(
                "the redaction rules of this target are not readable: restart the control plane."
            ) from error


def _check_pattern(pattern: str) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"redaction pattern {pattern!r} is no regular expression: {error}.") from error
    if compiled.match(""):
        raise UsageError(f"redaction pattern {pattern!r} matches the empty text: let it match at least one character.")
