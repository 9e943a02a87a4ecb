"""`gongi serve` and a real node on the rendered rights: what they need is allowed."""

import os
from collections.abc import Iterator

import pytest

from tests.credentials.conftest import SCHOOL, Place, Ready
from tests.firmware.workshop import NODE, ROOT, Process, Wires
from tests.proof.gateway import Gateway
from tests.servers import wait_until


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


def test_a_node_of_the_second_generation_is_stored(
    place: Place, broker: Ready, micropython: str, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.call("rotate", "3-2-a", "gateway", "--reload", broker.pid_file)
    wait_until(lambda: broker.lets_in(*place.password("3-2-a")))
    for line in (place.secrets / "gateway.env").read_text().split():
        monkeypatch.setenv(*line.split("="))
    assert os.environ["GONGI_MQTT_USER"] == "gateway.2"
    gateway = Gateway(place.folder / "gateway", SCHOOL, broker.port)
    user, password = place.password("3-2-a")
    node = Process(
        micropython,
        place.folder / "node",
        NODE
        | {"id": "3-2-a", "site": "hana", "root": ROOT, "user": user, "password": password}
        | {"brokers": [["127.0.0.1", broker.port]]}
        | {"sim": {"wiring": ["127.0.0.1", wires.port], "speed": 120, "flash": None}},
    )
    try:
        gateway.start()
        node.start()
        wait_until(lambda: gateway.counted("samples_stored") >= 6, 40, 0.1)
        assert "its ACL" not in gateway.log.read_text()
        assert "may this user speak here?" not in node.log
        assert node.alive
    finally:
        node.kill()
        gateway.stop()
