"""A watchdog outside the process, as a board's is outside the program: a shell that kills what isn't fed."""

import os

# $PPID is this MicroPython; the shell goes when it has gone.
SHELL = (
    "(dog=$PPID; while sleep %d && kill -0 $dog 2>/dev/null; do "
    "if [ -e %s ]; then rm -f %s; else kill -9 $dog; fi; done; rm -f %s) >/dev/null 2>&1 &"
)


def start(seconds: int) -> object:
    """Start one that kills after one to two times `seconds` without food; return what feeds it."""
    name = "/dev/shm/gongi-watchdog-%s" % "".join("%02x" % b for b in os.urandom(8))

    def feed() -> None:
        open(name, "wb").close()

    feed()
    os.system(SHELL % (seconds, name, name, name))
    return feed
