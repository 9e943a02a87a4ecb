"""Rolling a release out over MQTT: by growing shares, watching health, halting by itself, taken up again."""

from gateway.ota.delivery import Delivery, Parcel
from gateway.ota.record import Device, Record, RecordError, State
from gateway.ota.rollout import Plan, RollOut

__all__ = ["Delivery", "Device", "Parcel", "Plan", "Record", "RecordError", "RollOut", "State"]
