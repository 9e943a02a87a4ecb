"""One release on its way to one device: what to send next, what its answers and reports mean. No I/O."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from edge.quantity import QUANTITIES
from gateway.ota.record import ENDS, Device, State

CHUNK = 512
"""Bytes of the stream in a message: a device whose heap is nearly full still decodes it."""
WINDOW = 8192
"""Bytes sent ahead of what is acknowledged; a device acknowledges every 4 KB."""
OFFER_S = 2.0
"""Seconds without an answer after which the offer is made again; the answer says where to go on."""
LATER = frozenset({"early", "offer"})
"""Words after which it is offered again a little later: just switched on, or between two boots."""
AGAIN = frozenset({"chunk", "sum"})
"""Words after which it is offered again at once: something was torn on the way."""
MOST_AGAIN = 3


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one device is sent: its manifest with the HMAC (hex), then the files' bytes."""

    release: int
    manifest: bytes
    mac: str
    content: bytes

    @property
    def stream(self) -> bytes:
        """Manifest and files in one."""
        return self.manifest + self.content


class Delivery:
    """Moves a device from `waiting` to an end; `send(leaf, content)` publishes to it at QoS 0.

    `patience` [s]: how long it may be silent before it counts as away; `minutes`: how long a trial may last,
    or a download without progress.
    """

    def __init__(
        self,
        device: Device,
        parcel: Callable[[], Parcel],
        send: Callable[[str, bytes], None],
        patience: float,
        minutes: float,
    ) -> None:
        self.device, self._make, self._send = device, parcel, send
        self._patience, self._trial_s = patience, 60 * minutes
        self._parcel: Parcel | None = None
        self._stream = b""
        self._sent = self._acked = self._again = self._counter = 0
        self._heard = self._offered = self._began = self._moved = 0.0
        self._confirmed = False
        self._boot: object = None

    def begin(self, now: float) -> None:
        """Offer the release, or go on watching a trial."""
        self._parcel = self._make()
        self._stream = self._parcel.stream
        self._heard = self._began = self._moved = now
        if self.device.state == State.WAITING:
            self.device.state, self.device.of = State.SENDING, len(self._stream)
            self._offer(now)

    def tick(self, now: float) -> None:
        """Repeat what wasn't answered; end what takes too long."""
        if self.device.state == State.SENDING:
            if now - self._heard > self._patience:
                self._end(State.AWAY, "no answer")
            elif now - self._moved > self._trial_s:
                self._end(State.FAILED, "stuck")
            elif now - max(self._heard, self._offered) > OFFER_S:
                self._offer(now)
        elif self.device.state == State.TRIAL and now - self._began > self._trial_s:
            self._end(State.FAILED, "no samples" if self._confirmed else "silent")

    def hear(self, leaf: str, payload: bytes, now: float) -> None:
        """Take in what the device has published."""
        if self._parcel is None or self.device.state in ENDS:
            return
        try:
            content = msgspec.json.decode(payload, type=dict[str, Any])
        except msgspec.DecodeError:
            return
        if leaf in _HEARD:
            _HEARD[leaf](self, content, now)

    # -- what it says ------------------------------------------------------------------------------------

    def _reply(self, content: Mapping[str, Any], now: float) -> None:
        assert self._parcel is not None
        if content.get("release") != self._parcel.release or self.device.state != State.SENDING:
            return
        self._heard = now
        if "error" in content:
            self._refused(str(content["error"]), now)
        elif content.get("trial"):
            self._try(now)
        elif isinstance(at := content.get("at"), int) and 0 <= at <= len(self._stream):
            self._moved = now if at > self._acked else self._moved
            self._acked = self.device.at = at
            if content.get("op") == "update":
                self._sent = at
            self._pump()

    def _refused(self, word: str, now: float) -> None:
        if word in LATER:
            return
        self._again += 1
        if word in AGAIN and self._again < MOST_AGAIN:
            self._offer(now)
        elif word != "older" or not self._confirmed:
            self._end(State.FAILED, word)

    def _info(self, content: Mapping[str, Any], now: float) -> None:
        assert self._parcel is not None
        release, trial, failed = (content.get(name) for name in ("release", "trial", "failed"))
        ours = self._parcel.release
        if release == ours and trial is None:
            if not self._confirmed:
                self._try(now)
            self._confirmed, self._boot = True, content.get("boot")
        elif trial == ours and self.device.state == State.SENDING:
            self._try(now)
        elif isinstance(failed, list) and failed[:1] == [ours] and trial is None:
            self._end(State.FAILED, str(failed[-1]))
        elif content.get("receiving") and self.device.state == State.SENDING:
            self._heard = now
            self._offer(now)

    def _obs(self, content: Mapping[str, Any], now: float) -> None:
        """Samples of the boot in which the release was confirmed: the update is through."""
        if (
            self._confirmed
            and content.get("boot") == self._boot
            and any(_measured(content.get(name)) for name in QUANTITIES)
        ):
            self._end(State.GOOD)

    def _state(self, content: Mapping[str, Any], now: float) -> None:
        if self._confirmed and "level" in content:
            self._end(State.GOOD)

    # -- what it is told ---------------------------------------------------------------------------------

    def _offer(self, now: float) -> None:
        assert self._parcel is not None
        self._offered = now
        parcel = self._parcel
        facts = {"release": parcel.release, "manifest": len(parcel.manifest), "mac": parcel.mac}
        self._command("update", facts)

    def _pump(self) -> None:
        assert self._parcel is not None
        end = min(len(self._stream), self._acked + WINDOW)
        while self._sent < end:
            data = self._stream[self._sent : self._sent + CHUNK]
            text = base64.b64encode(data).decode()
            facts = {"release": self._parcel.release, "at": self._sent, "size": len(data), "data": text}
            self._command("chunk", facts)
            self._sent += len(data)

    def _command(self, op: str, facts: Mapping[str, Any]) -> None:
        self._counter += 1
        name = f"{self._parcel.release if self._parcel else 0}-{self._counter}"
        self._send("cmd", msgspec.json.encode({"op": op, "id": name, **facts}))

    def _try(self, now: float) -> None:
        self._began = now
        self.device.state, self.device.at = State.TRIAL, self.device.of

    def _end(self, state: State, word: str = "") -> None:
        self.device.state, self.device.word = state, word
        self._stream = b""


_HEARD: Mapping[str, Callable[[Delivery, Mapping[str, Any], float], None]] = {
    "reply": Delivery._reply,
    "info": Delivery._info,
    "obs": Delivery._obs,
    "state": Delivery._state,
}


def _measured(column: object) -> bool:
    return isinstance(column, list) and any(value is not None for value in column)
