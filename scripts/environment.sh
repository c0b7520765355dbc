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
# Not python but pip: where Debian's python3-venv is missing, a folder is left that has the one without the other.
if [ ! -x "$folder/bin/pip" ]; then
    "$python" -m venv --clear "$folder" >/dev/null 2>&1 ||
        fail "$python cannot make a virtual environment" "apt-get install python3-venv"
fi
begun=$(date +%s)
echo "installing the pinned packages into $folder" >&2
"$folder/bin/pip" install --quiet --disable-pip-version-check "uv==$uv"

# uv does not read pip's configuration: hand over the index and the CA bundle that this machine uses, where it names any.
configured() {
    "$folder/bin/pip" config get "global.$1" 2>/dev/null || true
}
index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(configured index-url)}}
bundle=${SSL_CERT_FILE:-${PIP_CERT:-$(configured cert)}}
if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
if [ -n "$bundle" ]; then export SSL_CERT_FILE="$bundle"; fi

# Compiled now, because a read-only environment, or PYTHONDONTWRITEBYTECODE, would compile at every start.
"$folder/bin/uv" pip install --quiet --compile-bytecode --python "$folder/bin/python" --requirement requirements.lock
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --no-deps --no-build-isolation --editable .
"$folder/bin/python" -m compileall -q sandbox
echo "installed in $(($(date +%s) - begun)) s" >&2
