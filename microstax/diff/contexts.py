"""Which requests are the same input: one bug behind one hot request is one finding, not a thousand."""

from microstax.diff.hashes import hash64
from microstax.diff.rules import Rules
from microstax.model.exchange import Request


def context_of(request: Request, rules: Rules) -> int:
    """Return a 64-bit hash of the input: method, path, query names and values in any order, body, headers that matter.

    The path's ids count as inputs (`/products/1` and `/products/2` are two), so that the hash does not depend on what
    has been learned about templates so far, and hashes of different workers agree.
    """
    path, _, query = request.path.partition("?")
    if "&" in query:
        query = "&".join(sorted(query.split("&")))
    matter = rules.context_headers
    headers = sorted([f"{name}:{value}" for name, value in request.headers if name in matter])
    text = "\n".join((request.method, path, query, *headers, ""))
    return hash64(text.encode("utf-8", "surrogatepass") + request.body)
