"""Run a device under the Unix port: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json"""

import json
import sys

sys.path.insert(0, __file__[: -len("sim/main.py")] or ".")

from lib.start import run
from sim.board import Board


def main() -> int:
    """Run the device of the configuration file; a reboot begins it anew, anything else ends it."""
    if len(sys.argv) != 2:
        print("usage: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json")
        return 2
    with open(sys.argv[1]) as file:
        config = json.load(file)
    cause = "power"
    while cause in ("power", "reboot"):
        board = Board(config, cause)
        cause = run(config, board)
        board.close()
    print("ended:", cause)
    return 1


if __name__ == "__main__":
    sys.exit(main())
