"""`python -m tests.parts`: have every real part; in CI (CI=true) a part that can't be had is an error."""

import os
import sys

from tests.parts import PARTS, obtain, say


def main() -> None:
    missing = obtain(PARTS.values())
    for part in PARTS.values():
        say(f"{part.name:12} {part.find() or 'missing, its tests are skipped: ' + part.advice}")
    sys.exit(1 if missing and os.environ.get("CI") == "true" else 0)


main()
