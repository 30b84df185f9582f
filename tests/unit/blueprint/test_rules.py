"""microstax.yaml: what people write, and what they are told when it is wrong."""

import string
from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from microstax.blueprint.rules import MAX_LENGTH, MAX_RULES, RuleFile, parse_rules
from microstax.errors import InvalidFileError, MicrostaxError
from microstax.model.ignore import KINDS, ExpectedChange, IgnoreRule

MEANT = "reason: why, owner: me"


def parse(text: str) -> RuleFile:
    return parse_rules(text, file="microstax.yaml")


def problem(text: str) -> str:
    """Return what is said about a wrong file, without its name."""
    with pytest.raises(InvalidFileError) as caught:
        parse(text)
    assert caught.value.file == "microstax.yaml"
    return caught.value.message.removeprefix("microstax.yaml, ")


def test_a_whole_file() -> None:
    text = """\
ignore:
  - service: catalog
    endpoint: GET /products/{id}
    path: $.generated_at
    kind: value
    reason: a timestamp of the answer   # and a comment
    owner: team-catalog
    expires: 2027-03-01
    signature: [value time>time]
  - {path: x-served-*, reason: "names a server", owner: ops, expires: never}
expect:
  - service: catalog
    endpoint: GET /products/{id}
    path: $.discount
    kind: extra
    reason: the feature itself
    owner: team-catalog
"""
    where = {"service": "catalog", "endpoint": "GET /products/{id}"}
    assert parse(text) == RuleFile(
        ignore=(
            IgnoreRule(
                **where,
                path="$.generated_at",
                kind="value",
                reason="a timestamp of the answer",
                owner="team-catalog",
                expires=date(2027, 3, 1),
                signature=("value time>time",),
                origin="microstax.yaml:2",
            ),
            IgnoreRule(path="x-served-*", reason="names a server", owner="ops", origin="microstax.yaml:10"),
        ),
        expect=(
            ExpectedChange(
                **where,
                path="$.discount",
                kind="extra",
                reason="the feature itself",
                owner="team-catalog",
                origin="microstax.yaml:12",
            ),
        ),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "ignore:\nexpect: []\n", "ignore: []"])
def test_a_file_may_say_nothing(text: str) -> None:
    assert parse(text) == RuleFile()


def test_an_expired_rule_is_no_mistake_in_the_file() -> None:
    """It is the report that names it: a pipeline must not break on the morning after."""
    [rule] = parse(f"ignore: [{{path: $.a, {MEANT}, expires: 1999-12-31}}]").ignore
    assert rule.is_expired(date(2000, 1, 1))
    assert not rule.is_expired(date(1999, 12, 31))


def test_words_that_yaml_reads_as_something_else_stay_words() -> None:
    [rule] = parse("ignore: [{service: on, path: $.a, reason: 1.10, owner: 2024-01-01, expires: never}]").ignore
    assert (rule.service, rule.reason, rule.owner, rule.expires) == ("on", "1.10", "2024-01-01", None)


WRONG = [
    ("ignore: 3", "line 1: ignore: ignore must be a list, not '3'."),
    ("- a", "the file must be a map of 'name: value', not a list."),
    ("ignroe: []", "line 1: unknown field 'ignroe', did you mean 'ignore'?"),
    ("ignore:\n- {pth: $.a}", "line 2: ignore[0]: unknown field 'pth', did you mean 'path'?"),
    ("ignore:\n- {path: $.a}", "line 2: ignore[0]: 'reason' is missing: why this may differ."),
    ("ignore:\n- {path: $.a, reason: why}", "line 2: ignore[0]: 'owner' is missing: who to ask about it."),
    (
        "ignore:\n- {path: $.a, reason: ' ', owner: a}",
        "line 2: ignore[0].reason: reason is empty: why this may differ.",
    ),
    ("ignore:\n- {path: $.a, reason: a, owner: ''}", "line 2: ignore[0].owner: owner is empty: write a value."),
    (
        f"ignore:\n- {{path: $.a, {MEANT}}}",
        "'expires' is missing: the last day of this rule, like 2027-03-01, or never.",
    ),
    (
        "ignore:\n- path: $.a\n  expires: soon\n  reason: why\n  owner: me",
        "line 3: ignore[0].expires: 'soon' is no day: write it like 2027-03-01, or never.",
    ),
    (f"ignore: [{{path: $.a, {MEANT}, expires: 2027-02-30}}]", "There is no day 2027-02-30"),
    (f"ignore: [{{path: $.a, {MEANT}, expires: 20270301}}]", "'20270301' is no day"),
    (f"ignore: [{{{MEANT}, expires: never}}]", "ignore[0]: a rule that means everything: name a service, an endpoint"),
    (f"ignore: [{{service: '*', path: '$.**', {MEANT}, expires: never}}]", "a rule that means everything"),
    (f"ignore: [{{path: '**', {MEANT}, expires: never}}]", "a rule that means everything"),
    (f"expect: [{{endpoint: '*', {MEANT}}}]", "expect[0]: an expected change that means everything"),
    ("ignore:\n- kind: vlaue\n  path: $.a", "line 2: ignore[0].kind: There is no kind of difference 'vlaue'"),
    ("ignore: [{path: '$.a[0]'}]", "ignore[0].path: Path '$.a[0]' is wrong at character 4"),
    ("ignore: [{path: 'a/b'}]", "ignore[0].path: 'a/b' is neither a path"),
    (
        "ignore: [{path: '$.**.a.**.b.**.c.**'}]",
        "ignore[0].path: Path '$.**.a.**.b.**.c.**' has more than 3 '.**'",
    ),
    ("ignore: [{path: [a]}]", "ignore[0].path: path must be a word or a text, not a list."),
    ("ignore: [{path: ''}]", "ignore[0].path: path is empty"),
    ("ignore: ['$.a']", "ignore[0]: a rule must be a map of 'name: value', not '$.a'."),
    (f"ignore: [{{path: $.a, {MEANT}, expires: never, signature: value}}]", "signature must be a list, not 'value'."),
    (
        f"ignore: [{{path: $.a, reason: {'x' * 1001}, owner: me}}]",
        "reason has 1,001 characters, and 1,000 are the most.",
    ),
    (f"expect:\n- {{path: $.a, {MEANT}, expires: never}}", "expect[0]: unknown field 'expires'"),
    ("ignore: [{path: $.a", "this is not YAML"),
    (
        "ignore:\n- {endpoint: GET /products/{id}, path: $.a}",
        "line 2: there is a brace in a text: put the text in quotes.",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    assert said in problem(text)


def test_two_entries_for_the_same_are_one_too_many() -> None:
    first = f"ignore:\n- {{path: $.a, {MEANT}, expires: never}}\n"
    assert problem(f"{first}- {{path: '$[\"a\"]', {MEANT}, expires: never}}\n") == (
        "line 3: ignore[1]: a rule for what is ignored in line 2 already: remove one of them."
    )
    assert problem(f"{first}expect:\n- {{path: $.a, {MEANT}}}\n") == (
        "line 4: expect[0]: an expected change for what is ignored in line 2 already: remove one of them."
    )
    assert len(parse(f"{first}- {{path: $.a, kind: value, {MEANT}, expires: never}}\n").ignore) == 2


def test_there_are_limits() -> None:
    many = "".join(f"- {{path: $.a{number}, reason: w, owner: m, expires: never}}\n" for number in range(MAX_RULES + 1))
    assert "these are 1,001 entries, and 1,000 are the most" in problem(f"ignore:\n{many}")
    ways = ", ".join(f"w{number}" for number in range(101))
    said = problem(f"ignore: [{{path: $.a, {MEANT}, expires: never, signature: [{ways}]}}]")
    assert "these are 101 ways, and 100 are the most" in said


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40
).filter(str.strip)
NAMES = st.text(string.ascii_letters, min_size=1, max_size=10)
RULES = st.builds(
    lambda **fields: {name: value for name, value in fields.items() if value is not None},
    service=st.none() | NAMES,
    endpoint=st.none() | TEXTS,
    path=NAMES.map("$.{}".format),
    kind=st.none() | st.sampled_from(KINDS),
    reason=TEXTS,
    owner=TEXTS,
    expires=st.dates() | st.just("never"),
    signature=st.lists(TEXTS, max_size=3, unique=True),
)


@given(rules=st.lists(RULES, max_size=5, unique_by=lambda rule: rule["path"]))
@settings(max_examples=60, deadline=None)
def test_what_yaml_writes_is_read(rules: list[dict[str, object]]) -> None:
    read = parse(yaml.safe_dump({"ignore": rules}, allow_unicode=True, width=10_000)).ignore
    assert [rule.path for rule in read] == [rule["path"] for rule in rules]
    assert [rule.reason for rule in read] == [rule["reason"] for rule in rules]
    assert [rule.expires or "never" for rule in read] == [rule["expires"] for rule in rules]
    assert [rule.signature for rule in read] == [tuple(rule["signature"]) for rule in rules]  # type: ignore[arg-type]


WORDS = st.sampled_from(
    [
        *("ignore:", "expect:", "- ", "\n", "  ", "{", "}", "[", "]", ", ", "'", "|", "&a ", "*a", "<<: ", "!!x "),
        *("\0", "\t"),
        *("path: ", "$.a", "kind: ", "value", "reason: w", "owner: me", "expires: ", "never", "2027-02-30"),
    ]
)  # fmt: skip


@given(text=st.text(max_size=200) | st.lists(WORDS, max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_rules_or_a_sentence(text: str) -> None:
    try:
        found = parse(text)
    except MicrostaxError as error:
        said = error.message
    else:
        said = "microstax.yaml"
        assert all(len(rule.reason) <= MAX_LENGTH for rule in found.ignore)
    assert said.startswith("microstax.yaml")
