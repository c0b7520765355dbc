#!/bin/sh
# The official image's contract: as root, seed and chown the content folder, then go on as node.
set -e
case "$*" in
node*current/index.js*)
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$GHOST_CONTENT"
        find "$GHOST_CONTENT" \! -user node -exec chown node:node '{}' +
        exec setpriv --reuid=node --regid=node --init-groups "$0" "$@"
    fi
    for source in "$GHOST_INSTALL"/content.orig/*; do
        target="$GHOST_CONTENT/$(basename "$source")"
        [ -e "$target" ] || cp -R "$source" "$target"
    done
    ;;
esac
exec "$@"
