#!/bin/sh
# Usage: setup.sh PYTHON VENV. Makes the environment with plain pip; run again, it does only what is missing.
set -eu
python=$1 venv=$2
wanted=$(cat pyproject.toml constraints.txt | sha256sum)
[ "$(cat "$venv/.ready" 2>/dev/null)" = "$wanted" ] && { touch "$venv/.ready"; exit 0; }
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "kindex needs Python 3.11; $python is $("$python" --version 2>&1). Run: make PYTHON=/path/to/python3.11 ..." >&2
    exit 2
}
echo "setting up $venv (about 2 GB; a few minutes the first time)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
# torch first and pinned: resolved together with the rest, a range of somebody else's could bring its CUDA build
"$venv/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
"$venv/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
"$venv/bin/python" -m tasks.stores
printf '%s\n' "$wanted" > "$venv/.ready"
