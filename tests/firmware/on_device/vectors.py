"""The golden vectors, read by the device side as by the host."""

import binascii
import json


def load(name: str) -> dict:
    with open(__file__.rsplit("/", 1)[0] + "/../../vectors/" + name + ".json") as file:
        return json.load(file)


def octets(text: str) -> bytes:
    return binascii.unhexlify(text.replace(" ", ""))
