"""The board's test of itself: real MicroPython, sensors on wires that may be wrong, a real broker."""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from firmware.toolkit import selftest, settings
from firmware.toolkit.application import build
from firmware.toolkit.boards import ESP32
from firmware.toolkit.ports import Port, opened
from firmware.toolkit.repl import Repl
from firmware.toolkit.secrets import Credentials
from firmware.toolkit.selftest import Faulty
from tests.firmware.workshop import Wires
from tests.servers import Mosquitto
from tests.toolkit.conftest import SENSORS, WIFI, Plug, wired

LIB = ("lib/trust.mpy", "lib/portal.mpy")
Examine = Callable[..., list[str]]


@pytest.fixture
def examine(plug: Plug, wires: Wires, mosquitto: Mosquitto, compiled: Path) -> Examine:
    """Let a board test itself; returns the kinds and sentences of its faults."""

    def examine(
        networks: dict[str, str] | None = None,
        brokers: list[tuple[str, int]] | None = None,
        sensors: tuple[settings.Sensor, ...] = SENSORS,
        ca: Path | None = None,
        more: dict[str, Any] | None = None,
        **hardware: Any,
    ) -> list[str]:
        board = plug(installed=True, **wired(wires, **hardware))
        reach = settings.Reach(
            tuple(settings.Wifi(*pair) for pair in (networks or WIFI).items()),
            tuple(brokers or [("127.0.0.1", mosquitto.port)]),
            ca is not None,
            "gongi/v1",
            "",
        )
        credentials = Credentials("", "", "00", 1)
        device = settings.Device("3-2-a", "hana", sensors, more=more)
        files = settings.configuration(device, reach, credentials, [ca] if ca else [])
        lib = {path: data for path, data in build("node", compiled).items() if path in LIB}
        with opened(Port(board.port)) as line:
            repl = Repl(line, board.port)
            repl.enter()
            repl.copy(files | lib, lambda share: None)
            try:
                selftest.examine(repl, settings.place(sensors), ESP32, board.port, 30)
            except Faulty as faulty:
                return [f"{fault.kind} | {fault.what} | {fault.advice}" for fault in faulty.faults]
        return []

    return examine


def test_a_board_with_everything_right_says_nothing(examine: Examine) -> None:
    assert examine() == []


def uart(**changes: Any) -> list[dict[str, Any]]:
    return [{"tx": 17, "rx": 16, "baud": 9600, "host": "127.0.0.1", "greeting": "uart1 x\n"} | changes]


def i2c(**changes: Any) -> list[dict[str, Any]]:
    return [
        {"scl": 22, "sda": 21, "addresses": [0x62], "host": "127.0.0.1", "greeting": "i2c1 x\n"} | changes
    ]


@pytest.mark.parametrize(
    ("hardware", "kind", "words"),
    [
        ({"uarts": uart(tx=16, rx=17)}, "sensor-swapped", ("RX and TX swapped", "GPIO16", "GPIO17")),
        ({"uarts": []}, "sensor-silent", ("pms5003 on uart1 is silent", "5 V", "GPIO16")),
        ({"i2cs": i2c(scl=21, sda=22)}, "sensor-swapped", ("SDA and SCL swapped", "GPIO21", "GPIO22")),
        ({"i2cs": i2c(addresses=[0x44])}, "sensor-other", ("an SHT4x at 0x44, not a scd4x (0x62)",)),
        ({"i2cs": []}, "sensor-silent", ("scd4x on i2c1 doesn't answer", "SDA on GPIO21")),
        ({"wifi": {"school": "another"}}, "wifi-password", ("“school” refuses the password", "wifi.toml")),
        ({"security": {"school": 5}}, "wifi-enterprise", ("“school” is 802.1X", "wifi.toml")),
        ({"wifi": {"cafe": "x"}}, "wifi-absent", ("“school” isn't there", "seen here: cafe")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_fault_has_its_sentence(
    examine: Examine, wires: Wires, hardware: dict[str, Any], kind: str, words: tuple[str, ...]
) -> None:
    for wire in (*hardware.get("uarts", ()), *hardware.get("i2cs", ())):
        wire["port"] = wires.port
    (fault,) = examine(**hardware)
    assert fault.startswith(kind)
    for word in words:
        assert word in fault


def test_a_sensor_of_another_make_is_named(examine: Examine, wires: Wires) -> None:
    (fault,) = examine(sensors=(settings.Sensor("sds011", "D-1"), SENSORS[1]))
    assert "on uart1 there is a Plantower PMS, not a sds011" in fault


def test_all_faults_are_told_at_once(examine: Examine) -> None:
    faults = examine(uarts=[], i2cs=[], wifi={})
    assert [fault.split(" |")[0] for fault in faults] == ["sensor-silent", "sensor-silent", "wifi-absent"]


def test_the_second_network_and_the_second_broker_will_do(examine: Examine, mosquitto: Mosquitto) -> None:
    networks = {"bench": "not in this house", **WIFI}
    assert examine(networks=networks, brokers=[("127.0.0.1", 1), ("127.0.0.1", mosquitto.port)]) == []


def test_a_broker_that_cannot_be_reached_is_told(examine: Examine) -> None:
    (fault,) = examine(brokers=[("127.0.0.1", 1)])
    assert fault.startswith("broker-unreachable | the broker 127.0.0.1:1 can't be reached")


def test_a_page_before_the_way_out_is_named(examine: Examine) -> None:
    def greet() -> None:
        with suppress(OSError):
            while True:
                line, _ = portal.accept()
                with line:
                    line.recv(1000)
                    line.sendall(b"HTTP/1.0 302 Found\r\nLocation: http://login.school/\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as portal:
        thread = threading.Thread(target=greet)
        thread.start()
        port = portal.getsockname()[1]
        faults = examine(brokers=[("127.0.0.1", 1)], more={"probe": ["127.0.0.1", port, "/"]})
        portal.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert faults[0].startswith("wifi-portal | the Wi-Fi lets nobody out before a captive page login.school")
    assert faults[1].startswith("broker-unreachable")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x20\x02\x00\x05", ("broker-refused", "refuses the node's user or password", "answer 5")),
        (b"", ("broker-silent", "says nothing", "no MQTT broker")),
    ],
    ids=["refused", "silent"],
)
def test_a_broker_that_refuses_and_one_that_is_none_are_told(
    examine: Examine, answer: bytes, words: tuple[str, ...]
) -> None:
    def greet() -> None:
        line, _ = foreign.accept()
        with line:
            line.recv(1000)
            line.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as foreign:
        thread = threading.Thread(target=greet)
        thread.start()
        closed = {"probe": ["127.0.0.1", 1, "/"]}
        (fault,) = examine(brokers=[("127.0.0.1", foreign.getsockname()[1])], more=closed)
    thread.join(5)
    assert all(word in fault for word in words), fault


def test_a_name_that_nobody_knows_is_told(examine: Examine) -> None:
    (fault,) = examine(brokers=[("nowhere.invalid", 1883)])
    assert fault.startswith("broker-name | the name nowhere.invalid is unknown")


@pytest.fixture
def believed(tmp_path: Path) -> Path:
    """The authority that the board is given; it has signed nothing."""
    trustme.CA(key_type=trustme.KeyType.ECDSA).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def test_tls_where_the_broker_has_none_is_told(examine: Examine, believed: Path) -> None:
    (fault,) = examine(ca=believed)
    assert fault.startswith("broker-tls")
    assert "secrets/ca.pem" in fault


def test_a_certificate_by_another_authority_is_refused(examine: Examine, believed: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    foreign = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert(
        "localhost", key_type=trustme.KeyType.ECDSA
    )
    foreign.configure_cert(context)
    heard: list[bytes] = []

    def greet() -> None:
        with suppress(OSError):
            while True:
                line, _ = broker.accept()
                with suppress(ssl.SSLError), context.wrap_socket(line, server_side=True) as secure:
                    heard.append(secure.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as broker:
        thread = threading.Thread(target=greet)
        thread.start()
        (fault,) = examine(brokers=[("localhost", broker.getsockname()[1])], ca=believed)
        broker.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert fault.startswith("broker-tls | the node refuses the certificate of localhost:")
    assert "secrets/ca.pem isn't the authority" in fault
    assert not any(heard), "its user and password stay its own"


def test_the_program_and_its_sentences_know_the_same_states() -> None:
    program = selftest.PROGRAM.read_text("utf-8")
    for table in (selftest.WIFI, selftest.BROKER, selftest.UART, selftest.I2C):
        for state in table:
            assert json.dumps(state) in program, state
