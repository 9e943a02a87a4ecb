"""Run a device under the Unix port: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json"""

import json
import sys
import time

sys.path.insert(0, __file__[: -len("sim/main.py")] or ".")

from lib.start import run
from sim.board import Board

PAUSE_S = {"reboot": 0, "crash": 2}


def main() -> int:
    """Run the device of the configuration file; a reboot or a crash begins it anew, as a watchdog would."""
    if len(sys.argv) != 2:
        print("usage: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json")
        return 2
    with open(sys.argv[1]) as file:
        config = json.load(file)
    cause = "power"
    while True:
        board = Board(config, cause)
        cause = run(config, board)
        board.close()
        time.sleep(PAUSE_S[cause])


if __name__ == "__main__":
    sys.exit(main())
