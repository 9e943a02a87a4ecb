"""A version on trial: what it must show to be kept."""

from lib.device import Reboot
from micropython import const

_TRIAL_S = const(600)
_LOOK_MS = const(1000)


async def prove(update: object) -> None:
    """Confirm what runs once its sensors and its way to the broker are proved, else roll it back."""
    slots, device = update.slots, update.device
    if not slots.on_trial:  # its boot couldn't be counted
        slots.roll_back("room")
        return
    proof = Proof(update)
    end = device.clock.up() + device.config.get("trial_s", _TRIAL_S)
    while proof.lacks():
        if device.clock.up() >= end:
            slots.roll_back(proof.lacks())
            raise Reboot("update")
        await device.ticks.sleep(_LOOK_MS)
    proof.end()
    confirm(slots)
    device.inform()


def confirm(slots: object) -> None:
    """Keep what runs."""
    slots.store(slot=slots.running, release=slots.facts["tried"], trial=None, failed=None)
    slots.on_trial = False


class Proof:
    """The way to the broker: its own status heard, and a PUBACK; the sensors: those that worked before."""

    def __init__(self, update: object) -> None:
        self.update = update
        self.heard = False
        self.acked = False
        device = update.device
        self.topic = device.topic("status")
        self.route = device.routes[self.topic]
        device.routes[self.topic] = self._status
        device.client.joined.append(self._joined)

    def lacks(self) -> str:
        """Return what it still has to show, "" when nothing."""
        works = self.update.works()
        if not all(name in works for name in self.update.slots.facts["worked"]):
            return "sensor"
        return "" if self.heard and self.acked else "broker"

    def end(self) -> None:
        """Listen no longer."""
        self.update.device.routes[self.topic] = self.route
        self.update.device.client.joined.remove(self._joined)

    def _status(self, payload: bytes) -> None:
        self.heard = True
        self.route(payload)

    def _joined(self) -> None:
        self.update.device.client.send(self.topic, b"online", True, self._acked)

    def _acked(self, arrived: bool) -> None:
        self.acked = self.acked or arrived
