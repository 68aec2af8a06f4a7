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
echo "setting up $venv: about 2 GB, two to five minutes the first time"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
# torch first and pinned: resolved together with the rest, a range of somebody else's could bring its CUDA build
echo "  1 of 3: torch"
"$venv/bin/pip" install -qq --disable-pip-version-check -c constraints.txt torch==2.13.0
echo "  2 of 3: everything else"
"$venv/bin/pip" install -qq --disable-pip-version-check -c constraints.txt -e '.[dev,team]'
echo "  3 of 3: the local stores of Prefect and MLflow"
"$venv/bin/python" -m tasks.stores
printf '%s\n' "$wanted" > "$venv/.ready"
