"""What the console answers: one typed model per thing, the same for the JSON API and for the pages."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

GradeId = Literal["good", "moderate", "unhealthy", "very_unhealthy"]
HealthWord = Literal["ok", "starting", "stalled"]
State = Literal["fresh", "stale", "dead", "never"]


class Answer(BaseModel):
    """Immutable; unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Notice(Answer):
    """What Korea's law wants beside the data of simple monitors."""

    instrument: str = Field(description="Measured by a simple monitor (간이측정기).")
    grade: str = Field(description="Its certification grade.")
    network: str = Field(description="That it is not data of the national network.")


class Cell(Answer):
    """One quantity of one sample."""

    quantity: str
    label: str = Field(description="The quantity's name in the answer's language.")
    unit: str
    raw: float | None = Field(description="As the sensor said it.")
    value: float | None = Field(description="Calibrated.")
    u: float | None = Field(description="Standard uncertainty of `value`.")
    flag: int = Field(description="QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing.")
    why: list[str] = Field(
        description="Why quality control flags it, in plain words; empty where it is good."
    )
    usable: bool = Field(description="Good or suspect, and no older than three intervals.")
    grade: GradeId | None = Field(description="Korean grade of PM2.5 and PM10, of usable values alone.")
    beyond: Literal["low", "high"] | None = Field(description="Which limit of the room is passed.")
    shown: str = Field(description="The value as a person reads it, without its unit.")
    word: str = Field(description="Grade or limit in words; empty where there is nothing to say.")


class SitingNow(Answer):
    """How a node stands."""

    kind: str = Field(
        description="urban, suburban, roadside, background or port; empty: the files don't say."
    )
    height_m: float | None = Field(description="Of its inlet above the ground or floor.")
    road_m: float | None = Field(description="To the next road.")
    exhaust_m: float | None = Field(description="To the next exhaust.")
    shelter: bool | None = Field(description="Whether it is sheltered from sun and rain.")
    said: str = Field(description="In words; empty where the files say nothing.")


class NodeNow(Answer):
    """A node and its newest sample."""

    id: str
    name: str = Field(description="Its room and id, for people.")
    site: str
    room: str = Field(description="Empty outdoors.")
    placement: str
    siting: SitingNow
    certificate: str = Field(description="Its certification grade: 1, 2, 3 or none; empty: not said.")
    state: State = Field(
        description="`stale` after three intervals, `dead` after ten or with an offline status."
    )
    online: bool | None = Field(description="Its own status; null: never heard.")
    time: datetime | None
    age_s: int | None
    interval_s: int
    said: str = Field(description="Age, or since when it is silent, in words.")
    cal: str = Field(description="What calibrated the values: entries of the network files, `@` their model.")
    values: dict[str, Cell]


class Step(Answer):
    """One forecast and its 90 % interval."""

    horizon_s: int
    target: datetime
    value: float
    lower: float
    upper: float


class OutlookNow(Answer):
    """What is forecast for a room by its node."""

    node: str
    quantity: str
    unit: str
    issued: datetime
    model: str
    steps: list[Step] = Field(description="Targets still ahead, nearest first.")
    said: str = Field(description="In words; empty where nothing is ahead.")


class OverrideNow(Answer):
    """A level that a person asked for."""

    level: int
    who: str = Field(description="As typed; nobody proves it.")
    why: str
    since: datetime
    until: datetime
    said: str = Field(description="Who, until when and why, in words.")


class ActuatorNow(Answer):
    """A purifier, ventilator or cleaner."""

    id: str
    kind: str
    room: str
    label: str
    level: int | None = Field(description="As it reports; null: never heard.")
    levels: int = Field(description="Number of levels, off included.")
    cause: str
    filter_h: float | None
    online: bool
    told: int | None = Field(description="The level of the last command.")
    told_at: datetime | None
    reason: str = Field(description="Of the last command, as sent.")
    acknowledged: bool
    level_word: str
    why: str = Field(description="Reason or cause in words.")
    answer_word: str = Field(description="Whether it confirmed, in words; empty without a command.")
    power: float | None = Field(default=None, description="Drawn when it last said so [W]; null: it doesn't.")
    power_at: datetime | None = None
    override: OverrideNow | None = Field(default=None, description="Null: the gateway decides.")


class LevelAnswer(Answer):
    """What the network files say of a level."""

    cadr: float = Field(description="Clean air [m³/h].")
    flow: float = Field(description="Outdoor air [m³/h].")
    power: float = Field(description="Electrical power [W].")


class ActuatorAnswer(Answer):
    """A purifier, ventilator or cleaner with its levels."""

    site: str
    dialect: str
    volume: float = Field(description="Of its room [m³].")
    inward: float = Field(description="What comes into its empty room from outdoors [1/h], as identified.")
    loss: float = Field(description="What its empty room loses without it [1/h], as identified.")
    levels: list[LevelAnswer] = Field(description="The first is off.")
    now: ActuatorNow


class Actuators(Answer):
    """All actuators, in the files' order."""

    actuators: list[ActuatorAnswer]


class RoomNow(Answer):
    """A room, or the outdoor air (`id` is empty)."""

    id: str
    name: str
    state: State
    grade: GradeId | None
    word: str
    said: str
    node: str = Field(description="The node that speaks for the room's particles.")
    values: dict[str, Cell] = Field(description="The highest usable value of the room's nodes, by quantity.")
    limits: dict[str, tuple[float | None, float | None]]
    outlook: OutlookNow | None
    windows: str = Field(
        "", description="What to do with its windows, as nobody commands them; empty: nothing."
    )
    actuators: list[ActuatorNow]
    nodes: list[NodeNow]


class OfficialNow(Answer):
    """What the official station nearby says, and the alerts in force: not measured by our monitors."""

    station: str = Field(
        default="", description="Its id in the network files; empty: none near enough has spoken."
    )
    km: float | None = Field(default=None, description="How far away it stands.")
    hour: datetime | None = Field(default=None, description="The beginning of its newest hour.")
    values: dict[str, float] = Field(default={}, description="That hour's means, by quantity [µg/m³].")
    said: str = Field(default="", description="The same in words.")
    alerts: list[str] = Field(default=[], description="The alerts in force, in words.")


class AlarmNow(Answer):
    """Something that a person should know."""

    kind: str
    about: str
    since: datetime
    text: str
    when: str


class NewNode(Answer):
    """A node that no network file names; its messages are kept aside."""

    id: str
    messages: int
    said: str


class Advice(Answer):
    """What to do now, for reference (참고)."""

    id: str
    grade: GradeId | None
    title: str
    text: str


class SiteNow(Answer):
    """A school, as it is now."""

    id: str
    name: str
    tz: str
    now: datetime
    clock: str = Field(description="`now` on the school's wall clock.")
    stalled: bool = Field(description="The gateway's clock stands still: every number here is old.")
    advice: Advice
    outdoor: RoomNow | None
    official: OfficialNow | None
    rooms: list[RoomNow] = Field(description="Worst first.")
    alarms: list[AlarmNow]
    silent: list[NodeNow] = Field(description="Nodes not fresh, but for those that an alarm names.")
    new_nodes: list[NewNode]
    more_new_nodes: int = 0
    refused: str = Field(description="Why the changed network file was refused; empty: it wasn't.")
    notice: Notice


class SiteLine(Answer):
    """A school in the list."""

    id: str
    name: str
    grade: GradeId | None
    word: str
    worst: str = Field(description="The worst room's name.")
    shown: str
    silent: int
    alarms: int
    lat: float | None
    lon: float | None


class Sites(Answer):
    """All schools, worst first."""

    now: datetime
    tz: str = Field(description="The first school's zone.")
    clock: str = Field(description="`now` on that zone's wall clock.")
    stalled: bool
    sites: list[SiteLine]
    notice: Notice


class Series(Answer):
    """A node's past by equal steps: all lists have one length; null where there is no sample."""

    node: str
    quantity: str
    unit: str
    step_s: int
    time: list[int] = Field(description="Begin of each step, UTC seconds.")
    raw: list[float | None] = Field(description="Mean of what the sensor said.")
    value: list[float | None] = Field(
        description="Mean of calibrated samples that quality control hasn't failed."
    )
    u: list[float | None] = Field(
        description="Standard uncertainty of `value`: the mean of the samples', which err alike."
    )
    cals: list[str] = Field(description="What calibrated them, in the order in which it came into force.")
    flag: list[int] = Field(description="The step's worst QARTOD flag; 0 without samples.")
    samples: list[int]
    notice: Notice


class RawValue(Answer):
    """The newest value of one quantity, as its sensor said it."""

    raw: float | None
    unit: str
    plausible: bool = Field(description="There, and within what its sensors can truthfully say.")


class Aside(Answer):
    """What is kept aside of a node that no network file names."""

    messages: int
    heard: datetime | None = Field(description="When its newest samples came; null: not since the start.")
    values: dict[str, RawValue] = Field(description="Of its newest sample, by the quantities it measures.")


class NodeAnswer(Answer):
    """A node, what it carries and what it last said of itself."""

    node: NodeNow | None = Field(description="Null where no network file names it.")
    aside: Aside | None = Field(default=None, description="Null where the network files name it.")
    sensors: list[tuple[str, str]]
    info: dict[str, Any]
    certificate: str
    notice: Notice


class LedgerAnswer(Answer):
    """The ledger of sequence numbers, as `gongi ledger --json` prints it."""

    ledger: dict[str, Any]
    notice: Notice


class Health(Answer):
    """Whether the gateway is alive."""

    status: HealthWord
    now: datetime
    still_s: float = Field(description="Seconds of the machine for which the gateway's clock hasn't moved.")


class Pulse(Answer):
    """Sent when nothing changed, so that a page knows that its numbers still hold."""

    now: datetime
    stalled: bool


class Problem(Answer):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
