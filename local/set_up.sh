#!/bin/sh
# Makes .venv, or what VENV names, and installs into it what the files named as arguments list. Called by the Makefile, from the
# project's folder, when one of those files is newer than the last run. Prints to stderr only.
set -eu
exec >&2

venv=${VENV:-.venv}

minimum='sys.version_info >= (3, 11)'

fails() {
    echo
    printf '%s\n' "$@"
    exit 1
}

satisfies() { # <command> <Python expression, after import sys>
    "$1" -c "import sys; sys.exit(not ($2))" >/dev/null 2>&1
}

find_python() {
    for python in ${PYTHON:-python3 python3.15 python3.14 python3.13 python3.12 python3.11 python}; do
        if satisfies "$python" "$minimum"; then
            found=$python
            if satisfies "$python" '[__import__(name) for name in ("venv", "ensurepip")]'; then
                return
            fi
        fi
    done
    if [ -z "${found:-}" ]; then
        fails 'haimaker needs Python 3.11 or newer, and none was found.' \
            'Install it (https://www.python.org/downloads/; Debian 12, Ubuntu 24.04 and newer: sudo apt install python3 python3-venv;' \
            'macOS: brew install python), or name it: make run PYTHON=/path/to/python3'
    fi
    fails "$found is here, but not its venv module." \
        "Debian and Ubuntu have it in a package of its own: sudo apt install python3-venv   Then run make again."
}

if ! satisfies "$venv/bin/python" "$minimum and __import__('pip')"; then
    find_python
    echo "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" ||
        fails 'That failed. On Debian and Ubuntu: sudo apt install python3-venv   Then run make again.'
fi

# What a person configured for their own pip must not lead out of it.
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PIP_REQUIRE_VIRTUALENV=0
unset PIP_TARGET PIP_PREFIX PYTHONPATH PYTHONHOME

for requirements in "$@"; do
    echo "Installing $requirements (once; later runs start at once)"
    "$venv/bin/python" -m pip install --requirement "$requirements" ||
        fails "pip could not install $requirements; its reason is above." \
            'It needs a package index the first time: check the network or proxy, then run make again.'
done
