#!/bin/sh
export PYTHONPATH=/usr/local/lib/mongod
exec python3 -m mongod "$@"
