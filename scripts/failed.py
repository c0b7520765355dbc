"""How many tests failed in the last run; exit 1 where none did, or more than the number that is given."""

import json
import sys
from pathlib import Path

most = int(sys.argv[1])
file = Path(".pytest_cache/v/cache/lastfailed")
failed = list(json.loads(file.read_text())) if file.exists() else []
print(f"{len(failed)} failed in a run of all", *failed, sep="\n  ")
if not failed:
    sys.exit("nothing says which: the run itself did not end well")
if len(failed) > most:
    sys.exit(f"more than {most}: these are no accidents")
