"""What the board's lamp says: so many short blinks, then a pause; the first line that applies."""

import asyncio

from micropython import const

_ON_MS = const(150)
_OFF_MS = const(250)
_PAUSE_MS = const(2500)
_OK_PAUSE_MS = const(10000)
_IDENTIFY = const(25)
# So many blinks as the place of the state's name; docs/lamp.md says what to do.
_NAMES = const("ok wifi gate broker refused sensor safe")


def blinks(name: str) -> int:
    """Return how often the lamp blinks for a state."""
    return _NAMES.split().index(name) + 1


def state(device: object) -> str:
    """Return the name of the code for what a device is in."""
    wifi, client = device.board.wifi, device.client
    if not client.connected:
        if wifi and wifi.gated():
            return "gate"
        if wifi and not wifi.at:
            return "wifi"
        return "refused" if "Refused" in client.last_error else "broker"
    return "safe" if device.safe else "sensor" if device.silent() else "ok"


class Lamp:
    """A lamp, `led(on)`, that tells the state of a device."""

    def __init__(self, led: object, device: object) -> None:
        self.led = led
        self.device = device
        self.wanted = 0

    def identify(self) -> None:
        """Flicker for 10 s, so that a person sees which device this is."""
        self.wanted = _IDENTIFY

    async def run(self) -> None:
        """Blink for ever."""
        while True:
            if self.wanted:
                self.wanted -= 1
                await self._blink(200, 200)
                continue
            name = state(self.device)
            for _ in range(blinks(name)):
                await self._blink(_ON_MS, _OFF_MS)
            await self._pause(_OK_PAUSE_MS if name == "ok" else _PAUSE_MS)

    async def _blink(self, on_ms: int, off_ms: int) -> None:
        self.led(True)
        await asyncio.sleep_ms(on_ms)
        self.led(False)
        await asyncio.sleep_ms(off_ms)

    async def _pause(self, ms: int) -> None:
        while ms > 0 and not self.wanted:
            await asyncio.sleep_ms(_OFF_MS)
            ms -= _OFF_MS
