"""The gateway's word that a node is heard: the real console, showing a school whose present we set."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from edge.readings import SECOND, Flag
from firmware.toolkit.boards import BOARDS, ESP32
from firmware.toolkit.proof import Gateway, Proof, Seen, Unproved, await_samples, crashed
from gateway.console import create_app, serve_console
from gateway.console.pulse import Pulse
from gateway.console.sample import NOON, SampleHistory, live
from gateway.live import Latest, Live, Stranger, Value

SENSORS = [
    {"type": "pms5003", "serial": "P-1", "bus": "uart1"},
    {"type": "scd4x", "serial": "S-1", "bus": "i2c1"},
]


@pytest.fixture
def school() -> Live:
    return live()


@pytest.fixture
def gateway(school: Live) -> Iterator[Gateway]:
    app = create_app(school, SampleHistory(NOON), dict, lambda: b"", Pulse(school))
    serving = serve_console(app)
    yield Gateway(serving.url)
    serving.stop()


def wait(gateway: Gateway, node: str, before: str, said: str = "", wait_s: float = 0.3, **more: Any) -> Proof:
    facts = {"sensors": SENSORS, "board": ESP32} | more
    return await_samples(
        gateway,
        node,
        before=before,
        ear=lambda: said,
        progress=lambda share: None,
        wait_s=wait_s,
        poll_s=0.05,
        **facts,
    )


def test_a_new_sample_of_every_sensor_is_the_proof(gateway: Gateway, school: Live) -> None:
    before = gateway.seen("2-1-a").time
    newer = replace(school.latest["2-1-a"], time=NOON - 2 * SECOND)
    timer = threading.Timer(0.2, school.latest.__setitem__, ("2-1-a", newer))
    timer.start()
    proof = wait(gateway, "2-1-a", before, wait_s=10)
    assert dict(proof.values) == {"pm25": "56.4 µg/m³", "co2": "1140 ppm"}
    timer.join()


def test_the_sample_from_before_is_no_proof(gateway: Gateway) -> None:
    with pytest.raises(Unproved, match="heard nothing") as told:
        wait(gateway, "2-1-a", gateway.seen("2-1-a").time)
    assert "info" in told.value.advice


NAN = float("nan")
PINS = r"scd4x on i2c1 \(SCL GPIO22, SDA GPIO21\)"


@pytest.mark.parametrize(
    ("co2", "words"),
    [
        (Value(NAN, NAN, 0.0, Flag.MISSING), f"no plausible value of {PINS}: it is silent"),
        (Value(-5.0, -5.0, 0.0, Flag.FAIL), f"no plausible value of {PINS}: it says -5 ppm"),
        (Value(NAN, NAN, 0.0, Flag.ABSENT), f"the node sends no co2 of its {PINS}"),
    ],
)
def test_a_sensor_without_a_plausible_value_is_named_with_its_pins(
    gateway: Gateway, school: Live, co2: Value, words: str
) -> None:
    school.latest["2-1-a"] = Latest(NOON, {**school.latest["2-1-a"].values, "co2": co2})
    with pytest.raises(Unproved, match=words):
        wait(gateway, "2-1-a", "")


def batch(**columns: list[float | None]) -> Stranger:
    facts = {"log": "7f3a09c1", "seq": 1, "boot": 1, "up": 40, "t0": None, "dt": 10}
    return Stranger(NOON, "gongi/v1/hana/3-1-a/obs", json.dumps(facts | columns).encode())


def test_a_node_that_no_file_names_is_proved_by_its_values_in_quarantine(
    gateway: Gateway, school: Live
) -> None:
    assert gateway.seen("3-1-a") == Seen(aside=True), "messages from before the gateway's start"
    with pytest.raises(Unproved, match="heard nothing"):
        wait(gateway, "3-1-a", "")
    school.strangers["3-1-a"] = batch(pm25=[None, 12.0], co2=[500.0, 510.0])
    proof = wait(gateway, "3-1-a", "")
    assert proof == Proof({"pm25": "12 µg/m³", "co2": "510 ppm"}, aside=True)
    with pytest.raises(Unproved, match="heard nothing"):
        wait(gateway, "3-1-a", gateway.seen("3-1-a").time)


@pytest.mark.parametrize(
    ("columns", "words", "advice"),
    [
        (
            {"pm25": [12.0, None], "co2": [500.0, 510.0]},
            "silent",
            "5 V is missing; its TX belongs on GPIO4",
        ),
        ({"pm25": [1.0, 2.0], "co2": [500.0, 0.0]}, "it says 0 ppm", "SDA belongs on GPIO6, SCL on GPIO7"),
        ({"pm25": [1.0, 2.0]}, "sends no co2 of its scd4x", "its `info` says why"),
    ],
)
def test_in_quarantine_each_fault_names_its_pins_too(
    gateway: Gateway, school: Live, columns: dict[str, list[float | None]], words: str, advice: str
) -> None:
    school.strangers["3-1-a"] = batch(**columns)
    with pytest.raises(Unproved, match=words) as told:
        wait(gateway, "3-1-a", "", board=BOARDS["ESP32-C3"])
    assert advice in told.value.advice


def test_a_sensor_of_ones_own_is_proved_by_any_value(gateway: Gateway, school: Live) -> None:
    own = [{"type": "mhz19", "serial": "Z-1", "bus": "uart1"}]
    school.strangers["3-1-a"] = batch(co2=[None])
    with pytest.raises(Unproved, match="mhz19 on uart1"):
        wait(gateway, "3-1-a", "", sensors=own)
    school.strangers["3-1-a"] = batch(co2=[800.0])
    assert wait(gateway, "3-1-a", "", sensors=own).aside


def test_a_crash_on_the_serial_line_ends_the_wait(gateway: Gateway) -> None:
    said = 'boot\r\nTraceback (most recent call last):\r\n  File "main.py", line 3\r\nMemoryError: \r\n'
    assert crashed(said) == "MemoryError:"
    assert crashed("Traceback (most recent call last):\r\n  File") == ""
    with pytest.raises(Unproved, match="the application stopped: MemoryError"):
        wait(gateway, "2-1-a", gateway.seen("2-1-a").time, said, wait_s=30)


def test_zero_is_a_value(gateway: Gateway, school: Live) -> None:
    school.strangers["3-1-a"] = batch(pm25=[0.0], co2=[400.0])
    assert wait(gateway, "3-1-a", "").values["pm25"] == "0 µg/m³"


def test_no_gateway_and_a_foreign_server_are_told() -> None:
    with pytest.raises(Unproved, match="doesn't answer") as told:
        Gateway("http://127.0.0.1:1").seen("2-1-a")
    assert "GONGI_URL" in told.value.advice


def test_the_token_is_sent_and_its_refusal_is_told() -> None:
    seen: list[str | None] = []

    class Guarded(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            body = json.dumps({"node": {"time": "now"}}).encode()
            self.send_response(200 if seen[-1] == "Bearer right" else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert Gateway(url, "right").seen("a").time == "now"
        with pytest.raises(Unproved, match="401") as told:
            Gateway(url, "wrong").seen("a")
        server.shutdown()
    assert "GONGI_TOKEN" in told.value.advice
    assert "right" not in repr(Gateway(url, "right"))
