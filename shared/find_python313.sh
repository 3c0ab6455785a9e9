#!/bin/sh
# Prints a Python 3.13 that has pip: the one that PYTHON313 names, else the first found. Without one it fails and says how to get it.

satisfies() { # <command>
    "$1" -I -c 'import sys, compileall, pip; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

if [ -n "${PYTHON313:-}" ]; then
    satisfies "$PYTHON313" && echo "$PYTHON313" && exit
    echo "PYTHON313=$PYTHON313 is not a Python 3.13 with pip." >&2
    exit 1
fi

pyenv_root=${PYENV_ROOT:-$HOME/.pyenv}
for python in python3.13 python3 python "$pyenv_root"/versions/3.13*/bin/python3.13 "$(uv python find 3.13 2>/dev/null)"; do
    satisfies "$python" && echo "$python" && exit
done

printf '%s\n' >&2 \
    'The layer runs on Python 3.13 in Lambda, whose bytecode that version has to make: no Python 3.13 with pip was found here.' \
    'Get it with one of these, then try again; or name it: make build PYTHON313=/path/to/python3.13' \
    '    macOS               brew install python@3.13' \
    '    Debian 13           sudo apt install python3.13 python3.13-venv python3-pip' \
    '    Fedora              sudo dnf install python3.13' \
    '    anywhere            pyenv install 3.13    or    uv python install 3.13'
exit 1
