"""What is in the board's flash starts: a LittleFS is the root, then boot.py and main.py run."""

import sys

sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[3])
for name in ("esp32", "machine", "network"):
    __import__(name)  # the stand-ins stay in sys.modules when the host's files are out of sight
import os
import time

import machine
import vfs
from sim.flash import FileFlash

time.sleep(machine.HARDWARE.get("late", 0))

flash = FileFlash(sys.argv[2], 2 << 20)
try:
    vfs.VfsLfs2(flash)
except OSError:
    vfs.VfsLfs2.mkfs(flash)
vfs.umount("/")
vfs.mount(vfs.VfsLfs2(flash), "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"]
for name in ("sim", "sim.flash"):
    del sys.modules[name]


def run(name):
    try:
        with open(name) as file:
            program = compile(file.read(), name, "exec")
    except OSError:
        return
    exec(program, {"__name__": "__main__"})


print("\x06", end="")
run("boot.py")
run("main.py")
