"""Virtual sensors against recorded and published bytes; whatever is sent to them, they never raise."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from gateway.world.bus import I2c, Output
from gateway.world.plantower import Pms5003, frame
from gateway.world.sensirion import ADDRESS, Scd4x, crc, measured, packed

RECORDED = bytes.fromhex("424D001C00000008000800000008000800D20046002D001E00000000970002C5")
WORDS = (0, 8, 8, 0, 8, 8, 210, 70, 45, 30, 0, 0)


def test_a_frame_is_the_recorded_one() -> None:
    assert frame(WORDS) == RECORDED


@given(st.lists(st.integers(-(2**20), 2**20), min_size=12, max_size=12))
def test_every_frame_has_length_sum_and_held_words(words: list[int]) -> None:
    sent = frame(words)
    said = struct.unpack(">2sH12H2BH", sent)
    assert (len(sent), said[0], said[1], said[-1]) == (32, b"BM", 28, sum(sent[:30]) & 0xFFFF)
    assert list(said[2:14]) == [min(max(word, 0), 65535) for word in words]


def test_commands_are_answered_with_the_published_bytes() -> None:
    device = Pms5003(lambda now, awake: WORDS)
    device.open(0.0)
    answers = {
        "424DE100000170": "424D0004E1000174",
        "424DE200000171": RECORDED.hex(),
        "424DE100010171": "424D0004E1010175",
        "424DE400000173": "424D0004E4000177",
        "424DE400010174": RECORDED.hex(),
    }
    for command, answer in answers.items():
        assert device.receive(bytes.fromhex(command), 1.0).hex().lower() == answer.lower()


def test_active_frames_come_every_2_3_seconds_and_faster_in_changing_air() -> None:
    steady = Pms5003(lambda now, awake: WORDS)
    moving = Pms5003(lambda now, awake: (0, 0, 0, 0, int(now * 40) % 900, 0, 0, 0, 0, 0, 0, 0))
    sent = []
    for device in (steady, moving):
        device.open(0.0)
        sent.append(sum(len(device.poll(second / 10)) // 32 for second in range(600)))
    assert sent[0] == 26
    assert 60 < sent[1] < 80


def test_after_a_long_pause_it_does_not_flood() -> None:
    device = Pms5003(lambda now, awake: WORDS)
    device.open(0.0)
    assert len(device.poll(100_000.0)) <= 6 * 32
    assert device.due() > 100_000.0


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_leave_it_working(pieces: list[bytes]) -> None:
    device = Pms5003(lambda now, awake: WORDS)
    device.open(0.0)
    for piece in pieces:
        device.receive(piece, 1.0)
    device.receive(bytes(14), 1.0)
    assert device.receive(bytes.fromhex("424DE400010174"), 1.0).endswith(RECORDED)


def test_checksums_are_the_published_ones() -> None:
    assert crc(bytes.fromhex("BEEF")) == 0x92
    assert crc(bytes.fromhex("0000")) == 0x81
    assert crc(bytes.fromhex("01A4")) == 0x4D


def test_a_measurement_is_the_published_one() -> None:
    published = bytes.fromhex("01F4336667A25EB93C")
    assert packed((500, 0x6667, 0x5EB9)) == published
    words = measured((500.0, 25.0, 37.0))
    assert all(abs(word - said) <= 2 for word, said in zip(words, (500, 0x6667, 0x5EB9), strict=True))


def test_an_scd4x_from_power_up_to_stop() -> None:
    chip = Scd4x(lambda now: (800.0, 20.0, 40.0))
    chip.open(0.0)
    assert not chip.write(b"\x21\xb1", 0.01)  # still waking up
    assert chip.write(b"\x36\x82", 1.0)
    assert chip.read(9, 1.1) == packed((0xF896, 0x9F07, 0x3BBE))
    assert chip.write(b"\x21\xb1", 2.0)
    assert chip.write(b"\xec\x05", 4.0)
    assert chip.read(9, 4.1) is None  # nothing measured yet
    assert chip.write(b"\xe4\xb8", 7.1)
    assert int.from_bytes((chip.read(3, 7.2) or b"")[:2], "big") & 0x7FF
    assert chip.write(b"\xec\x05", 7.3)
    assert (chip.read(9, 7.4) or b"")[:2] == (800).to_bytes(2, "big")
    assert chip.write(b"\xe4\xb8", 7.5)
    assert not int.from_bytes((chip.read(3, 7.6) or b"")[:2], "big") & 0x7FF  # read once only
    assert not chip.write(b"\x24\x16\x00\x00\x81", 8.0)  # not while measuring
    assert chip.write(b"\x3f\x86", 8.0)
    assert not chip.write(b"\x36\x82", 8.4)  # 500 ms
    assert chip.write(b"\x24\x16\x00\x00\x81", 8.6)
    assert chip.write(b"\x23\x13", 8.7)
    assert chip.read(3, 8.8) == bytes.fromhex("000081")
    assert not chip.write(b"\x24\x16\x00\x00\x80", 8.9)  # wrong checksum


def test_its_temperature_offset_shifts_what_it_says() -> None:
    chip = Scd4x(lambda now: (800.0, 20.0, 40.0))
    chip.open(0.0)
    chip.write(b"\x24\x1d" + packed((0,)), 1.0)
    chip.write(b"\x21\xb1", 2.0)
    chip.write(b"\xec\x05", 8.0)
    word = int.from_bytes((chip.read(9, 8.1) or b"")[3:5], "big")
    assert abs(-45 + 175 * word / 65535 - 24.0) < 0.01


@given(st.lists(st.tuples(st.binary(max_size=6), st.integers(0, 20))))
def test_any_request_gets_yes_or_no(requests: list[tuple[bytes, int]]) -> None:
    bus = I2c({ADDRESS: Scd4x(lambda now: (800.0, 20.0, 40.0))})
    bus.open(0.0)
    for second, (body, count) in enumerate(requests, 1):
        sent = b"W\x62" + len(body).to_bytes(2, "big") + body
        assert bus.receive(sent, float(second)) in (b"A", b"N")
        answer = bus.receive(b"R\x62" + count.to_bytes(2, "big"), second + 0.5)
        assert answer == b"N" or (answer[:1] == b"A" and len(answer) == 1 + count)


@given(st.lists(st.binary(max_size=30)))
def test_any_bytes_leave_bus_and_output_working(pieces: list[bytes]) -> None:
    turns: list[int] = []
    output = Output(lambda level, now: turns.append(level))
    output.open(0.0)
    for piece in pieces:
        output.receive(piece, 1.0)
    output.receive(b"\nLEVEL 3\n", 2.0)
    assert turns[-1] == 3
