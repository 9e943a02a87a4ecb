import asyncio

from lib import pms5003, scd4x, sds011, shdlc, sht4x, sps30, sps30_i2c
from lib.drivers import TABLE, UnknownSensor, driver
from lib.sensirion import crc8
from lib.sensor import BadChecksum, Silent
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

    def __init__(self, answers: dict, address: int = 0x62) -> None:
        self.answers = answers
        self.address = address
        self.written = []

    def writeto(self, address: int, data: bytes) -> None:
        assert address == self.address
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
    assert octets(commands["passive"]) == pms5003.PASSIVE
    assert octets(commands["read"]) == pms5003.READ
    assert octets(commands["sleep"]) == pms5003.SLEEP


def test_pms5003_replies_byte_by_byte() -> None:
    for name, reply in (("passive", (0xE1, 0)), ("sleep", (0xE4, 0))):
        frames = pms5003.Frames()
        for byte in octets(load("pms5003")["replies"][name]):
            assert frames.reply is None
            assert frames.feed(bytes((byte,))) == []
        assert frames.reply == reply


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


def test_pms5003_passive_says_one_frame_when_asked_and_sleeps() -> None:
    frame = octets(load("pms5003")["streams"][0]["bytes"])
    uart, ticks = Uart(), Ticks()
    sensor = pms5003.PMS5003(uart, ticks, passive=True)

    async def use() -> None:
        await sensor.start()
        assert uart.outgoing == pms5003.WAKE + pms5003.PASSIVE
        ticks.ms += 30000
        uart.outgoing = b""
        uart.incoming = [frame, frame, None, None, frame]  # the first two are of the warm-up and of before
        assert (await sensor.read())[4] == 80
        assert uart.outgoing == pms5003.READ
        assert await sensor.read() == [None] * 12
        assert uart.outgoing.endswith(pms5003.WAKE + pms5003.PASSIVE)  # perhaps it had lost its power
        uart.outgoing = b""
        uart.incoming = [octets(load("pms5003")["replies"]["sleep"])]
        assert await sensor.rest()
        assert uart.outgoing == pms5003.SLEEP
        assert not await sensor.rest()

    asyncio.run(use())


def test_sds011_vectors() -> None:
    vectors = load("sds011")
    for case in vectors["commands"]:
        assert sds011.command(*case["data"]) == octets(case["bytes"]), case
    for case in vectors["streams"]:
        data = octets(case["bytes"])
        for step in (len(data), 1, 7):
            packets = sds011.Packets()
            found = []
            for i in range(0, len(data), step):
                found += packets.feed(data[i : i + step])
            assert [list(f) for f in found] == case["values"], (case["name"], step, found)
            assert packets.checksum == case["checksum"], (case["name"], step)


def test_sds011_works_warms_up_means_and_rests() -> None:
    packet = octets(load("sds011")["streams"][0]["bytes"])
    other = bytearray(packet)
    other[2], other[8] = 9, packet[8] + 3
    uart, ticks = Uart(), Ticks()
    sensor = sds011.SDS011(uart, ticks)

    async def use() -> None:
        await sensor.start()
        assert uart.outgoing == b"".join(sds011.command(*c) for c in ((6, 1, 1), (2, 1, 0), (8, 1, 0)))
        assert await sensor.read() is None
        ticks.ms += 30000
        uart.incoming = [None, packet + bytes(other)]
        assert await sensor.read() == [8, 6]
        assert await sensor.read() == [None, None]
        uart.outgoing = b""
        await sensor.rest()
        assert uart.outgoing == sds011.command(6, 1, 0)
        assert sensor.errors() == (("checksum", 0), ("timeout", 1))

    asyncio.run(use())


def test_shdlc_vectors() -> None:
    vectors = load("sps30")
    for case in vectors["requests"]:
        assert shdlc.frame(case["command"], octets(case["data"])) == octets(case["bytes"]), case
    for case in vectors["streams"]:
        data = octets(case["bytes"])
        for step in (len(data), 1, 7):
            responses = shdlc.Responses()
            found = []
            for i in range(0, len(data), step):
                found += responses.feed(data[i : i + step])
            expected = [(c, state, octets(text)) for c, state, text in case["responses"]]
            assert found == expected, (case["name"], step, found)
            assert responses.checksum == case["checksum"], (case["name"], step)


def test_sps30_rows_are_the_recorded_ones_and_nan_is_missing() -> None:
    vectors = load("sps30")
    data = octets(vectors["streams"][0]["responses"][0][2])
    assert sps30.decode(data) == vectors["row"], sps30.decode(data)
    assert sps30.decode(b"\x7f\xc0\0\0" + data[4:])[0] is None
    for cut in (data[:-1], b""):
        try:
            sps30.decode(cut)
        except Silent:
            continue
        raise AssertionError


class Sps30:
    """A UART whose sensor answers each whole request as `answers` say."""

    def __init__(self, answers: dict) -> None:
        self.answers = answers
        self.heard = []
        self._ready = []

    def write(self, data: bytes) -> None:
        self.heard.append(bytes(data))
        answer = self.answers.get(bytes(data))
        if answer:
            self._ready += [answer[:9], answer[9:]]

    def read(self) -> bytes | None:
        return self._ready.pop(0) if self._ready else None


def test_sps30_over_its_uart() -> None:
    vectors = load("sps30")
    asked = {case["name"]: octets(case["bytes"]) for case in vectors["requests"]}
    read = octets(vectors["streams"][0]["bytes"])
    answers = {}
    for name, code in (("start", 0), ("stop", 1), ("sleep", 16), ("wake", 17)):
        stuffed = "7D 31" if code == 17 else "%02X" % code
        answers[asked[name]] = octets("7E 00 %s 00 00 %02X 7E" % (stuffed, ~code & 255))
    answers[asked["read"]] = read
    uart, ticks = Sps30(answers), Ticks()
    sensor = sps30.SPS30(uart, ticks)

    async def use() -> None:
        await sensor.start()
        assert uart.heard == [b"\xff", asked["wake"], asked["start"]]
        assert await sensor.read() is None
        ticks.ms += 30000
        assert await sensor.read() == vectors["row"]
        assert sensor.errors() == (("checksum", 0), ("timeout", 0))
        uart.heard = []
        await sensor.rest()
        assert uart.heard == [asked["stop"], asked["sleep"]]
        answers[asked["read"]] = octets("7E 00 03 00 00 FC 7E")
        uart.heard = []
        assert await sensor.read() == [None] * 7
        assert uart.heard[-1] == asked["start"]  # it may have lost its power
        assert await sensor.read() is None  # started anew, it warms up
        ticks.ms += 30000
        answers.clear()
        assert await sensor.read() == [None] * 7
        answers[asked["read"]] = read[:-2] + b"\x9f\x7e"
        assert await sensor.read() == [None] * 7
        assert sensor.errors() == (("checksum", 1), ("timeout", 3))

    asyncio.run(use())


def test_sps30_over_i2c() -> None:
    vectors = load("sps30")
    asked = {name: octets(text) for name, text in vectors["i2c"].items()}
    assert (sps30_i2c.START, sps30_i2c.STOP, sps30_i2c.SLEEP) == (
        asked["start"],
        asked["stop"],
        asked["sleep"],
    )
    raw = octets(vectors["streams"][0]["responses"][0][2])
    data = b"".join(raw[i : i + 2] + bytes((crc8(raw[i : i + 2]),)) for i in range(0, 40, 2))
    bus = I2C({asked["ready"]: b"\0\1" + bytes((crc8(b"\0\1"),)), asked["read"]: data}, 0x69)
    ticks = Ticks()
    sensor = sps30_i2c.SPS30I2C(bus, ticks)

    async def use() -> None:
        await sensor.start()
        assert bus.written == [asked["wake"], asked["wake"], asked["start"]]
        ticks.ms += 30000
        assert await sensor.read() == vectors["row"]
        bus.answers[asked["read"]] = data[:-1] + b"\0"
        assert await sensor.read() == [None] * 7
        bus.answers[asked["ready"]] = b"\0\0" + bytes((crc8(b"\0\0"),))
        assert await sensor.read() == [None] * 7
        await sensor.rest()
        assert bus.written[-2:] == [asked["stop"], asked["sleep"]]
        assert sensor.errors() == (("checksum", 1), ("timeout", 1))

    asyncio.run(use())


def test_sht4x_vectors_and_counts() -> None:
    vectors = load("sht4x")
    for case in vectors["measurements"]:
        try:
            got = sht4x.decode(octets(case["bytes"]))
        except BadChecksum:
            got = None
        assert got == case["values"], (case, got)
    good = octets(vectors["measurements"][0]["bytes"])
    bus = I2C({sht4x.MEASURE: good}, 0x44)
    sensor = sht4x.SHT4x(bus, Ticks())

    async def use() -> None:
        await sensor.start()
        assert await sensor.read() == [2500, 4025]
        assert bus.written == [octets(vectors["commands"]["reset"]), octets(vectors["commands"]["measure"])]
        bus.answers = {sht4x.MEASURE: good[:5] + b"\0"}
        assert await sensor.read() == [None, None]
        bus.answers = None
        assert await sensor.read() == [None, None]
        assert sensor.errors() == (("checksum", 1), ("timeout", 1))

    asyncio.run(use())


def test_scd4x_vectors() -> None:
    vectors = load("scd4x")
    for case in vectors["crc"]:
        assert crc8(octets(case["bytes"])) == case["crc"]
    for case in vectors["measurements"]:
        try:
            got = scd4x.decode(octets(case["bytes"]))
        except BadChecksum:
            got = None
        assert got == case["values"], (case, got)


def test_scd4x_starts_reads_and_counts() -> None:
    good = octets(load("scd4x")["measurements"][0]["bytes"])
    bus = I2C({scd4x.READY: octets("8006B7"), scd4x.READ: good})
    bus.answers[scd4x.READY] = b"\x80\x06" + bytes((crc8(b"\x80\x06"),))
    ticks = Ticks()
    sensor = scd4x.SCD4x(bus, ticks)

    async def use() -> None:
        await sensor.start()
        assert bus.written == [scd4x.STOP, scd4x.START]
        assert await sensor.read() is None
        ticks.ms += scd4x.SCD4x.warm_ms
        assert await sensor.read() == [500, 2500, 3700]
        bus.answers[scd4x.READ] = good[:8] + b"\0"
        assert await sensor.read() == [None, None, None]
        bus.answers[scd4x.READY] = b"\x80\x00" + bytes((crc8(b"\x80\x00"),))
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
        bus.answers = {scd4x.READY: b"\x80\x06" + bytes((crc8(b"\x80\x06"),)), scd4x.READ: good}
        assert await sensor.read() is None
        ticks.ms += scd4x.SCD4x.warm_ms
        assert await sensor.read() == [500, 2500, 3700]

    asyncio.run(use())


def test_the_table_serves_pms7003_and_names_what_it_knows() -> None:
    assert driver("pms7003", "uart1") is driver("pms5003", "uart2")
    try:
        driver("sds9000", "uart1")
    except UnknownSensor as error:
        assert "pms5003" in error.args[0]
    else:
        raise AssertionError("an unknown type was accepted")
    try:
        driver("pms5003", "i2c1")
    except UnknownSensor as error:
        assert "hangs on uart" in error.args[0]
        return
    raise AssertionError("a wrong bus was accepted")


def test_the_table_is_whole() -> None:
    for line in TABLE.splitlines():
        kind, bus, _, name = line.split()
        made = driver(kind, bus + "1")(None, Ticks())
        assert type(made).__name__ == name
        assert made.columns
        assert made.errors() == (("checksum", 0), ("timeout", 0))
