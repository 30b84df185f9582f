"""Header mutations: what is added and taken away around a request, as one filter configuration each."""

from collections.abc import Iterable

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption, HeaderValueOptionHeaderAppendAction
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute, Mutations
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)

from microstax.envoy import names

_OVERWRITE = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD


def removed(name: str) -> HeaderMutation:
    """Take a header away."""
    return HeaderMutation(remove=name)


def value(name: str, text: str) -> HeaderValueOption:
    """Give a header one value, whatever it had; `text` may hold Envoy's format commands, and nothing is set if it is empty."""
    return HeaderValueOption(header=HeaderValue(key=name, value=text), append_action=_OVERWRITE)


def overwritten(name: str, text: str) -> list[HeaderMutation]:
    """Take away what a client may have sent by that name (also twice), and set our own value."""
    return [removed(name), HeaderMutation(append=value(name, text))]


def early() -> EarlyHeaderMutation:
    """Save, before Envoy touches the headers, what it takes away or adds, and drop what a client forged."""
    mutations = [removed(name) for name in names.REQUEST_HEADERS]
    saved = {
        names.CHUNKED_HEADER: "%REQ(transfer-encoding)%",
        names.PROTO_HEADER: "%REQ(x-forwarded-proto)%",
        names.FORWARDED_HEADER: "%REQ(x-forwarded-for)%",
    }
    mutations += [HeaderMutation(append=value(name, text)) for name, text in saved.items()]
    return EarlyHeaderMutation(mutations=mutations)


def exchange(side: str) -> HeaderMutationFilter:
    """Name a mirrored request for the tap, and keep the mark of a local reply from the client."""
    added = {
        names.EXCHANGE_HEADER: "%UNIQUE_ID%",
        names.SIDE_HEADER: side,
        names.PROTOCOL_HEADER: "%PROTOCOL%",
    }
    return HeaderMutationFilter(
        mutations=Mutations(
            request_mutations=[HeaderMutation(append=value(name, text)) for name, text in added.items()],
            response_mutations=[removed(names.LOCAL_HEADER)],
        )
    )


def restored(name: str, saved: str) -> list[HeaderMutation]:
    """Give a header back the value that the client sent, saved in another; none if the client sent none."""
    return [removed(name), HeaderMutation(append=value(name, f"%REQ({saved})%"))]


def strip(*, restore_forwarded_for: bool) -> HeaderMutationFilter:
    """Leave on a request what the client sent; keep LOCAL_HEADER ours by taking it from real answers."""
    mutations = restored("x-forwarded-proto", names.PROTO_HEADER)
    if restore_forwarded_for:
        mutations += restored("x-forwarded-for", names.FORWARDED_HEADER)
    mutations += [removed(name) for name in names.REQUEST_HEADERS]
    return HeaderMutationFilter(
        mutations=Mutations(request_mutations=mutations, response_mutations=[removed(names.LOCAL_HEADER)])
    )


def strip_only(headers: Iterable[str]) -> HeaderMutationFilter:
    """Take request headers away."""
    return HeaderMutationFilter(mutations=Mutations(request_mutations=[removed(name) for name in headers]))


def without_length() -> HeaderMutationPerRoute:
    """Take away the content-length that the buffer filter sets where the client sent none."""
    return HeaderMutationPerRoute(mutations=Mutations(request_mutations=[removed("content-length")]))


def side(text: str) -> HeaderMutationFilter:
    """Say whose copy a request is."""
    return HeaderMutationFilter(mutations=Mutations(request_mutations=overwritten(names.SIDE_HEADER, text)))
