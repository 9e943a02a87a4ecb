"""The radio of an emulated board: it joins the networks whose name and password it is given."""

import machine

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 201, 202
joined = [STAT_IDLE]


class WLAN:
    def __init__(self, interface):
        pass

    def active(self, on=None):
        return True

    def isconnected(self):
        return joined[0] == STAT_GOT_IP

    def connect(self, name, password=None):
        there = machine.HARDWARE["wifi"]
        joined[0] = (
            STAT_NO_AP_FOUND
            if name not in there
            else STAT_GOT_IP
            if there[name] == password
            else STAT_WRONG_PASSWORD
        )

    def disconnect(self):
        joined[0] = STAT_IDLE

    def status(self, what=None):
        return -55 if what == "rssi" else joined[0]

    def scan(self):
        kinds = machine.HARDWARE.get("security", {})
        return [(name.encode(), b"", 1, -55, kinds.get(name, 3), False) for name in machine.HARDWARE["wifi"]]

    def ifconfig(self, settings=None):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def config(self, *names, **values):
        return None
