"""Run a program that ends when its parent does: `python leash.py PROGRAM ARGUMENT…`.

The parent holds the write end of our standard input; when it ends, however it ends, the pipe closes.
(Linux's parent death signal follows the thread that forked, not the process, and other systems have none.)
"""

import os
import subprocess
import sys
import threading

GRACE_S = 10.0


def follow(child: subprocess.Popen[bytes]) -> None:
    """Wait until the parent lets go, then end the child."""
    while os.read(0, 1024):
        pass
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


def main() -> None:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    print(child.pid, flush=True)
    threading.Thread(target=follow, args=(child,), daemon=True).start()
    os._exit(child.wait() & 0xFF)


if __name__ == "__main__":
    main()
