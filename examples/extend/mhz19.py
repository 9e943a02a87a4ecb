"""Winsen MH-Z19 (CO2 over a UART): a driver of one's own, by cable or as /drivers/mhz19.py on the node."""

from lib.sensor import Sensor

READ = b"\xff\x01\x86\x00\x00\x00\x00\x00\x79"
ANSWER_MS, POLL_MS = 500, 50


def decode(frame: bytes) -> int | None:
    """Return CO2 [ppm] of the nine bytes of an answer, None where they are none."""
    good = len(frame) == 9 and frame[:2] == b"\xff\x86" and -sum(frame[1:8]) & 0xFF == frame[8]
    return frame[2] << 8 | frame[3] if good else None


class Driver(Sensor):
    """The sensor on its UART; it measures by itself and is asked for the newest value."""

    columns = (("co2", 1),)
    warm_ms = 60000

    async def start(self) -> None:
        """Wait for its lamp to be warm."""
        self.begin()

    async def read(self) -> list | None:
        """Return the CO2, None in its place when the sensor is silent; None alone while it warms up."""
        self.bus.read()  # what nobody asked for
        self.bus.write(READ)
        frame = b""
        for _ in range(ANSWER_MS // POLL_MS):
            await self.ticks.sleep(POLL_MS)
            frame += self.bus.read() or b""
            if len(frame) >= 9:
                break
        value = decode(frame)
        self.checksum += value is None and len(frame) > 0
        if self.warming():
            return None
        return self.nothing() if value is None else [value]
