"""What the gateway asks for again."""

from micropython import const

_MAX_REQUESTS = const(8)


class Request:
    """A resend under way: sequences `at` to `end`, both counted when acknowledged or found gone."""

    def __init__(self, command: dict, at: int, end: int) -> None:
        self.command = command
        self.at = at
        self.end = end
        self.sent = 0
        self.flying = 0
        self.gone: list = []

    def lost(self, seq: int) -> None:
        """Note a sequence that the spool no longer holds."""
        if self.gone and self.gone[-1][1] == seq - 1:
            self.gone[-1][1] = seq
        else:
            self.gone.append([seq, seq])


def hear(sender: object, command: dict) -> None:
    """Take a request, or say why not."""
    start, to = int(command["from"]), int(command["to"])
    if command["log"] != sender.spool.log:
        _refuse(sender, command, "log")
    elif len(sender.requests) >= _MAX_REQUESTS:
        sender.busy += 1
        _refuse(sender, command, "busy")
    else:
        sender.requests.append(_request(sender.spool, command, start, to))
        sender.pump()


def _refuse(sender: object, command: dict, error: str) -> None:
    sender.reply(command, ("sent", 0), ("gone", []), ("error", error))


def _request(spool: object, command: dict, start: int, to: int) -> Request:
    held = max(start, min(spool.first, to + 1))
    request = Request(command, held, max(held, min(to + 1, spool.end)))
    if held > start:
        request.gone.append([start, held - 1])
    return request
