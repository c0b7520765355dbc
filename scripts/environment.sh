#!/bin/sh
# Makes the virtual environment: exactly what requirements.lock names, and this package, editable.
# Usage: environment.sh PYTHON FOLDER UV_VERSION
set -eu
python=$1
folder=$2
uv=$3

fail() {
    echo "error: $1" >&2
    echo "next: $2" >&2
    exit 2
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$python is not Python 3.11 or later" "make PYTHON=python3.12 (whatever this machine has)"
if [ ! -x "$folder/bin/python" ]; then
    "$python" -m venv "$folder" 2>/dev/null ||
        fail "$python cannot make a virtual environment" "apt-get install python3-venv"
fi
begun=$(date +%s)
echo "installing the pinned packages into $folder" >&2
"$folder/bin/pip" install --quiet --disable-pip-version-check "uv==$uv"
# uv does not read pip's configuration: hand over the index that this machine uses, where it has one.
index=$("$folder/bin/pip" config get global.index-url 2>/dev/null || true)
if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --requirement requirements.lock
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --no-deps --no-build-isolation --editable .
echo "installed in $(($(date +%s) - begun)) s" >&2
