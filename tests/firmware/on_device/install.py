"""Run on MicroPython: copy SOURCE to TARGET on the LittleFS of a flash image: IMAGE SOURCE TARGET."""

import os
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0] + "/../../../firmware")

import vfs
from sim.flash import FileFlash


def main(image: str, source: str, target: str) -> None:
    flash = FileFlash(image, 1310720)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    folder = target.rsplit("/", 1)[0]
    if folder != "/flash":
        os.mkdir(folder)
    with open(source, "rb") as file, open(target, "wb") as copy:
        copy.write(file.read())
    vfs.umount("/flash")


main(*sys.argv[1:])
