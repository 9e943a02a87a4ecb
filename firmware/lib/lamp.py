"""What the board's lamp says: so many short blinks, then a pause; the first line that applies."""

import asyncio

ON_MS, OFF_MS, PAUSE_MS = 150, 250, 2500
OK_PAUSE_MS = 10000
IDENTIFY = 25
# Blinks, name, what to do; docs/lamp.md shows the same table.
CODES = (
    (2, "wifi", "no Wi-Fi network of its list is there, or the password is wrong"),
    (
        3,
        "gate",
        "the Wi-Fi wants a page filled in or a person's name (802.1X): ask for another network",
    ),
    (4, "broker", "Wi-Fi is there, the broker doesn't answer"),
    (5, "refused", "the broker refuses its user, its password, or it refuses the broker's certificate"),
    (6, "sensor", "a sensor is silent: wires, 5 V"),
    (7, "safe", "safe mode after failed boots: send an update, or flash it"),
    (1, "ok", "all is well"),
)


def blinks(name: str) -> int:
    """Return how often the lamp blinks for a state."""
    return next(code[0] for code in CODES if code[1] == name)


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
        self.wanted = IDENTIFY

    async def run(self) -> None:
        """Blink for ever."""
        while True:
            if self.wanted:
                self.wanted -= 1
                await self._blink(200, 200)
                continue
            name = state(self.device)
            for _ in range(blinks(name)):
                await self._blink(ON_MS, OFF_MS)
            await self._pause(OK_PAUSE_MS if name == "ok" else PAUSE_MS)

    async def _blink(self, on_ms: int, off_ms: int) -> None:
        self.led(True)
        await asyncio.sleep_ms(on_ms)
        self.led(False)
        await asyncio.sleep_ms(off_ms)

    async def _pause(self, ms: int) -> None:
        while ms > 0 and not self.wanted:
            await asyncio.sleep_ms(OFF_MS)
            ms -= OFF_MS
