#!/bin/sh
# Make the virtual environment $1 and install microstax with its development tools into it.
# Needs Python 3.11 or newer and nothing else; says in one sentence what is missing where it cannot go on.
set -eu
venv=$1
python=${PYTHON:-python3}

fail() { echo "setup: $*" >&2; exit 2; }

command -v "$python" >/dev/null 2>&1 || fail "no '$python' on this machine: install Python 3.11 or newer (Debian: apt-get install python3), or say make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "'$python' is $("$python" -V 2>&1), microstax needs Python 3.11 or newer: say make PYTHON=/path/to/a/newer/python3"

if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    # Debian splits ensurepip off into python3-venv; a system pip (23 or newer) can serve in its place, and root can install it.
    if ! "$python" -m ensurepip --version >/dev/null 2>&1 && ! "$python" -m pip --version >/dev/null 2>&1; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 ||
            fail "this Python has neither ensurepip nor pip: run 'apt-get install python3-venv' as root, then again"
        echo "setup: installing python3-venv" >&2
        apt-get update -qq >/dev/null 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null 2>&1 ||
            fail "'apt-get install python3-venv' failed: run it by hand to see why"
    fi
    if "$python" -m ensurepip --version >/dev/null 2>&1; then
        "$python" -m venv "$venv"
    else
        "$python" -m venv --without-pip "$venv"
        "$python" -m pip --python "$venv/bin/python" install -q pip
    fi
fi
echo "setup: installing microstax into $venv" >&2
"$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[dev]'
