"""Run the device of /config.json on an ESP32; whatever ends it begins it anew."""

import json

import machine
from board_esp32 import Board
from lib.start import run

with open("/config.json") as file:
    config = json.load(file)
run(config, Board(config))
machine.reset()
