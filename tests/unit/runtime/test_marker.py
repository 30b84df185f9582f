"""Markers, keys and digests."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microstax.model.environment import LOOPBACK, Address, HealthCheck
from microstax.runtime.launch import find_program, process_environ
from microstax.runtime.marker import check_key, marker_variables, parse_key, spec_digest
from microstax.runtime.port import ProcessKey, ProcessRole, ProcessSpec

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
KEYS = st.builds(ProcessKey, NAMES, NAMES, st.sampled_from(ProcessRole))
KEY = ProcessKey("production", "catalog")


@given(KEYS)
def test_a_key_is_read_as_it_was_written(key: ProcessKey) -> None:
    check_key(key)
    assert parse_key(str(key)) == key


@pytest.mark.parametrize("text", ["", "catalog", "/catalog", "production/"])
def test_other_text_is_no_key(text: str) -> None:
    assert parse_key(text) is None


@pytest.mark.parametrize("part", ["", "..", "a/b", "a b", ".hidden", "a\0"])
def test_a_key_that_cannot_be_a_file_name_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="not usable"):
        check_key(ProcessKey("production", part))
    with pytest.raises(ValueError, match="not usable"):
        check_key(ProcessKey(part, "catalog"))


def test_a_digest_tells_what_runs_and_not_how_it_is_watched() -> None:
    spec = ProcessSpec(key=KEY, command=("a", "b"), environ={"X": "1", "Y": "2"})
    same = ProcessSpec(key=KEY, command=("a", "b"), environ={"Y": "2", "X": "1"}, health=HealthCheck(path="/x"))
    assert spec_digest(spec) == spec_digest(same)
    for other in (
        ProcessSpec(key=KEY, command=("a b",), environ=spec.environ),
        ProcessSpec(key=KEY, command=spec.command, environ={"X": "1"}),
        ProcessSpec(key=KEY, command=spec.command, environ=spec.environ, workdir="/"),
        ProcessSpec(key=KEY, command=spec.command, environ=spec.environ, address=Address(LOOPBACK, 1)),
    ):
        assert spec_digest(other) != spec_digest(spec)


def test_a_process_gets_our_environment_its_port_and_the_markers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "yes")
    monkeypatch.setenv("PORT", "1")
    spec = ProcessSpec(key=KEY, command=("a",), environ={"X": "1"}, address=Address(LOOPBACK, 4321))
    environ = process_environ(spec, state=Path("/state"))
    assert environ["FROM_OUTSIDE"] == "yes"
    assert (environ["PORT"], environ["X"]) == ("4321", "1")
    assert marker_variables(spec, state=Path("/state")).items() <= environ.items()


def test_a_program_is_looked_for_in_the_services_own_path(tmp_path: Path) -> None:
    program = tmp_path / "serve"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    spec = ProcessSpec(key=KEY, command=("serve",))
    assert find_program(spec, "serve", {"PATH": f"{tmp_path}:{os.defpath}"}) == str(program)
    there = ProcessSpec(key=KEY, command=("./serve",), workdir=str(tmp_path))
    assert find_program(there, "./serve", {}) == str(program)
