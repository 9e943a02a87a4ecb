"""The spool's folder: what earlier boots have left in it, and the line that a segment begins with."""

import binascii
import json
import os
import struct

from lib import record, wire
from lib.spool import OPENING


def _read(file: object) -> object:
    """Return what a segment's first line says, None where it is cut or rotten."""
    line = file.readline()
    if len(line) < 11 or binascii.hexlify(binascii.crc32(line[:-10]).to_bytes(4, "big")) != line[-9:-1]:
        return None
    return json.loads(line[:-10])


def header(file: object, columns: tuple) -> dict:
    """Return boot and columns of a segment, the spool's own columns where they are the same."""
    found = _read(file)
    theirs = tuple((name, scale) for name, scale in found["columns"])
    return {"boot": found["boot"], "columns": columns if theirs == columns else theirs}


def line(spool: object, cause: str | None) -> bytes:
    """Return the first line of the spool's next segment."""
    text = wire.text(
        (
            ("log", spool.log),
            ("boot", spool.boot),
            ("cause", cause),
            ("first", spool.next),
            ("cursor", spool.cursor),
            ("dropped", spool.dropped),
            ("columns", [[name, scale] for name, scale in spool.columns]),
        )
    )
    return text + b" " + binascii.hexlify(binascii.crc32(text).to_bytes(4, "big")) + b"\n"


def scan(spool: object) -> None:
    """Let the spool continue behind the newest segment's last batch."""
    try:
        os.mkdir(spool.folder)
    except OSError:  # it is there
        pass
    for name in sorted(os.listdir(spool.folder)):
        path = spool.folder + "/" + name
        with open(path, "rb") as file:
            found = _read(file)
        if found is None:
            _bury(spool, path)
            continue
        spool.segments.append((int(name, 16), found["first"]))
        spool.log, spool.boot, spool.dropped = found["log"], found["boot"], found["dropped"]
        spool.next, spool.cursor = found["first"], found["cursor"]
    if spool.segments:
        buried = spool.next
        with open(spool.path(spool.segments[-1][0]), "rb") as file:
            spool.next = _read(file)["first"]
            _follow(spool, file)
        spool.next = max(spool.next, buried)


def _bury(spool: object, path: str) -> None:
    """Remove a segment without a header, cut when it was made or rotten; its numbers stay spent."""
    if spool.log:
        with open(path, "rb") as file:
            file.readline()
            _follow(spool, file)
        spool.boot += 1
    os.remove(path)


def _follow(spool: object, file: object) -> None:
    opened = False
    for kind, payload in record.records(file, int(spool.log, 16)):
        if kind == record.OPEN:
            seq, _, _, spool.cursor, _ = struct.unpack_from(OPENING, payload)
            spool.next = seq + 1
        elif kind != record.DAMAGED and not opened:  # its opening record is lost, its number is spent
            spool.next += 1
        opened = kind in (record.OPEN, record.ROW) or (opened and kind == record.DAMAGED)
