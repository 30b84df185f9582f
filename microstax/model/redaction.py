"""What must never be kept in clear text, as a user says it. The key that makes the hashes is not part of it."""

import re
import warnings
from dataclasses import dataclass
from typing import Final

from microstax.errors import UsageError
from microstax.model.paths import parse_path
from microstax.model.pattern_cost import TooCostlyError, cost_of

MAX_PATTERN: Final = 1_000
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionRules:
    """Which values become hashes, beside the headers that always do (microstax.capture.redaction).

    headers: names, any case, of requests, responses and trailers.
    json_paths: places in JSON bodies, in the grammar of `microstax.model.paths` without wildcards; all below goes.
    parameters: names of query and form parameters.
    patterns: regular expressions over header values, paths and bodies; what the groups match goes, without a group
        the whole match. A text that a pattern could be busy with for long goes as a whole.
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
    """Return `pattern` if it is a regular expression that does not match everywhere, in bounded time.

    Raises UsageError.
    """
    shown = repr(pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}...")
    if len(pattern) > MAX_PATTERN:
        raise UsageError(f"redaction pattern {shown} has more than {MAX_PATTERN} characters: make several of it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what may mean something else to the next Python
            compiled = re.compile(pattern)
        cost_of(pattern)
    except TooCostlyError as error:
        raise UsageError(
            f"redaction pattern {shown} could be busy for hours with a text that somebody makes for it: {error}; "
            "repeat one class of characters instead, such as [\\w.-]+."
        ) from error
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise UsageError(f"redaction pattern {shown} is no regular expression: {error}.") from error
    if compiled.match(""):
        raise UsageError(f"redaction pattern {shown} matches the empty text: let it match at least one character.")
    return pattern
