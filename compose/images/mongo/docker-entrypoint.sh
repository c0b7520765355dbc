#!/bin/sh
# As the official image's: arguments alone are mongod's, root becomes mongodb, and mongod listens on every address unless
# it is told otherwise. mongod itself makes the root user of MONGO_INITDB_ROOT_USERNAME.
set -eu
# The first process of a container does not get a signal that it has no handler for.
trap 'exit 143' TERM

case "${1-}" in
  -*) set -- mongod "$@" ;;
esac

if [ "$1" = mongod ]; then
  if [ "$(id -u)" = 0 ]; then
    find /data/db /data/configdb ! -user mongodb -exec chown mongodb {} +
    # mongod has no handler yet when it starts; tini passes the signal on.
    exec setpriv --reuid=mongodb --regid=mongodb --clear-groups tini -- "$0" "$@"
  fi
  case " $* " in
    *" --bind_ip"*) ;;
    *) set -- "$@" --bind_ip_all ;;
  esac
fi

exec "$@"
