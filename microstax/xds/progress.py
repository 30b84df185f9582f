"""How far a client has come with one type: the status that people see, and the counters behind it. Pure."""

from dataclasses import dataclass

from microstax.xds.holding import Holding
from microstax.xds.messages import Nack


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeStatus:
    """One type on one stream.

    `applied` is true if the client has ACKed exactly what it should have; `held` are the names that wait for a
    cluster's ACK, for a removal's turn, or for other content after a NACK; `refused` are those of the last kind.
    The counters are those of the stream.
    """

    type_url: str
    version_sent: str
    version_acked: str
    nack: Nack | None
    applied: bool
    held: tuple[str, ...]
    refused: tuple[str, ...]
    responses: int
    resources: int
    acks: int
    nacks: int


@dataclass(slots=True)
class Counters:
    """What was said about one type on one stream, and the last refusal that still stands."""

    responses: int = 0
    resources: int = 0
    acks: int = 0
    nacks: int = 0
    nack: Nack | None = None

    def status(self, holding: Holding, *, served: bool) -> TypeStatus:
        """Return the status of a type; `served` says whether there is a snapshot to be applied at all."""
        return TypeStatus(
            type_url=holding.type_url,
            version_sent=holding.version_sent,
            version_acked=holding.version_acked,
            nack=self.nack,
            applied=holding.settled and holding.pending is None and served,
            held=tuple(sorted(holding.frozen)),
            refused=holding.refusals,
            responses=self.responses,
            resources=self.resources,
            acks=self.acks,
            nacks=self.nacks,
        )
