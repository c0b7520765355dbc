"""What tests of pages in a real browser share: it is up, and its texts can be read."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

# Of each text, the contrast with what is behind it, by WCAG 2.2: 4.5 at least.
CONTRASTS = """() => {
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = parts(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || ["SCRIPT", "NOSCRIPT", "STYLE"].includes(node.tagName)) continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${node.tagName}.${node.className}: ${ratio.toFixed(2)}`);
  }
  return [...poor];
}"""


def wait_for(url: str, log: Any) -> None:
    """Wait until Chromium answers on its DevTools port; ``log`` gives its last lines."""
    deadline, again, last = time.monotonic() + 30, threading.Event(), ""
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/json/version", timeout=5).ok:
                return
        except requests.RequestException as error:
            last = str(error)
        again.wait(0.05)
    pytest.fail(f"Chromium did not come up within 30 s: {last}; {log()}")
