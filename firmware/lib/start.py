"""From a configuration and a board to a running application; what breaks it ends here."""

import asyncio
import gc
import sys

from lib.device import Reboot

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
    try:
        one = application(config, board)
        gc.collect()
        gc.threshold(gc.mem_free() // 4)
        asyncio.run(one.run())
    except Reboot as cause:
        return cause.args[0]
    except Exception as error:
        sys.print_exception(error)
        return "crash"
    finally:
        asyncio.new_event_loop()
    raise AssertionError("an application runs for ever")
