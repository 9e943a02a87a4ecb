import asyncio

from lib import pms5003, scd4x
from lib.drivers import UnknownSensor, driver
from vectors import load, octets


class Ticks:
    """Time that passes only by sleeping."""

    speed = 1

    def __init__(self) -> None:
        self.ms = 0x3FFFFFFF - 20000  # wraps within the warm-up

    def now(self) -> int:
        return self.ms & 0x3FFFFFFF

    async def sleep(self, ms: int) -> None:
        self.ms += ms
        await asyncio.sleep_ms(0)


class Uart:
    def __init__(self) -> None:
        self.incoming = []
        self.outgoing = b""

    def read(self) -> bytes | None:
        return self.incoming.pop(0) if self.incoming else None

    def write(self, data: bytes) -> None:
        self.outgoing += data


class I2C:
    """Answers as the script says; None is a sensor that doesn't acknowledge."""

    def __init__(self, answers: dict) -> None:
        self.answers = answers
        self.written = []

    def writeto(self, address: int, data: bytes) -> None:
        assert address == 0x62
        if self.answers is None:
            raise OSError(19)
        self.written.append(bytes(data))

    def readfrom(self, address: int, size: int) -> bytes:
        data = self.answers[self.written[-1]]
        assert len(data) == size
        return data


def test_pms5003_vectors_whole_and_byte_by_byte() -> None:
    for case in load("pms5003")["streams"]:
        data = octets(case["bytes"])
        for step in (len(data), 1, 7):
            frames = pms5003.Frames()
            found = []
            for i in range(0, len(data), step):
                found += frames.feed(data[i : i + step])
            assert [list(f) for f in found] == case["frames"], (case["name"], step, found)
            assert frames.checksum == case["checksum"], (case["name"], step, frames.checksum)


def test_pms5003_commands() -> None:
    commands = load("pms5003")["commands"]
    assert octets(commands["wake"]) == pms5003.WAKE
    assert octets(commands["active"]) == pms5003.ACTIVE


def test_pms5003_warms_up_then_means_then_is_silent() -> None:
    streams = load("pms5003")["streams"]
    frame = octets(streams[0]["bytes"])
    uart, ticks = Uart(), Ticks()
    sensor = pms5003.PMS5003(uart, ticks)

    async def use() -> None:
        await sensor.start()
        assert uart.outgoing == pms5003.WAKE + pms5003.ACTIVE
        uart.incoming = [frame]
        assert await sensor.read() is None
        ticks.ms += 29999
        uart.incoming = [frame]
        assert await sensor.read() is None
        ticks.ms += 1
        other = bytearray(frame)
        other[7] = 11  # PM2.5 CF=1 and, below, the sum
        other[31] = frame[31] + 3
        uart.incoming = [frame, None, frame + bytes(other)]  # the first came while it warmed up
        row = await sensor.read()
        assert row == [0, 95, 80, 0, 80, 80, 210, 70, 45, 30, 0, 0], row
        before = ticks.ms
        assert await sensor.read() == [None] * 12
        assert 2300 <= ticks.ms - before <= 3000
        assert sensor.errors() == (("checksum", 0), ("timeout", 1))

    asyncio.run(use())


def test_scd4x_vectors() -> None:
    vectors = load("scd4x")
    for case in vectors["crc"]:
        assert scd4x.crc8(octets(case["bytes"])) == case["crc"]
    for case in vectors["measurements"]:
        try:
            got = scd4x.decode(octets(case["bytes"]))
        except scd4x.BadChecksum:
            got = None
        assert got == case["values"], (case, got)


def test_scd4x_starts_reads_and_counts() -> None:
    good = octets(load("scd4x")["measurements"][0]["bytes"])
    bus = I2C({scd4x.READY: octets("8006B7"), scd4x.READ: good})
    bus.answers[scd4x.READY] = b"\x80\x06" + bytes((scd4x.crc8(b"\x80\x06"),))
    ticks = Ticks()
    sensor = scd4x.SCD4x(bus, ticks)

    async def use() -> None:
        await sensor.start()
        assert bus.written == [scd4x.STOP, scd4x.START]
        assert await sensor.read() is None
        ticks.ms += scd4x.WARM_UP_MS
        assert await sensor.read() == [500, 2500, 3700]
        bus.answers[scd4x.READ] = good[:8] + b"\0"
        assert await sensor.read() == [None, None, None]
        bus.answers[scd4x.READY] = b"\x80\x00" + bytes((scd4x.crc8(b"\x80\x00"),))
        assert await sensor.read() == [None, None, None]
        assert sensor.errors() == (("checksum", 1), ("timeout", 1))

    asyncio.run(use())


def test_scd4x_that_is_plugged_in_later_is_started_then() -> None:
    good = octets(load("scd4x")["measurements"][0]["bytes"])
    bus = I2C(None)
    ticks = Ticks()
    sensor = scd4x.SCD4x(bus, ticks)

    async def use() -> None:
        await sensor.start()
        assert await sensor.read() == [None, None, None]
        assert sensor.errors() == (("checksum", 0), ("timeout", 2))
        bus.answers = {scd4x.READY: b"\x80\x06" + bytes((scd4x.crc8(b"\x80\x06"),)), scd4x.READ: good}
        assert await sensor.read() is None
        ticks.ms += scd4x.WARM_UP_MS
        assert await sensor.read() == [500, 2500, 3700]

    asyncio.run(use())


def test_the_table_serves_pms7003_and_names_what_it_knows() -> None:
    assert driver("pms7003") is driver("pms5003")
    try:
        driver("sds9000")
    except UnknownSensor as error:
        assert "pms5003" in error.args[0]
        return
    raise AssertionError("an unknown type was accepted")
