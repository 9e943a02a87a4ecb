"""Each dialect by its recorded shapes (Tasmota, Zigbee2MQTT, ESPHome's discovery), and by anything at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dialect import DIALECTS, Device, Heard, Unheard, own_timer
from edge.dialect.tasmota import pulse

PLUG = Device("tasmota_1A2B3C", ("", ""), timer=True)
FAN = Device("tasmota_1A2B3C", ("", "", "", ""))
PURIFIER = Device("classroom-3", ("", "3", "6", "9"))
SOCKET = Device("socket", ("", ""), timer=True)
ANNOUNCED = {
    "name": "Purifier",
    "~": "school/purifier",
    "cmd_t": "~/fan/command",
    "stat_t": "~/fan/state",
    "pct_cmd_t": "~/speed/command",
    "pct_stat_t": "~/speed/state",
    "spd_rng_max": 3,
    "avty_t": "~/status",
    "uniq_id": "ESPfanpurifier",
}


def announced() -> Device:
    heard = DIALECTS["homeassistant"].hear(
        Device("fan/school/purifier", ("", "", "", "")),
        "homeassistant/fan/school/purifier/config",
        json.dumps(ANNOUNCED).encode(),
    )
    assert heard is not None
    assert heard.config is not None
    return Device("fan/school/purifier", ("", "", "", ""), config=heard.config)


@pytest.mark.parametrize(
    ("dialect", "device", "level", "said"),
    [
        ("tasmota", PLUG, 1, [("cmnd/tasmota_1A2B3C/Backlog", "PulseTime 400; POWER ON")]),
        ("tasmota", PLUG, 0, [("cmnd/tasmota_1A2B3C/POWER", "OFF")]),
        ("tasmota", FAN, 2, [("cmnd/tasmota_1A2B3C/FanSpeed", "2")]),
        ("tasmota", FAN, 0, [("cmnd/tasmota_1A2B3C/FanSpeed", "0")]),
        ("zigbee2mqtt", SOCKET, 1, [("zigbee2mqtt/socket/set", '{"state": "ON", "on_time": 300}')]),
        ("zigbee2mqtt", SOCKET, 0, [("zigbee2mqtt/socket/set", '{"state": "OFF"}')]),
        ("zigbee2mqtt", PURIFIER, 2, [("zigbee2mqtt/classroom-3/set", '{"fan_mode": "6"}')]),
        ("zigbee2mqtt", PURIFIER, 0, [("zigbee2mqtt/classroom-3/set", '{"fan_state": "OFF"}')]),
        ("homeassistant", Device("fan/x", ("", "")), 1, []),
        (
            "homeassistant",
            announced(),
            2,
            [("school/purifier/fan/command", "ON"), ("school/purifier/speed/command", "2")],
        ),
        ("homeassistant", announced(), 0, [("school/purifier/fan/command", "OFF")]),
    ],
)
def test_a_level_is_said(dialect: str, device: Device, level: int, said: list[tuple[str, str]]) -> None:
    found = DIALECTS[dialect].say(device, level, 300)
    assert [(one.topic, one.payload.decode()) for one in found] == said


@pytest.mark.parametrize(
    ("dialect", "device", "topic", "payload", "heard"),
    [
        ("tasmota", PLUG, "stat/tasmota_1A2B3C/RESULT", '{"POWER":"ON"}', Heard(1)),
        ("tasmota", PLUG, "stat/tasmota_1A2B3C/RESULT", '{"PulseTime1":{"Set":400,"Remaining":400}}', None),
        ("tasmota", PLUG, "stat/tasmota_1A2B3C/POWER", "OFF", Heard(0)),
        (
            "tasmota",
            PLUG,
            "stat/tasmota_1A2B3C/STATUS10",
            '{"StatusSNS":{"Time":"2026-11-22T09:00:00","ENERGY":{"Total":3.2,"Power":42,"Voltage":221}}}',
            Heard(power=42.0),
        ),
        ("tasmota", PLUG, "stat/tasmota_1A2B3C/STATUS10", '{"StatusSNS":{"Time":"2026-11-22"}}', None),
        ("tasmota", PLUG, "tele/tasmota_1A2B3C/STATE", '{"Uptime":"0T00:00:10","POWER":"ON"}', Heard(1)),
        ("tasmota", PLUG, "tele/tasmota_1A2B3C/LWT", "Offline", Heard(online=False)),
        (
            "tasmota",
            PLUG,
            "tele/tasmota_1A2B3C/SENSOR",
            '{"Time":"2026-11-22T10:00:00","ENERGY":{"Total":1.5,"Power":42,"Voltage":220}}',
            Heard(power=42.0),
        ),
        ("tasmota", FAN, "stat/tasmota_1A2B3C/RESULT", '{"FanSpeed":3}', Heard(3)),
        (
            "zigbee2mqtt",
            PURIFIER,
            "zigbee2mqtt/classroom-3",
            '{"fan_state":"ON","fan_mode":"6","fan_speed":6,"pm25":0,"air_quality":"excellent"}',
            Heard(2),
        ),
        (
            "zigbee2mqtt",
            PURIFIER,
            "zigbee2mqtt/classroom-3",
            '{"fan_state":"OFF","fan_mode":"off"}',
            Heard(0),
        ),
        ("zigbee2mqtt", SOCKET, "zigbee2mqtt/socket", '{"state":"ON","power":33.5}', Heard(1, power=33.5)),
        ("zigbee2mqtt", SOCKET, "zigbee2mqtt/socket", '{"linkquality":120}', None),
        (
            "zigbee2mqtt",
            SOCKET,
            "zigbee2mqtt/socket/availability",
            '{"state":"offline"}',
            Heard(online=False),
        ),
        ("homeassistant", announced(), "school/purifier/speed/state", "2", Heard(2)),
        ("homeassistant", announced(), "school/purifier/fan/state", "OFF", Heard(0)),
        ("homeassistant", announced(), "school/purifier/fan/state", "ON", None),
        ("homeassistant", announced(), "school/purifier/status", "online", Heard(online=True)),
    ],
)
def test_a_device_is_heard(
    dialect: str, device: Device, topic: str, payload: str, heard: Heard | None
) -> None:
    assert DIALECTS[dialect].hear(device, topic, payload.encode()) == heard
    assert topic in DIALECTS[dialect].topics(device)


def test_a_template_beyond_us_is_named() -> None:
    said = {**ANNOUNCED, "stat_val_tpl": "{% if value > 3 %}ON{% endif %}"}
    topic = "homeassistant/fan/school/purifier/config"
    with pytest.raises(Unheard, match="state_value_template"):
        DIALECTS["homeassistant"].hear(announced(), topic, json.dumps(said).encode())


def test_what_is_no_level_is_named() -> None:
    with pytest.raises(Unheard, match='"auto" is none of its levels'):
        DIALECTS["zigbee2mqtt"].hear(
            PURIFIER, "zigbee2mqtt/classroom-3", b'{"fan_state":"ON","fan_mode":"auto"}'
        )


@pytest.mark.parametrize(("seconds", "number"), [(1, 10), (11, 110), (12, 112), (300, 400), (90_000, 64_900)])
def test_pulse_time(seconds: int, number: int) -> None:
    assert pulse(seconds) == number


def test_who_has_a_timer() -> None:
    assert own_timer("gongi", 4)
    assert own_timer("tasmota", 2)
    assert not own_timer("tasmota", 4)
    assert not own_timer("zigbee2mqtt", 2)
    assert not own_timer("homeassistant", 2)


@given(
    st.sampled_from(
        [("tasmota", PLUG), ("tasmota", FAN), ("zigbee2mqtt", PURIFIER), ("homeassistant", announced())]
    ),
    st.integers(0, 9),
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
            lambda inner: st.dictionaries(
                st.sampled_from(
                    [
                        "POWER",
                        "FanSpeed",
                        "ENERGY",
                        "Power",
                        "state",
                        "fan_mode",
                        "fan_state",
                        "cmd_t",
                        "avty",
                        "~",
                    ]
                ),
                inner | st.lists(inner, max_size=2),
                max_size=4,
            ),
            max_leaves=8,
        ).map(lambda said: json.dumps(said).encode()),
    ),
)
def test_anything_is_understood_or_refused(spoken: tuple[str, Device], place: int, payload: bytes) -> None:
    dialect, device = DIALECTS[spoken[0]], spoken[1]
    topics = dialect.topics(device)
    try:
        heard = dialect.hear(device, topics[place % len(topics)], payload)
    except Unheard:
        return
    assert heard is None or heard.level is None or 0 <= heard.level < len(device.words)
