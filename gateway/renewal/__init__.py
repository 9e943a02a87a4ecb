"""Renewals: what a device reaches its broker by, changed on all devices in an order that loses none."""

from gateway.renewal.course import Course, Pace
from gateway.renewal.record import Member, Record, RecordError, alone
from gateway.renewal.round import Round, Terms
from gateway.renewal.steps import RENEWALS, Said, Step

__all__ = [
    "RENEWALS",
    "Course",
    "Member",
    "Pace",
    "Record",
    "RecordError",
    "Round",
    "Said",
    "Step",
    "Terms",
    "alone",
]
