"""The pins of an emulated board: what is wired to them answers over TCP, as in the virtual world."""

import errno
import json
import os
import socket
import sys

from umachine import *  # noqa: F403  # what the port has itself

HARDWARE = json.loads(os.getenv("GONGI_HARDWARE") or "{}")
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


def unique_id():
    return bytes(int(HARDWARE["mac"][i : i + 2], 16) for i in range(0, 12, 2))


def reset_cause():
    return PWRON_RESET


def reset():
    sys.exit(0)


class WDT:
    def __init__(self, id=0, timeout=5000):
        pass

    def feed(self):
        pass


class Pin:
    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 2, 4

    def __init__(self, number, mode=0, pull=None):
        self.number = number

    def irq(self, handler, trigger):
        pass

    def value(self, level=None):
        return 1


def number(pin):
    return pin.number if isinstance(pin, Pin) else pin


class PWM:
    def __init__(self, pin, freq=1000, duty_u16=0):
        pass

    def duty_u16(self, duty):
        pass


class Timer:
    PERIODIC = 1

    def __init__(self, id):
        pass

    def init(self, period, mode, callback):
        pass


class RTC:
    def datetime(self, moment):
        pass


class Line:
    """One TCP connection to what is wired to a bus."""

    def __init__(self, wire):
        self.socket = socket.socket()
        self.socket.connect(socket.getaddrinfo(wire["host"], wire["port"])[0][-1])
        self.socket.write(wire["greeting"].encode())


class UART:
    """Hears a sensor when the pins that the program names are the pins it is wired to."""

    def __init__(self, id, baudrate=9600, tx=None, rx=None, rxbuf=256, timeout=0):
        self.line = None
        for wire in HARDWARE["uarts"]:
            if wire["rx"] == number(rx) and wire["tx"] == number(tx) and wire["baud"] == baudrate:
                self.line = Line(wire).socket

    def read(self, n=1024):
        if not self.line:
            return None
        try:
            self.line.setblocking(False)
            return self.line.recv(n) or None
        except OSError:
            return None

    def write(self, data):
        if self.line:
            self.line.setblocking(True)
            self.line.write(data)
        return len(data)

    def deinit(self):
        if self.line:
            self.line.close()
        self.line = None


class I2C:
    """Hears the devices of a bus when its pins are right."""

    def __init__(self, id, scl=None, sda=None, freq=400000):
        self.line = None
        for wire in HARDWARE["i2cs"]:
            if wire["scl"] == number(scl) and wire["sda"] == number(sda):
                self.line = Line(wire).socket
                self.addresses = wire["addresses"]

    def scan(self):
        return self.addresses if self.line else []

    def writeto(self, address, data):
        self._ask(b"W", address, len(data), data, 0)
        return len(data)

    def readfrom(self, address, size):
        return self._ask(b"R", address, size, b"", size)

    def _ask(self, op, address, size, data, answer):
        if not self.line or address not in self.addresses:
            raise OSError(errno.ENODEV)
        self.line.setblocking(True)
        self.line.write(op + bytes((address, size >> 8, size & 255)) + data)
        if self.line.read(1) != b"A":
            raise OSError(errno.ENODEV)
        return self.line.read(answer) if answer else b""
