"""Draws docs/simulate.svg: a rolling deploy that runs here, beside its prediction. Needs an engine, and half a minute.

Run in the repository: ``python docs/simulate.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sandbox.report.rolling_deploy_plot import draw
from tests.controllers.rolling_site import SPEED, compare

PICTURE = Path(__file__).with_name("simulate.svg")


def main() -> None:
    """Run, predict, draw."""
    both = compare("auto")
    measured = [((at - both.begun) * SPEED, share) for at, share in both.shares(both.begun, both.ended)]
    PICTURE.write_text(draw(both.predicted, measured))
    mixed = both.share(*both.mixed)
    print(f"while both builds answer: measured {mixed:.1%}, predicted {both.predicted.mixed_share:.1%}")
    whole = both.share(both.begun, both.ended)
    print(f"of the whole deployment: measured {whole:.1%}, predicted {both.predicted.share:.1%}")


if __name__ == "__main__":
    main()
