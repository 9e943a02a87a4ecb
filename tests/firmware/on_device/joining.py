"""Wi-Fi with a radio that behaves as an ESP32's does, and captive pages from a real local server."""

import asyncio

from lib.portal import ask, verdict
from lib.wifi import NoWifi, Wifi

GONE, WRONG, JOINING, UP = 201, 202, 1001, 1010
OPEN, WPA2, WPA2_ENTERPRISE = 0, 3, 5


class Radio:
    """A station among access points: name to (password, security, hidden)."""

    def __init__(self, points: dict) -> None:
        self.points = points
        self.on = False
        self.inside = None
        self.tried = []
        self.addresses = []
        self._state = JOINING

    def active(self, on: bool) -> None:
        self.on = on
        if not on:
            self.inside = None

    def ifconfig(self, address: object) -> None:
        self.addresses.append(address)

    def connect(self, name: str, password: str | None) -> None:
        assert self.on
        self.tried.append(name)
        point = self.points.get(name)
        self.inside = None
        if not point:
            self._state = GONE
        elif point[1] == WPA2_ENTERPRISE or point[0] != password:
            self._state = WRONG
        else:
            self.inside, self._state = name, UP

    def disconnect(self) -> None:
        self.inside = None

    def isconnected(self) -> bool:
        return self.inside in self.points

    def status(self) -> int:
        return self._state

    def scan(self) -> list:
        return [(n.encode(), b"", 1, -60, p[1], False) for n, p in self.points.items() if not p[2]]


def point(password: str, security: int = WPA2, hidden: bool = False) -> tuple:
    return (password, security, hidden)


THREE = [
    ["bench", "b"],
    {"ssid": "school", "password": "s", "address": ["10.0.0.9", "255.255.255.0", "10.0.0.1", "10.0.0.1"]},
    ["spare", "x"],
]


def test_the_first_that_is_there_is_joined_with_its_address() -> None:
    radio = Radio({"school": point("s"), "spare": point("x")})
    wifi = Wifi(radio, THREE)
    asyncio.run(wifi.join())
    assert (wifi.at.name, radio.tried) == ("school", ["bench", "school"])
    assert radio.addresses == ["dhcp", ("10.0.0.9", "255.255.255.0", "10.0.0.1", "10.0.0.1")]
    assert wifi.told() == (("ssid", "school"), ("trouble", "bench: not there"))
    asyncio.run(wifi.join())
    assert len(radio.tried) == 2  # it is in already


def test_an_access_point_that_vanishes_and_the_next_one() -> None:
    radio = Radio({"school": point("s"), "spare": point("x")})
    wifi = Wifi(radio, THREE)
    asyncio.run(wifi.join())
    del radio.points["school"]
    asyncio.run(wifi.join())
    assert wifi.at.name == "spare"
    del radio.points["spare"]
    try:
        asyncio.run(wifi.join())
    except NoWifi as error:
        assert "spare: not there" in error.args[0]
    else:
        raise AssertionError
    radio.points["bench"] = point("b")
    asyncio.run(wifi.join())
    assert wifi.at.name == "bench"
    assert "bench" not in wifi.trouble


def test_causes_have_names() -> None:
    networks = [
        ["bench", "wrong"],
        ["office", "o"],
        {"ssid": "secret", "password": "s", "hidden": True},
        ["far", "f"],
    ]
    radio = Radio({"bench": point("b"), "office": point("o", WPA2_ENTERPRISE), "other": point("")})
    wifi = Wifi(radio, networks + [["fifth", "is left out"]])
    try:
        asyncio.run(wifi.join())
    except NoWifi as error:
        said = error.args[0]
        assert "bench: wrong password" in said
        assert "office: 802.1X" in said
        assert "secret: hidden" in said
        assert "far: not there" in said
        assert "fifth" not in said
        assert wifi.gated()
        return
    raise AssertionError


def test_a_hidden_network_is_joined() -> None:
    radio = Radio({"secret": point("s", hidden=True)})
    wifi = Wifi(radio, [{"ssid": "secret", "password": "s", "hidden": True}])
    asyncio.run(wifi.join())
    assert wifi.at.name == "secret"


def test_a_stuck_radio_begins_anew() -> None:
    radio = Radio({})
    wifi = Wifi(radio, [["bench", "b"]])
    for i in range(8):
        try:
            asyncio.run(wifi.join())
        except NoWifi:
            assert radio.on == (i < 7)


def test_verdicts() -> None:
    assert verdict(b"HTTP/1.1 204 No Content\r\n\r\n") == ""
    assert (
        verdict(b"HTTP/1.0 302 Found\r\nLocation: http://login.school.kr/x?y=1\r\n\r\n")
        == "captive page login.school.kr"
    )
    assert verdict(b"HTTP/1.1 307 T\r\nlocation:https://10.0.0.1\r\n\r\n") == "captive page 10.0.0.1"
    assert verdict(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>") == "captive page"
    assert verdict(b"HTTP/1.1 511 Network Authentication Required\r\n\r\n") == "captive page"
    for other in (
        b"",
        b"HTTP/1.1",
        b"SSH-2.0 x\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 500 X\r\n\r\n",
    ):
        assert verdict(other) == "", other


async def _serving(answer: bytes, work: object) -> object:
    asked = []

    async def serve(reader: object, writer: object) -> None:
        asked.append(await reader.readline())
        while (await reader.readline()).strip():
            pass
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = None
    for port in range(18200, 18300):
        try:
            server = await asyncio.start_server(serve, "127.0.0.1", port)
            break
        except OSError:
            continue
    try:
        got = await work(["127.0.0.1", port, "/generate_204"])
    finally:
        server.close()
    assert asked[0] == b"GET /generate_204 HTTP/1.0\r\n"
    return got


def test_a_real_page_is_recognised_and_the_next_network_has_its_turn() -> None:
    page = b"HTTP/1.1 302 Found\r\nLocation: http://portal.school/login\r\n\r\n<html>"
    radio = Radio({"school": point("s"), "spare": point("x")})

    async def work(probe: list) -> None:
        wifi = Wifi(radio, THREE, probe)
        await wifi.join()
        assert wifi.at.name == "school"
        await wifi.failed(1)
        assert "school: captive page portal.school" in wifi.trouble
        assert wifi.gated()
        await wifi.join()
        assert wifi.at.name == "spare"
        wifi.arrived()
        assert "school: captive page" in wifi.trouble  # to be told, now that somebody hears it

    asyncio.run(_serving(page, work))


def test_an_open_way_and_no_answer_are_no_page() -> None:
    assert asyncio.run(_serving(b"HTTP/1.1 204 No Content\r\n\r\n", ask)) == ""
    assert asyncio.run(ask(["127.0.0.1", 9, "/"])) == ""


def test_without_a_broker_every_network_has_its_turn() -> None:
    radio = Radio({"bench": point("b"), "spare": point("x")})
    wifi = Wifi(radio, [["bench", "b"], ["spare", "x"]], ["127.0.0.1", 9, "/"])
    seen = []

    async def work() -> None:
        for _ in range(6):
            await wifi.join()
            seen.append(wifi.at.name)
            await wifi.failed(1)

    asyncio.run(work())
    assert seen == ["bench", "bench", "spare", "spare", "bench", "bench"]
