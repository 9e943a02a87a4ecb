"""Runs on the board, sent over the raw REPL: tries sensors, Wi-Fi and brokers, one JSON line each."""

import json
import socket
import struct
import time

import machine
import network

HEAR_MS = 3500
JOIN_MS = 20000
# What the radio says at first may yet change.
SURE_MS = {"absent": 6000, "password": 3000}
# Kinds of security that want a person's name.
ENTERPRISE = (5, 10, 14, 15)
patience = [100]  # per cent of these times
BROKER_S = 10
MARKS = {"plantower": b"\x42\x4d\x00\x1c", "sds011": b"\xaa\xc0"}
WORDS = {
    201: "absent",
    202: "password",
    203: "refused",
    204: "password",
    211: "absent",
    212: "refused",
    15: "password",
}


def say(**facts):
    print(json.dumps(facts))


def past(begun):
    return time.ticks_diff(time.ticks_ms(), begun) * 100 // patience[0]


def hear(number, tx, rx, mark):
    """Listen to a UART until the sensor's mark is heard; returns all that was."""
    uart = machine.UART(number, baudrate=9600, tx=tx, rx=rx, rxbuf=512)
    data = b""
    begun = time.ticks_ms()
    while MARKS[mark] not in data and past(begun) < HEAR_MS:
        data += uart.read() or b""
        data = data[-256:]
        time.sleep_ms(20)
    uart.deinit()
    return data


def uart(ask):
    pins, mark = ask["pins"], ask["mark"]
    data = hear(ask["number"], pins["tx"], pins["rx"], mark)
    if MARKS[mark] in data:
        return "ok", []
    other = [name for name in MARKS if MARKS[name] in data]
    if data:
        return ("other", other) if other else ("noise", [])
    return ("swapped", []) if hear(ask["number"], pins["rx"], pins["tx"], mark) else ("silent", [])


def scan(number, scl, sda):
    return machine.I2C(number, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=100000).scan()


def i2c(ask):
    pins = ask["pins"]
    found = scan(ask["number"], pins["scl"], pins["sda"])
    if ask["address"] in found:
        return "ok", found
    if found:
        return "other", found
    return ("swapped", []) if scan(ask["number"], pins["sda"], pins["scl"]) else ("silent", [])


def join(name, password, address):
    """Join one network; returns how it went."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    if station.isconnected():
        station.disconnect()
    station.ifconfig(tuple(address) if address else "dhcp")
    station.connect(name, password)
    begun = time.ticks_ms()
    while not station.isconnected():
        word = WORDS.get(station.status())
        if past(begun) > SURE_MS.get(word, JOIN_MS):
            station.disconnect()
            return word or "timeout"
        time.sleep_ms(100)
    return "ok"


def look():
    """The networks in the air, to their kind of security."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    try:
        return {bytes(found[0]).decode(): found[4] for found in station.scan()}
    except (OSError, ValueError):
        return {}


def portal(config):
    """What page stands between this network and the broker, empty for none."""
    import asyncio

    try:
        from lib.portal import ask
    except ImportError:
        return ""
    return asyncio.run(ask(config.get("probe")))


def text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def broker(host, port, config):
    """Connect to a broker as the application will; returns how it went."""
    try:
        address = socket.getaddrinfo(host, port)[0][-1]
    except OSError:
        return "name", ""
    line = socket.socket()
    try:
        line.settimeout(BROKER_S)
        line.connect(address)
    except OSError as error:
        line.close()
        return "unreachable", str(error)
    try:
        return mqtt(secured(line, host, config), config)
    except (OSError, ValueError) as error:
        return ("tls" if config.get("tls") else "silent"), str(error)
    finally:
        line.close()


def secured(line, host, config):
    if not config.get("tls"):
        return line
    from lib.trust import context

    return context(config).wrap_socket(line, server_hostname=host)


def mqtt(line, config):
    """CONNECT with the device's own name and login; returns what CONNACK says."""
    body = (
        text("MQTT")
        + bytes((4, 0xC2 if config.get("user") else 2))
        + b"\0\x1e"
        + text("gongi-" + config["id"])
    )
    if config.get("user"):
        body += text(config["user"]) + text(config["password"])
    line.write(
        b"\x10"
        + (bytes((len(body),)) if len(body) < 128 else bytes((len(body) & 127 | 128, len(body) >> 7)))
        + body
    )
    answer = line.read(4)
    if not answer or len(answer) < 4:
        return "silent", ""
    line.write(b"\xe0\0")
    return ("ok", "") if answer[3] == 0 else ("refused", str(answer[3]))


def clock(utc):
    """Set the clock that TLS checks certificates by, to the computer's."""
    epoch = 946684800 if time.gmtime(0)[0] == 2000 else 0
    t = time.gmtime(utc - epoch)
    machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))


def run(ask):
    patience[0] = ask["patience"]
    for one in ask["sensors"]:
        state, found = (uart if one["kind"] == "uart" else i2c)(one)
        say(what="sensor", sensor=one["sensor"], state=state, found=found)
    with open("/config.json") as file:
        config = json.load(file)
    clock(ask["utc"])
    online = False
    seen = look()
    for entry in config["wifi"]:
        one = entry if isinstance(entry, dict) else {"ssid": entry[0], "password": entry[1]}
        name = one["ssid"]
        enterprise = seen.get(name) in ENTERPRISE
        state = "enterprise" if enterprise else join(name, one["password"], one.get("address"))
        say(what="wifi", ssid=name, state=state)
        if state == "ok":
            online = True
            break
    if not online:
        say(what="air", seen=list(seen))
        return
    for host, port in config["brokers"]:
        state, why = broker(host, port, config)
        say(what="broker", host=host, port=port, state=state, why=why)
        if state == "ok":
            return
    say(what="portal", why=portal(config))
