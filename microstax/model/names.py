"""Names that a user gives to environments, overlays and services."""

import re
from typing import Final

from microstax.errors import UsageError

MAX_NAME_LENGTH: Final = 63
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def check_name(kind: str, name: str) -> str:
    """Return `name` if it is a DNS label (RFC 1123), as Kubernetes wants it; raise UsageError otherwise."""
    if len(name) <= MAX_NAME_LENGTH and _LABEL.fullmatch(name):
        return name
    raise UsageError(
        f"{kind} name {name!r} is not usable: use 1 to {MAX_NAME_LENGTH} lower-case letters, digits and '-', "
        "starting and ending with a letter or digit."
    )


def service_variable(service: str) -> str:
    """Return the prefix of a service's discovery variables, as Kubernetes makes it: `my-shop` -> `MY_SHOP`."""
    return service.upper().replace("-", "_")
