"""What must never be kept in clear text, as a user says it. The key that makes the hashes is not part of it."""

import re
from dataclasses import dataclass

from microstax.errors import UsageError
from microstax.model.paths import parse_path


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionRules:
    """Which values become hashes, beside the headers that always do (microstax.capture.redaction).

    headers: names, any case, of requests, responses and trailers.
    json_paths: places in JSON bodies, in the grammar of `microstax.model.paths` without wildcards; all below goes.
    parameters: names of query and form parameters.
    patterns: regular expressions over header values, paths and bodies; what the groups match goes, without a group
        the whole match.
    """

    headers: tuple[str, ...] = ()
    json_paths: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be applied: raises UsageError, since a rule that does nothing leaks."""
        for path in self.json_paths:
            parse_path(path)
        for pattern in self.patterns:
            check_pattern(pattern)


def check_pattern(pattern: str) -> str:
    """Return `pattern` if it is a regular expression that does not match everywhere; raises UsageError."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"redaction pattern {pattern!r} is no regular expression: {error}.") from error
    if compiled.match(""):
        raise UsageError(f"redaction pattern {pattern!r} matches the empty text: let it match at least one character.")
    return pattern
