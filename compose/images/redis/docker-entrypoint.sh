#!/bin/sh
# The official image's contract: a first argument that is an option or a .conf file is for redis-server; as root, chown
# the data and go on as redis; and a server without a configuration is not protected, so that others reach it.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
if [ "$1" = redis-server ]; then
    shift
    case "$1" in
    *.conf) file=$1 && shift && set -- redis-server "$file" --protected-mode no "$@" ;;
    *) set -- redis-server --protected-mode no "$@" ;;
    esac
fi
exec "$@"
