"""Run a device under the Unix port: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json"""

# Small, because what is compiled here stays in the heap; the rest may come compiled.
import sys

HOME = __file__[: -len("sim/main.py")] or "./"
# The application of the source tree is what the cable would have brought.
sys.path[:0] = [HOME[:-1], HOME + "boot"]

from sim.power import main

if __name__ == "__main__":
    sys.exit(main())
