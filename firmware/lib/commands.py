"""Commands that every device obeys."""

from lib.seldom import call


def obey(device: object, command: dict) -> None:
    """Obey a command and answer it."""
    operation = OPERATIONS.get(command["op"])
    if not operation:
        device.unknown += 1
        device.reply(command, ("error", "unknown op"))
        return
    operation(device, command)


def _identify(device: object, command: dict) -> None:
    if device.lamp:
        device.lamp.identify()
    device.board.identify()
    device.reply(command, ("ok", True))


def _reboot(device: object, command: dict) -> None:
    device.reply(command, ("ok", True))
    device.end("reboot")


def _crashes(device: object, command: dict) -> None:
    crashes = call("lib.crashes", "read", device.board.flash)
    device.reply(command, ("crashes", [tuple(crash.items()) for crash in crashes]))


def _reconfigure(device: object, command: dict) -> None:
    word = call("lib.turns", "take", device, command)
    device.reply(command, ("turn", command.get("turn")), ("error", word) if word else ("trial", True))
    if not word:
        device.end("turn")


OPERATIONS = {"identify": _identify, "reboot": _reboot, "crashes": _crashes, "reconfigure": _reconfigure}
