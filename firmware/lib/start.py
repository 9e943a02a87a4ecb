"""From a configuration and a board to a running application; what breaks it ends here."""

import asyncio
import gc
import sys

from lib.device import VERSION, Reboot
from lib.seldom import call

# So many failed boots in a row, and the next one is in safe mode.
TOO_MANY = 10
APPLICATIONS = {
    "node": ("node.app", "Node"),
    "actuator": ("actuator.app", "Actuator"),
    "receiver": ("lib.receiver", "Receiver"),
}


def application(config: dict, board: object) -> object:
    """Return the application that the configuration's kind names."""
    module, name = APPLICATIONS["receiver" if board.slots.facts["receiving"] else config["kind"]]
    kind = getattr(__import__(module, None, None, (name,)), name)
    return kind(config, board)


def run(config: dict, board: object) -> str:
    """Run until the device is to start again; return the cause."""
    flash = board.flash
    board.turns = call("lib.turns", "begin", flash, config)
    board.settle(config)
    board.cause, board.failures, board.utc_kept = call("lib.boots", "begin", flash, board.cause)
    board.crash = call("lib.crashes", "last", flash)
    one = None
    try:
        one = _safe(config, board) if board.failures >= TOO_MANY else application(config, board)
        gc.collect()
        gc.threshold(gc.mem_free() // 4)
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


def _safe(config: dict, board: object) -> object:
    from lib.safe import Safe

    return Safe(config, board)


def _note(error: Exception, flash: str, device: object | None) -> None:
    """Keep the crash; on a full flash or heap the restart matters more."""
    gc.collect()
    try:
        call("lib.crashes", "note", flash, error, device.clock if device else None, VERSION)
    except (OSError, MemoryError) as trouble:
        print("crash not kept:", trouble)
