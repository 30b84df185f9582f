"""Header mutations: what is added and taken away around a request, as one filter configuration each.

How the two halves of a pair find each other: a tap writes its trace when a stream is over, from the header maps as they
are then, and by then the request's map is what the application got. So nothing that is stripped before the application
can stand in a trace. On a copy, whose answer nobody reads, we say in a response header whose it is. On the baseline
nothing can be said in either map, but the trace has the client's address and the time at which the tap saw the request.
Two filters, right before and right after the tap, write the time as well and send both with the copy. One connection is
served by one thread, and the three run one after the other, so on a connection those windows are disjoint and exactly
one holds the baseline's time.
"""

from typing import Final

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    SubstitutionFormatString,
)
from envoy_data_plane.envoy.extensions.filters.common.set_filter_state.v3 import FilterStateValue
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute, Mutations
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state.v3 import Config as SetFilterState
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from microstax.envoy import names

_NOW: Final = "%EMIT_TIME(%s%9f)%"
_OVERWRITE = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD


def removed(name: str) -> HeaderMutation:
    """Take a header away."""
    return HeaderMutation(remove=name)


def value(name: str, text: str) -> HeaderValueOption:
    """Give a header one value, whatever it had; nothing is set if `text` (with Envoy's format commands) is empty."""
    return HeaderValueOption(header=HeaderValue(key=name, value=text), append_action=_OVERWRITE)


def ours() -> HeaderMutation:
    """Take away every header that could be ours, in one pass over the headers."""
    return HeaderMutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=names.PREFIX)))


def early() -> EarlyHeaderMutation:
    """Save, before Envoy touches the headers, what it takes away or adds; over what a client may have forged.

    Every request pays for this, so what the client did not send is saved as an empty text instead of being removed.
    """
    saved = {
        names.CHUNKED_HEADER: "%REQ(transfer-encoding)%",
        names.PROTO_HEADER: "%REQ(x-forwarded-proto)%",
        names.FORWARDED_HEADER: "%REQ(x-forwarded-for)%",
    }
    mutations = [HeaderMutation(append=value(name, text)) for name, text in saved.items()]
    for mutation in mutations:
        if mutation.append:
            mutation.append.keep_empty_value = True
    return EarlyHeaderMutation(mutations=mutations)


def opening() -> HeaderMutationFilter:
    """Before the tap: give a mirrored request its id, and say whose it is and when the tap had not seen it yet."""
    added = {
        names.EXCHANGE_HEADER: f"%UNIQUE_ID%;%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%;{_NOW}",
        names.PROTOCOL_HEADER: "%PROTOCOL%",
    }
    return _added(added)


def closing() -> HeaderMutationFilter:
    """After the tap: say when the tap had seen the request."""
    return _added({names.UNTIL_HEADER: _NOW})


def keep() -> SetFilterState:
    """On a copy, before the router: keep what our headers say, since they are gone when the tap writes its trace."""
    told = f"%REQ({names.SIDE_HEADER})%;%REQ({names.EXCHANGE_HEADER})%;%REQ({names.UNTIL_HEADER})%"
    text = SubstitutionFormatString(text_format_source=DataSource(inline_string=told))
    state = FilterStateValue(object_key=names.COPY_STATE, factory_key="envoy.string", format_string=text)
    return SetFilterState(on_request_headers=[state])


def tell() -> HeaderMutationFilter:
    """On a copy's answer, which nobody but the tap reads: say whose answer it is."""
    told = value(names.COPY_HEADER, f"%FILTER_STATE({names.COPY_STATE}:PLAIN)%")
    return HeaderMutationFilter(mutations=Mutations(response_mutations=[HeaderMutation(append=told)]))


def _added(headers: dict[str, str]) -> HeaderMutationFilter:
    mutations = [HeaderMutation(append=value(name, text)) for name, text in headers.items()]
    return HeaderMutationFilter(mutations=Mutations(request_mutations=mutations))


def restored(name: str, saved: str) -> list[HeaderMutation]:
    """Give a header back the value that the client sent, saved in another; none if the client sent none."""
    return [removed(name), HeaderMutation(append=value(name, f"%REQ({saved})%"))]


def strip(*, restore_forwarded_for: bool, lacking: tuple[str, ...] = ()) -> HeaderMutationFilter:
    """Leave on a request what the client sent; take from real answers what would look like a mark of ours.

    A copy does not even carry the headers that are `lacking`.
    """
    mutations = restored("x-forwarded-proto", names.PROTO_HEADER)
    if restore_forwarded_for:
        mutations += restored("x-forwarded-for", names.FORWARDED_HEADER)
    return HeaderMutationFilter(
        mutations=Mutations(request_mutations=[*mutations, ours(), *map(removed, lacking)], response_mutations=[ours()])
    )


def without_length() -> HeaderMutationPerRoute:
    """Take away the content-length that the buffer filter sets where the client sent none."""
    return HeaderMutationPerRoute(mutations=Mutations(request_mutations=[removed("content-length")]))


def side(text: str) -> HeaderMutationFilter:
    """Say whose copy a request is."""
    return _added({names.SIDE_HEADER: text})
