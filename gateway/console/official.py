"""What the official station nearby says, and the alerts in force, beside the outdoor air."""

from collections.abc import Iterable, Mapping

from edge.network import Site
from edge.quantity import QUANTITIES
from edge.readings import SECOND
from gateway.console import spoken
from gateway.console.answers import OfficialNow
from gateway.console.scene import Scene, Stand, utc
from gateway.live import Official
from gateway.reference.nearest import DEFAULT, FARTHEST_KM, choose, kilometres, spots
from gateway.words import N_, Words

ALERTS: Mapping[tuple[str, int], str] = {
    ("pm25_alert", 1): N_("PM2.5 advisory in force: {area}"),
    ("pm25_alert", 2): N_("PM2.5 warning in force: {area}"),
    ("pm10_alert", 1): N_("PM10 advisory in force: {area}"),
    ("pm10_alert", 2): N_("PM10 warning in force: {area}"),
}
HOUR_S = 3600


def official_now(site: Site, stands: Iterable[Stand], scene: Scene) -> OfficialNow | None:
    """The station that stands for a site's outdoor air; None where none near enough has spoken, and no alert
    is in force."""
    alerts = _alerts(site, scene)
    kind = next((stand.at.siting for stand in stands if not stand.at.room and stand.at.siting), DEFAULT)
    speaking = [spot for spot in spots(scene.places.network) if _said(spot.id, scene).values]
    placed = site.lat is not None and site.lon is not None
    found = choose(site.lat or 0.0, site.lon or 0.0, kind, speaking).chosen if placed else None
    if found is None:
        return OfficialNow(alerts=alerts) if alerts else None
    said = _said(found.spot.id, scene)
    end = said.time + HOUR_S * SECOND
    return OfficialNow(
        station=found.spot.id,
        km=round(found.km, 1),
        hour=utc(said.time),
        values=dict(said.values),
        said=scene.words.gettext(
            "Official station {station}, {km} km away: {values} ({time}, {ago})",
            station=_name(found.spot.id, scene),
            km=f"{found.km:.1f}",
            values=", ".join(_shown(name, value, scene.words) for name, value in said.values.items()),
            time=spoken.clock(utc(end), scene.moment, site.tz, scene.words),
            ago=spoken.ago(max(scene.now - end, 0) / SECOND, scene.words),
        ),
        alerts=alerts,
    )


def _said(station: str, scene: Scene) -> Official:
    return scene.official.get(station, Official())


def _name(station: str, scene: Scene) -> str:
    one = scene.places.network.stations[station]
    return (one.ko if scene.words.lang == "ko" else one.en) or one.id


def _shown(name: str, value: float, words: Words) -> str:
    quantity = QUANTITIES[name]
    return f"{spoken.label(name, words)} {spoken.number(value, quantity.resolution)} {quantity.unit}"


def _alerts(site: Site, scene: Scene) -> list[str]:
    """Of the alert areas that the files name the nearest one's."""
    if site.lat is None or site.lon is None:
        return []
    near = [
        (kilometres(site.lat, site.lon, one.lat, one.lon), one.id)
        for one in scene.places.network.stations.values()
        if one.source == "airkorea-alerts"
    ]
    far, station = min(near, default=(FARTHEST_KM + 1, ""))
    if far > FARTHEST_KM:
        return []
    words, area = scene.words, _name(station, scene)
    return [words.gettext(ALERTS[alert], area=area) for alert in _said(station, scene).alerts.items()]
