"""What the words and figures of the page mean, at its end."""

from collections.abc import Iterator
from typing import Final

_WORDS: Final = (
    ("noise", "How often baseline and control, which run the same code, show the difference too."),
    (
        "e-value",
        "The evidence that the branch differs more often than noise explains; 1 is none. A finding is called different "
        "so that at most alpha of all such findings of the report are false, however often the report is read.",
    ),
    (
        "excess",
        "How much more often the branch shows it than the control, and at most how much.",
    ),
    ("expected", "The difference was declared in microstax.yaml: it is no failure, and there has to be one."),
    ("undecided", "There is too little traffic to call it different or the same; about how much more is said with it."),
    (
        "not comparable",
        "No control measured the noise, so that nobody can tell whether such a value differs by itself.",
    ),
    ("distinct requests", "Requests with the same method, path, query, body and weighty headers count once."),
    ("intervals", "In parentheses, or below a figure: they hold at every reading of the report, not only at one."),
    ("spikes", "Requests that only one side answered far later than usual."),
)


def words() -> Iterator[str]:
    """Yield a folded list of words with what they mean."""
    yield '<details id="words"><summary>What the words mean</summary><dl>'
    yield from (f"<div><dt>{word}</dt><dd>{meaning}</dd></div>" for word, meaning in _WORDS)
    yield "</dl></details>"
