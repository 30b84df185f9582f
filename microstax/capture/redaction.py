"""What must never leave the collector in clear text, as the control plane hands it to a worker.

A redacted value becomes `redacted:` and a hash with a key that only this installation has: equal values stay equal, so
they can be compared, and nobody can try candidates without the key.
"""

import secrets
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import msgpack

from microstax.errors import UsageError
from microstax.model.redaction import RedactionRules

DEFAULT_HEADERS: Final = ("authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key")
"""Always redacted, whatever is configured."""
KEY_BYTES: Final = 32
_MIN_KEY_BYTES: Final = 16
_MAX_KEY_BYTES: Final = 64  # of BLAKE2b, RFC 7693


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction(RedactionRules):
    """Which values become hashes: DEFAULT_HEADERS and what the user's rules name, under this installation's `key`."""

    key: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot be applied: raises UsageError, since a rule that does nothing leaks."""
        RedactionRules.__post_init__(self)
        if not _MIN_KEY_BYTES <= len(self.key) <= _MAX_KEY_BYTES:
            raise UsageError(
                f"redaction key has {len(self.key)} bytes: use {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes."
            )

    @classmethod
    def of(cls, rules: RedactionRules, *, key: bytes) -> Self:
        """Return the user's rules with a key."""
        return cls(key=key, **{one.name: getattr(rules, one.name) for one in fields(RedactionRules)})

    @classmethod
    def with_fresh_key(cls) -> Self:
        """Return the defaults under a random key."""
        return cls(key=secrets.token_bytes(KEY_BYTES))

    def to_bytes(self) -> bytes:
        """Return the msgpack form that travels in `Target.redaction`."""
        packed: bytes = msgpack.packb({one.name: getattr(self, one.name) for one in fields(self)})
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read `to_bytes`; raises UsageError. Nothing at all stands for the defaults under a random key."""
        if not data:
            return cls.with_fresh_key()
        try:
            document: Any = msgpack.unpackb(data)
            rules = {one.name: tuple(document.get(one.name, ())) for one in fields(RedactionRules)}
            return cls(key=bytes(document["key"]), **rules)
        except (ValueError, TypeError, KeyError, AttributeError, msgpack.UnpackException) as error:
            raise UsageError(
                "the redaction rules of this target are not readable: restart the control plane."
            ) from error
