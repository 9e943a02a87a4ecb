"""The gateway's word that a node is heard: the real console, showing a school whose present we set."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from edge.readings import SECOND, Flag
from firmware.toolkit.proof import Gateway, Proof, Unproved, await_samples, crashed, moment, plausible
from gateway.console import create_app, serve_console
from gateway.console.pulse import Pulse
from gateway.console.sample import NOON, SampleHistory, live
from gateway.live import Latest, Live, Value

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


def wait(gateway: Gateway, node: str, before: tuple[str, int], said: str = "", wait_s: float = 0.6) -> Proof:
    return await_samples(
        gateway, "hana", node, SENSORS, before, lambda: said, lambda share: None, wait_s, poll_s=0.05
    )


def test_a_new_sample_of_every_sensor_is_the_proof(gateway: Gateway, school: Live) -> None:
    before = moment(gateway, "2-1-a")
    newer = replace(school.latest["2-1-a"], time=NOON - 2 * SECOND)
    timer = threading.Timer(0.2, school.latest.__setitem__, ("2-1-a", newer))
    timer.start()
    proof = wait(gateway, "2-1-a", (before, 0), wait_s=10)
    assert dict(proof.values) == {"pm25": "56.4 µg/m³", "co2": "1140 ppm"}
    timer.join()


def test_the_sample_from_before_is_no_proof(gateway: Gateway) -> None:
    with pytest.raises(Unproved, match="heard nothing") as told:
        wait(gateway, "2-1-a", (moment(gateway, "2-1-a"), 0))
    assert "info" in told.value.advice


@pytest.mark.parametrize(
    "co2", [Value(float("nan"), float("nan"), 0.0, Flag.MISSING), Value(-5.0, -5.0, 0.0, Flag.FAIL)]
)
def test_a_sensor_without_a_plausible_value_is_named_with_its_pins(
    gateway: Gateway, school: Live, co2: Value
) -> None:
    school.latest["2-1-a"] = Latest(NOON, {**school.latest["2-1-a"].values, "co2": co2})
    with pytest.raises(Unproved, match=r"no plausible value of scd4x on i2c1 \(SCL GPIO22, SDA GPIO21\)"):
        wait(gateway, "2-1-a", ("", 0))


def test_a_node_that_no_file_names_is_heard_in_quarantine(gateway: Gateway, school: Live) -> None:
    before = gateway.aside("hana", "3-1-a")
    assert before == 25
    assert gateway.aside("nowhere", "3-1-a") == 25
    assert moment(gateway, "3-1-a") == ""
    with pytest.raises(Unproved):
        wait(gateway, "3-1-a", ("", before))
    school.quarantine["3-1-a"] = 26
    proof = wait(gateway, "3-1-a", ("", before))
    assert proof.aside
    assert "kept aside" in str(proof)


def test_a_crash_on_the_serial_line_ends_the_wait(gateway: Gateway) -> None:
    said = 'boot\r\nTraceback (most recent call last):\r\n  File "main.py", line 3\r\nMemoryError: \r\n'
    assert crashed(said) == "MemoryError:"
    assert crashed("Traceback (most recent call last):\r\n  File") == ""
    with pytest.raises(Unproved, match="the application stopped: MemoryError"):
        wait(gateway, "2-1-a", (moment(gateway, "2-1-a"), 0), said, wait_s=30)


def test_zero_is_a_value() -> None:
    assert plausible("pm25", {"raw": 0.0, "flag": 1})
    assert not plausible("pm25", {"raw": None, "flag": 9})
    assert not plausible("unheard-of", {"raw": 1.0, "flag": 1})


def test_no_gateway_and_a_foreign_server_are_told() -> None:
    with pytest.raises(Unproved, match="doesn't answer") as told:
        moment(Gateway("http://127.0.0.1:1"), "2-1-a")
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
        assert moment(Gateway(url, "right"), "a") == "now"
        with pytest.raises(Unproved, match="401") as told:
            moment(Gateway(url, "wrong"), "a")
        server.shutdown()
    assert "GONGI_TOKEN" in told.value.advice
    assert "right" not in repr(Gateway(url, "right"))
