"""Run a device under the Unix port: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json"""

# Small, because what is compiled here stays in the heap; the rest may come compiled.
import sys

import vfs

# The application of the source tree is what the cable would have brought. Each module keeps its path, so that
# is as short as on a board.
home = vfs.VfsPosix(__file__[: -len("sim/main.py")] or ".")  # type: ignore[abstract]  # the stub asks for what C has
vfs.mount(home, "/w")
sys.path[:0] = ["/w", "/w/boot"]

from sim.power import main

if __name__ == "__main__":
    sys.exit(main())
