"""Virtual SDS011, SPS30 and SHT4x against the golden vectors; whatever is sent to them, they never raise."""

import json
import struct
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.world.nova import Sds011, measured
from gateway.world.sensirion import packed
from gateway.world.sht4x import measured as climate
from gateway.world.sps30 import Core, Sps30I2c, Sps30Uart, response

VECTORS = Path(__file__).parents[1] / "vectors"


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def test_the_recorded_bytes() -> None:
    assert measured((0.6, 0.6), b"\x58\xd9") == bytes.fromhex(load("sds011")["streams"][0]["bytes"])
    stream = load("sps30")["streams"][0]
    assert response(3, 0, bytes.fromhex(stream["responses"][0][2])) == bytes.fromhex(stream["bytes"])
    words = climate((25.0, 40.25))
    got = struct.unpack(">HxHx", packed(words))
    assert all(abs(a - b) <= 1 for a, b in zip(got, (0x6667, 0x5EB9), strict=True))


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_leave_them_working(pieces: list[bytes]) -> None:
    nova = Sds011(lambda now, awake: (1.0, 2.0))
    uart = Sps30Uart(Core(lambda now, awake: (1.0,) * 10))
    chip = Sps30I2c(Core(lambda now, awake: (1.0,) * 10))
    for device in (nova, uart, chip):
        device.open(0.0)
    for piece in pieces:
        nova.receive(piece, 1.0)
        uart.receive(piece, 1.0)
        chip.write(piece, 1.0)
        chip.read(3, 1.0)
    work = bytes.fromhex(next(c["bytes"] for c in load("sds011")["commands"] if c["data"] == [6, 1, 1]))
    assert nova.receive(bytes(19) + work, 2.0).endswith(b"\xab")
