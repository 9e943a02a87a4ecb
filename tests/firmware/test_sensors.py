"""Every sensor from its virtual bytes to the broker, under real MicroPython; and one that a user adds."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.world.bus import I2c, Port
from gateway.world.nova import Sds011
from gateway.world.pace import Pace
from gateway.world.plantower import Pms5003
from gateway.world.sensirion import Scd4x
from gateway.world.sht4x import Sht4x
from gateway.world.sps30 import Core, Sps30I2c, Sps30Uart
from gateway.world.wiring import Wiring
from tests.firmware.conftest import Start
from tests.firmware.workshop import NODE, SPEED, Ear, Process
from tests.servers import wait_until

HERE = Path(__file__).parent
INSTALL = str(HERE / "on_device" / "install.py")
T = 1_763_778_000.0
CLOUD = (5.25, 9.5, 12.6, 13.3, 26.3, 37.0, 41.5, 42.4, 42.5, 0.8)
WORDS = (1, 8, 9, 1, 8, 9, 210, 70, 45, 30, 0, 0)

Wire = Callable[..., int]


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Lay wires: `wire(uart1=port)` returns the port of the wiring."""
    laid: list[Wiring] = []

    def lay(**ports: Port) -> int:
        pace = Pace(T, SPEED)
        laid.append(Wiring(pace, lambda bus, device: ports.get(bus), lambda now: now + 10))
        return laid[-1].start()

    yield lay
    for wiring in laid:
        wiring.stop()


def fitted(*sensors: tuple[str, str], **options: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "serial": f"{kind}-{bus}", "bus": bus, **options} for kind, bus in sensors]


def last(ear: Ear, at_least: int = 3) -> dict[str, Any]:
    wait_until(lambda: len(ear.heard("obs")) >= at_least, 20)
    found = ear.heard("obs")[-1]
    assert isinstance(found, dict)
    return found


def sensors(ear: Ear, known: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    """The sensors of the first `info` for which `known` holds."""
    wait_until(lambda: any(known(info["sensors"]) for info in ear.heard("info")), 20)
    return next(info["sensors"] for info in ear.heard("info") if known(info["sensors"]))


def test_nova_and_a_climate_sensor(ear: Ear, start: Start, wire: Wire) -> None:
    nova = Sds011(lambda now, awake: (12.3, 20.1), period=5)
    port = wire(uart1=nova, i2c1=I2c({0x44: Sht4x(lambda now: (22.5, 41.0))}))
    start(NODE, sensors=fitted(("sds011", "uart1"), ("sht41", "i2c1")), sim={"wiring": ["127.0.0.1", port]})
    batch = last(ear)
    assert (batch["pm25"], batch["pm10"]) == ([12.3] * 6, [20.1] * 6)
    assert (batch["temp"], batch["rh"]) == ([22.5] * 6, [41] * 6)
    assert nova.period == 0  # the setting of another project outlived the power
    heard = sensors(ear, lambda s: s[0]["hours"] >= 0.1)
    assert [s["errors"]["checksum"] for s in heard] == [0, 0]
    # At this speed a pause of the machine of 20 ms is a silence of 2.5 s.
    assert all(s["errors"]["timeout"] <= 3 for s in heard)


def test_sps30_on_a_uart_and_two_chips_on_one_i2c_bus(ear: Ear, start: Start, wire: Wire) -> None:
    gas = I2c({0x62: Scd4x(lambda now: (612.0, 21.0, 40.0)), 0x44: Sht4x(lambda now: (22.5, 41.0))})
    port = wire(uart1=Sps30Uart(Core(lambda now, awake: CLOUD)), i2c1=gas)
    three = fitted(("sps30", "uart1"), ("sht41", "i2c1"), ("scd41", "i2c1"))
    start(NODE, sensors=three, sim={"wiring": ["127.0.0.1", port]})
    batch = last(ear)
    assert (batch["pm1"], batch["pm25"], batch["pm10"]) == ([5.3] * 6, [9.5] * 6, [13.3] * 6)
    assert [batch[name][0] for name in ("n03", "n05", "n10", "n25")] == [4250, 1620, 550, 100]
    assert (batch["temp"], batch["co2"]) == ([22.5] * 6, [612] * 6)  # the first of two thermometers


def test_sps30_on_i2c(ear: Ear, start: Start, wire: Wire) -> None:
    port = wire(i2c1=I2c({0x69: Sps30I2c(Core(lambda now, awake: CLOUD))}))
    start(NODE, sensors=fitted(("sps30", "i2c1")), sim={"wiring": ["127.0.0.1", port]})
    batch = last(ear)
    assert (batch["pm25"], batch["n03"]) == ([9.5] * 6, [4250] * 6)


def test_a_passive_plantower_says_one_frame_when_asked(ear: Ear, start: Start, wire: Wire) -> None:
    dust = Pms5003(lambda now, awake: WORDS)
    port = wire(uart1=dust)
    one = fitted(("pms7003", "uart1"), options={"passive": True})
    start(NODE, sensors=one, sim={"wiring": ["127.0.0.1", port]})
    assert last(ear)["pm25"] == [8] * 6
    assert not dust.active


def test_between_samples_a_sensor_rests_and_its_hours_rest_too(ear: Ear, start: Start, wire: Wire) -> None:
    dust = Pms5003(lambda now, awake: WORDS if awake >= 25 else (999,) * 12)
    cloud = Core(lambda now, awake: CLOUD if awake >= 25 else (999.0,) * 10)
    port = wire(uart1=dust, uart2=Sps30Uart(cloud))
    both = fitted(("pms5003", "uart1"), ("sps30", "uart2"))
    node: Process = start(NODE, sensors=both, sample_s=120, duty=True, sim={"wiring": ["127.0.0.1", port]})
    awake, seen = [], []

    def five() -> bool:
        awake.append(dust.awake)
        seen.append(cloud.asleep)
        return len(ear.heard("obs")) >= 5

    wait_until(five, 20)
    heard = ear.heard("obs")
    assert [batch["up"] - heard[0]["up"] for batch in heard[:5]] == [0, 120, 240, 360, 480]
    assert all(batch["pm25_a"] == [8] and batch["pm25_b"] == [9.5] for batch in heard[1:5])
    share = sum(awake[len(awake) // 3 :]) / len(awake[len(awake) // 3 :])
    # By the machine's clock, which a busy machine stretches; the hours below are exact.
    assert 0 < share < 0.9
    assert any(seen)
    hours = sensors(ear, lambda s: s[0]["hours"] >= 0.1)[0]["hours"]
    up = next(info["up"] for info in ear.heard("info") if info["sensors"][0]["hours"] >= 0.1)
    assert hours <= 0.6 * up / 3600 + 0.05
    assert node.alive


def test_hours_outlive_a_reboot(ear: Ear, start: Start, wire: Wire) -> None:
    port = wire(uart1=Pms5003(lambda now, awake: WORDS))
    start(NODE, sensors=fitted(("pms5003", "uart1")), sim={"wiring": ["127.0.0.1", port]})
    hours = sensors(ear, lambda s: s[0]["hours"] >= 0.1)[0]["hours"]
    ear.say("cmd", {"op": "reboot", "id": "1"})
    wait_until(lambda: any(info["boot"] == 2 for info in ear.heard("info")), 20)
    after = next(info for info in ear.heard("info") if info["boot"] == 2)
    assert after["sensors"][0]["hours"] >= hours


class Winsen:
    """An MH-Z19 on a UART."""

    def __init__(self, line: Pms5003) -> None:
        self.due, self.poll, self.open, self.close = lambda: float("inf"), line.poll, line.open, line.close

    def receive(self, data: bytes, now: float) -> bytes:
        return bytes.fromhex("FF860260470000 00D1") if data == bytes.fromhex("FF0186000000000079") else b""


def test_a_driver_of_ones_own_is_one_file(ear: Ear, start: Start, wire: Wire, micropython: str) -> None:
    source = HERE.parents[1] / "examples" / "extend" / "mhz19.py"
    assert len(source.read_text().splitlines()) <= 40
    port = wire(
        uart1=Pms5003(lambda now, awake: WORDS),
        uart2=Winsen(Pms5003(lambda now, awake: None)),  # type: ignore[arg-type]  # it is a port by its methods
    )
    added = fitted(("pms5003", "uart1"), ("mhz19", "uart2"))
    node = start(NODE, sensors=added, sim={"wiring": ["127.0.0.1", port]})
    without = sensors(ear, lambda s: len(s) == 2)[1]
    assert without["errors"] == {"driver": 1}
    assert "mhz19" in without["error"]
    assert "co2" not in last(ear, 2)
    node.kill()
    image = node.folder / "flash.img"
    image.unlink()
    done = subprocess.run(
        [
            micropython,
            INSTALL,
            str(image),
            str(source),
            "/flash/drivers/mhz19.py",
        ],
        capture_output=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    node.start()
    wait_until(lambda: any(batch.get("co2") == [608] * 6 for batch in ear.heard("obs")), 20)


def test_a_broken_driver_stops_no_other(ear: Ear, start: Start, wire: Wire, micropython: str) -> None:
    port = wire(uart1=Pms5003(lambda now, awake: WORDS))
    added = fitted(("pms5003", "uart1"), ("broken", "uart1"), ("raising", "uart1"))
    node = start(NODE, sensors=added, sim={"wiring": ["127.0.0.1", port]})
    node.kill()
    source = node.folder / "raising.py"
    source.write_text(
        "class Driver:\n    columns = (('co2', 1),)\n    def __init__(self, bus, ticks): pass\n"
        "    async def start(self): pass\n    async def read(self): return 1 // 0\n"
        "    def errors(self): return ()\n"
    )
    image = node.folder / "flash.img"
    image.unlink(missing_ok=True)
    command = [
        micropython,
        INSTALL,
        str(image),
        str(source),
        "/flash/drivers/raising.py",
    ]
    subprocess.run(command, check=True, timeout=20)
    node.start()
    batch = last(ear)
    assert (batch["pm25"], batch["co2"]) == ([8] * 6, [None] * 6)
    heard = sensors(ear, lambda s: "error" in s[2])
    assert "ZeroDivisionError" in heard[2]["error"]
    assert "UnknownSensor" in heard[1]["error"]
