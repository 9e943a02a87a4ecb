"""What leaves the spool: fresh batches first, then what was asked for again, then the backlog."""

from lib import wire
from lib.seldom import call
from micropython import const

_WINDOW = const(4)
_MAX_RUNS = const(16)


class Acknowledged:
    """The sequences the broker has: all below `cursor`, and a few runs above it."""

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.runs: list = []

    def __contains__(self, seq: int) -> bool:
        return seq < self.cursor or any(a <= seq < b for a, b in self.runs)

    def after(self, seq: int) -> int:
        """Return the first sequence at or above `seq` that the broker has not."""
        seq = max(seq, self.cursor)
        for a, b in self.runs:
            if a <= seq < b:
                seq = b
        return seq

    def add(self, seq: int) -> None:
        """Enter one; too many runs forget the highest, which is then sent twice."""
        if seq in self:
            return
        runs = sorted(self.runs + [(seq, seq + 1)])
        merged = [(self.cursor, self.cursor)]
        for a, b in runs:
            if a == merged[-1][1]:
                merged[-1] = (merged[-1][0], b)
            else:
                merged.append((a, b))
        self.cursor = merged[0][1]
        self.runs = merged[1 : _MAX_RUNS + 1]

    def skip(self, first: int) -> None:
        """Give up what is below `first`: the spool no longer holds it."""
        if first > self.cursor:
            self.runs = [(max(a, first), b) for a, b in self.runs if b > first]
            self.cursor = first
            if self.runs and self.runs[0][0] == first:
                self.cursor = self.runs.pop(0)[1]


class Sender:
    """Keeps at most _WINDOW batches in flight; `pump` is called whenever there may be something to send."""

    def __init__(self, device: object, spool: object) -> None:
        self.device = device
        self.client = device.client
        self.spool = spool
        self.acked = Acknowledged(spool.cursor)
        self.fresh = spool.end
        self.requests: list = []
        self.flying: dict = {}
        self.busy = 0
        self.client.joined.append(self._joined)
        device.operations["resend"] = self._resend

    def _joined(self) -> None:
        self.fresh = max(self.spool.first, self.spool.end - 1)
        self.pump()

    def pump(self) -> None:
        """Fill the window."""
        self.acked.skip(self.spool.first)
        while self.client.connected and len(self.flying) < _WINDOW:
            if not (
                self._send_own(self.fresh, _WINDOW)
                or self._send_requested()
                or self._send_own(self.acked.cursor, _WINDOW - 1)
            ):
                return

    def _send_own(self, seq: int, limit: int) -> bool:
        seq = self.acked.after(seq)
        while seq in self.flying:
            seq = self.acked.after(seq + 1)
        if seq >= self.spool.end or len(self.flying) >= limit:
            return False
        if not self._launch(seq, None):
            self._settle(seq)
        return True

    def _send_requested(self) -> bool:
        if not self.requests or len(self.flying) >= _WINDOW - 1:
            return False
        request = self.requests[0]
        seq, request.at = request.at, request.at + 1
        if seq < request.end and seq not in self.flying:
            if self._launch(seq, request):
                request.flying += 1
            else:
                request.lost(seq)
        elif seq < request.end:
            request.sent += 1  # it is on its way as a batch of our own
        if request.at >= request.end:
            self.requests.pop(0)
            self._answer(request)
        return True

    def _launch(self, seq: int, request: object | None) -> bool:
        batch = self.spool.read(seq)
        if batch is None:
            return False
        self.flying[seq] = request

        def fill(sheet: object) -> None:
            wire.batch(sheet, self.spool.log, batch)

        def acked(arrived: bool) -> None:
            self._landed(seq, arrived)

        self.client.send(self.device.topic("obs"), fill, False, acked)
        return True

    def _landed(self, seq: int, arrived: bool) -> None:
        request = self.flying.pop(seq, None)
        if not arrived:
            self.requests = []  # who asked asks again
            return
        self._settle(seq)
        if request:
            request.flying -= 1
            request.sent += 1
            self._answer(request)
        self.pump()

    def _settle(self, seq: int) -> None:
        self.acked.add(seq)
        self.spool.cursor = self.acked.cursor

    def _resend(self, command: dict) -> None:
        call("node.resend", "hear", self, command)

    def reply(self, command: dict, *facts: tuple) -> None:
        """Answer a `resend`."""
        log = ("log", self.spool.log)
        self.device.reply(command, log, ("from", command["from"]), ("to", command["to"]), *facts)

    def _answer(self, request: object) -> None:
        if request.flying or request.at < request.end:
            return
        self.reply(request.command, ("sent", request.sent), ("gone", request.gone))
