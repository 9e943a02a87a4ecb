"""Before main.py on an ESP32: the radio takes its memory while there is still enough in one piece."""

import gc

import network

network.WLAN(network.STA_IF).active(True)
gc.collect()
