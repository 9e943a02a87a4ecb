"""From a configuration and a board to a running application; what breaks it ends here."""

import asyncio
import gc
import sys

from lib.device import VERSION, Reboot
from lib.seldom import call
from micropython import const

# So much garbage, and it is collected: little at a time leaves the heap in one piece. [bytes]
_GARBAGE = const(6144)


def run(config: dict, board: object) -> str:
    """Run until the device is to start again; return the cause."""
    flash = board.flash
    board.turns = call("lib.turns", "begin", flash, config)
    board.settle(config)
    board.cause, board.failures, board.utc_kept = call("lib.boots", "begin", flash, board.cause)
    board.crash = call("lib.crashes", "last", flash)
    one = None
    try:
        one = call("lib.boots", "application", config, board)
        gc.collect()
        gc.threshold(min(gc.mem_free() // 4, _GARBAGE))
        asyncio.run(one.run())
        raise AssertionError("an application runs for ever")
    except Reboot as cause:
        end = cause.args[0]
    except Exception as error:
        sys.print_exception(error)
        _note(error, flash, getattr(one, "device", None))
        end = "crash"
    finally:
        asyncio.new_event_loop()
    call("lib.boots", "end", flash, end)
    return end


def _note(error: Exception, flash: str, device: object | None) -> None:
    """Keep the crash; on a full flash or heap the restart matters more."""
    gc.collect()
    try:
        call("lib.crashes", "note", flash, error, device.clock if device else None, VERSION)
    except (OSError, MemoryError) as trouble:
        print("crash not kept:", trouble)
