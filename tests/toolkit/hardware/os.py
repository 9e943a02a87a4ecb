"""The port's own os, and the name of the board that it plays."""

from uos import *  # noqa: F403  # what the port has itself


def uname():
    return ("esp32", "esp32", "1.29.0", "v1.29.0 on 2026-08-24", "Generic ESP32 module with ESP32")
