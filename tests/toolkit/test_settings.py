"""wifi.toml, the sensors' buses, and the file that a device reads."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from firmware.toolkit import application, settings
from firmware.toolkit.boards import BOARDS
from firmware.toolkit.secrets import Credentials
from firmware.toolkit.settings import BadSettings, Device, Reach, Sensor, Wifi, configuration, place, read

CREDENTIALS = Credentials("3-2-a", "pass", "ab" * 32, 1)
WIFI = """\
[[network]]
ssid = "school"
password = "chalk and slate"
[[network]]
ssid = "bench"
password = "solder smoke"
bench = true
[[broker]]
host = "gongi.school.example"
[[broker]]
host = "10.0.0.5"
port = 443
"""


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "wifi.toml").write_text(text, "utf-8")
    return tmp_path / "wifi.toml"


def test_networks_and_brokers_stand_in_their_order(tmp_path: Path) -> None:
    reach = read(written(tmp_path, WIFI))
    assert [network.ssid for network in reach.networks] == ["school", "bench"]
    assert reach.brokers == (("gongi.school.example", 8883), ("10.0.0.5", 443))
    assert reach.tls
    assert [network.ssid for network in read(tmp_path / "wifi.toml", bench=True).networks] == [
        "bench",
        "school",
    ]


def test_the_example_is_right(tmp_path: Path) -> None:
    example = settings.EXAMPLE.replace('"…"', '"12345678"')
    assert len(read(written(tmp_path, example)).networks) == 2
    with pytest.raises(BadSettings, match="no such file") as told:
        read(tmp_path / "other.toml")
    assert settings.EXAMPLE in told.value.advice


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ssid = ", "no TOML"),
        ("tls = true\n", r"no \[\[network\]\]"),
        (WIFI.replace("solder smoke", "short"), "5 characters: 8 to 63"),
        (WIFI.replace('"school"', '""'), "1 to 32 bytes"),
        (WIFI.replace("443", "99999"), "port 99999"),
        (WIFI.replace("gongi.school.example", "mqtts://x"), "a host name"),
        (WIFI + '[[network]]\nssid = "x"\n' * 3, "a node keeps 4"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        read(written(tmp_path, text))


def test_passwords_that_git_would_track_are_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(BadSettings, match="git would track it") as told:
        read(written(tmp_path, WIFI))
    assert told.value.advice == "add wifi.toml to .gitignore"
    (tmp_path / ".gitignore").write_text("/wifi.toml\n")
    assert read(tmp_path / "wifi.toml").networks


def test_a_hidden_network_and_a_fixed_address_reach_the_device(tmp_path: Path) -> None:
    fixed = 'address = "10.0.0.21"\nmask = "255.255.255.0"\ngateway = "10.0.0.1"\ndns = "10.0.0.2"\n'
    path = written(tmp_path, f'[[network]]\nssid = "x"\nhidden = true\n{fixed}[[broker]]\nhost = "b"\n')
    (network,) = read(path).networks
    assert network.entry() == {
        "ssid": "x",
        "password": "",
        "hidden": True,
        "address": ["10.0.0.21", "255.255.255.0", "10.0.0.1", "10.0.0.2"],
    }
    with pytest.raises(BadSettings, match="gateway = ''"):
        read(written(tmp_path, path.read_text().replace('gateway = "10.0.0.1"\n', "")))


def test_sensors_find_their_buses() -> None:
    sensors = (Sensor("pms5003", "1"), Sensor("scd4x", "2"), Sensor("sps30", "3"), Sensor("sht4x", "4"))
    assert [entry["bus"] for entry in place(sensors)] == ["uart1", "i2c1", "uart2", "i2c1"]
    assert place((Sensor("sps30", "3", "i2c2"),))[0]["bus"] == "i2c2"


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ([Sensor("pms9999", "1")], "no driver for a sensor 'pms9999'"),
        ([Sensor("pms5003", str(n)) for n in range(3)], "no free UART"),
        ([Sensor("pms5003", "1"), Sensor("sds011", "2", "uart1")], "two sensors on uart1"),
        ([Sensor("pms5003", "1", "uart9")], "on 'uart9': an ESP32 DevKitC has uart1, uart2, i2c1, i2c2"),
    ],
)
def test_sensors_that_cannot_be_wired_are_refused(sensors: list[Sensor], words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        place(sensors)


@pytest.mark.parametrize(
    ("sensors", "words"),
    [
        ([Sensor("pms5003", "1"), Sensor("sds011", "2")], "sds011 2 finds no free UART"),
        ([Sensor("sht4x", "1", "i2c2")], "an ESP32-C3-DevKitM-1 has uart1, i2c1"),
    ],
)
def test_a_chip_with_fewer_buses_says_so(sensors: list[Sensor], words: str) -> None:
    assert place(sensors)
    with pytest.raises(BadSettings, match=words):
        place(sensors, BOARDS["ESP32-C3"])


def reach(**changes: Any) -> Reach:
    facts = {
        "networks": (Wifi("s", "12345678"),),
        "brokers": (("b", 8883),),
        "tls": True,
        "root": "r",
        "ntp": "",
    }
    return Reach(**facts | changes)


def test_a_device_reads_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"one")
    (tmp_path / "ca-next.pem").write_bytes(b"two")
    device = Device("3-2-a", "hana", (Sensor("scd4x", "S-1"),), more={"sample_s": 10})
    authorities = [tmp_path / "ca.pem", tmp_path / "ca-next.pem"]
    board = BOARDS["ESP32-C3"]
    files = configuration(device, reach(), CREDENTIALS, authorities, board, built=1763778000)
    assert list(files) == ["ca0.pem", "ca1.pem", "update.key", "config.json"]
    assert (files["ca0.pem"], files["ca1.pem"], files["update.key"]) == (b"one", b"two", b"ab" * 32)
    config = json.loads(files["config.json"])
    assert config["tls"] == {"ca": ["/ca0.pem", "/ca1.pem"]}
    assert config["wifi"] == [["s", "12345678"]]
    assert config["sensors"] == [{"type": "scd4x", "serial": "S-1", "bus": "i2c1"}]
    assert (config["id"], config["site"], config["user"], config["sample_s"]) == (
        "3-2-a",
        "hana",
        "3-2-a",
        10,
    )
    assert "key" not in config
    assert config["built"] == 1763778000
    assert config["pins"] == {"uart1": [1, 5, 4], "i2c1": [0, 7, 6], "output": 10, "button": 9, "led": 3}


def test_tls_without_an_authority_is_refused() -> None:
    with pytest.raises(BadSettings, match="no certificate"):
        configuration(Device("a", "s"), reach(), CREDENTIALS, [])


def test_the_firmware_s_tables_are_read() -> None:
    assert application.drivers()["sps30"] == ("uart", "i2c")
    assert application.version().count(".") == 2
    assert list(application.sources("node"))[-1] == "main.py"
    assert "slots.py" in application.sources("actuator")
