"""What a client holds of one type, what is on its way, and what it has refused.

Pure. `client` is the truth as far as the client has confirmed it; a response changes it only when its ACK arrives, so
nothing here ever assumes that an unconfirmed resource is in force.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from microstax.xds.resources import Resource
from microstax.xds.subscription import Subscription

_NAME_CHARACTERS: Final = r"[\w.\-/:]"


@dataclass(frozen=True, slots=True)
class Claim:
    """A resource that a reconnecting client says it has, in a version that the server does not know."""

    version: str


Held: TypeAlias = Resource | Claim | None
"""None: the client has been told that the resource does not exist."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A response that is neither ACKed nor NACKed yet; a change to None is a removal."""

    nonce: str
    version: str
    changes: Mapping[str, Resource | None]


@dataclass(slots=True)
class Holding:
    """The state of one type on one stream."""

    type_url: str
    subscription: Subscription
    client: dict[str, Held] = field(default_factory=dict)
    pending: Pending | None = None
    refused: dict[str, tuple[str, int]] = field(default_factory=dict)  # name -> (version, group)
    refused_removals: set[str] = field(default_factory=set)  # told again only beside something new
    resend: set[str] = field(default_factory=set)  # to be sent even if the client has them
    owed: bool = False  # an answer is due even if it is empty
    claimed_version: str = ""  # what a reconnecting state-of-the-world client said
    held_since: dict[str, float] = field(default_factory=dict)  # removals that wait, and since when
    frozen: frozenset[str] = frozenset()  # names left as the client has them, as of the last look
    settled: bool = False  # the last look found nothing to do and nothing to wait for
    last_nonce: str = ""
    version_sent: str = ""
    version_acked: str = ""
    heartbeat_at: float | None = None
    groups: int = 0

    @property
    def refusals(self) -> tuple[str, ...]:
        """The names that a NACK keeps from what they should be, sorted."""
        return tuple(sorted({*self.refused, *self.refused_removals})) if self.refused or self.refused_removals else ()

    @property
    def active(self) -> bool:
        """Whether the client has asked for this type at all."""
        return self.subscription.seen

    def holds(self, name: str) -> bool:
        """Whether the client has confirmed that it has this resource, in any version."""
        return self.client.get(name) is not None

    def version_of(self, name: str) -> str | None:
        """Return the version that the client has confirmed; None if it has none."""
        held = self.client.get(name)
        return None if held is None else held.version

    def sent_version(self, name: str) -> str | None:
        """Return the version that was sent last, confirmed or not."""
        if self.pending is not None and name in self.pending.changes:
            change = self.pending.changes[name]
            return None if change is None else change.version
        return self.version_of(name)

    def in_force(self) -> Iterable[Resource]:
        """Return all resources that the client may be using: confirmed ones, and those on their way."""
        yield from (held for held in self.client.values() if isinstance(held, Resource))
        if self.pending is not None:
            yield from (change for change in self.pending.changes.values() if change is not None)

    def forget(self, name: str) -> None:
        """Drop what is known about a name that the client no longer asks for."""
        self.client.pop(name, None)
        self.refused.pop(name, None)
        self.refused_removals.discard(name)
        self.held_since.pop(name, None)
        self.resend.discard(name)

    def forget_uncovered(self) -> None:
        """Drop every name that the subscription does not cover any more."""
        for name in [n for n in {*self.client, *self.refused, *self.resend} if not self.subscription.covers(n)]:
            self.forget(name)

    def acknowledge(self) -> str:
        """Apply the pending response to what the client holds; return its version."""
        pending, self.pending = self.pending, None
        if pending is None:
            raise ValueError("there is no response to acknowledge")
        for name, change in pending.changes.items():
            self._apply(name, change)
            self.refused_removals.discard(name)
        self.version_acked = pending.version
        self.settled = False
        return pending.version

    def _apply(self, name: str, change: Resource | None) -> None:
        # A name that was asked for stays known as missing; one that only "*" brought in is simply gone.
        if change is None and name not in self.subscription.names:
            self.client.pop(name, None)
        elif self.subscription.covers(name):
            self.client[name] = change

    def refuse(self, error: str) -> tuple[str, ...]:
        """Note a NACK: what it covers stays as it was until its content changes. Returns the refused names.

        A client may have applied a part of the response (gRPC A46; Envoy does for clusters and listeners). If its
        message names some of the resources, only those are refused, and the others are sent again without them.
        """
        pending, self.pending = self.pending, None
        if pending is None:
            raise ValueError("there is no response to refuse")
        sent = {name: change for name, change in pending.changes.items() if change is not None}
        blamed = [name for name in sent if _names(error, name)] or list(sent)
        self.groups += 1
        for name in blamed:
            self.refused[name] = (sent[name].version, self.groups)
        for name in pending.changes.keys() - sent.keys():
            if self.holds(name):
                self.refused_removals.add(name)
            else:
                self._apply(name, None)
        self.settled = False
        return tuple(sorted(blamed))

    def lift_refusals(self, target: Mapping[str, Resource]) -> None:
        """Allow refused resources to be sent again as soon as one of their response has other content."""
        groups = {
            group for name, (version, group) in self.refused.items()
            if name not in target or target[name].version != version
        }  # fmt: skip
        if groups:
            self.refused = {name: entry for name, entry in self.refused.items() if entry[1] not in groups}
        self.refused_removals -= target.keys()


def _names(error: str, name: str) -> bool:
    """Return whether an error message mentions a resource by its whole name."""
    return re.search(rf"(?<!{_NAME_CHARACTERS}){re.escape(name)}(?![\w\-/])", error) is not None
