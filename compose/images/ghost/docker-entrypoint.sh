#!/bin/sh
# The official image's contract: as root, chown the content folder and go on as node; as node, seed what is missing.
set -e
case "$*" in
node*current/index.js*)
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$GHOST_CONTENT"
        find "$GHOST_CONTENT" \! -user node -exec chown node:node '{}' +
        export HOME=/home/node
        exec setpriv --reuid=node --regid=node --init-groups "$0" "$@"
    fi
    original=$GHOST_INSTALL/content.orig
    for source in "$original"/*/ "$original"/themes/*/; do
        target=$GHOST_CONTENT/${source#"$original"/}
        if [ ! -e "${target%/}" ]; then
            mkdir -p "$(dirname "$target")"
            cp -R "${source%/}" "${target%/}"
        fi
    done
    ;;
esac
exec "$@"
