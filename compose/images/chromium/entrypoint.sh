#!/bin/sh
# Chromium opens its DevTools port on its own 127.0.0.1 alone; the relay lets it be published.
socat TCP4-LISTEN:9222,fork,reuseaddr TCP4:127.0.0.1:9223 &

# --no-sandbox: Chromium's own sandbox wants user namespaces or a setuid helper, and this container is given neither; it is an
# ordinary user without capabilities instead, and opens only pages of the sandbox. --disable-dev-shm-usage: /dev/shm of
# a container is smaller than Chromium expects. The rest keeps it from asking for anything but the page.
exec chromium-headless-shell \
    --no-sandbox --disable-dev-shm-usage --disable-gpu \
    --remote-debugging-port=9223 --user-data-dir=/tmp/profile \
    --no-first-run --disable-background-networking --disable-component-update --disable-default-apps --disable-sync \
    --disable-breakpad --metrics-recording-only --mute-audio \
    about:blank
