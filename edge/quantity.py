"""What a node can measure: one row per quantity."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured quantity; `low` and `high` bound what its sensors can truthfully say, in `unit`."""

    name: str
    unit: str
    low: float
    high: float
    resolution: float
    en: str
    ko: str


def _mass(name: str, size: str, note_en: str = "", note_ko: str = "") -> Quantity:
    en = f"{size}{note_en}"
    return Quantity(name, "µg/m³", 0.0, 1000.0, 1.0, en, f"{size}{note_ko}")


def _count(name: str, size: str) -> Quantity:
    return Quantity(name, "1/0.1 L", 0.0, 65535.0, 1.0, f"Particles > {size} µm", f"{size} µm 초과 입자 수")


_TABLE = (
    _mass("pm1", "PM1"),
    _mass("pm25", "PM2.5"),
    _mass("pm10", "PM10"),
    _mass("pm25_a", "PM2.5", ", channel A", ", A 채널"),
    _mass("pm25_b", "PM2.5", ", channel B", ", B 채널"),
    _mass("pm10_a", "PM10", ", channel A", ", A 채널"),
    _mass("pm10_b", "PM10", ", channel B", ", B 채널"),
    _mass("pm1_cf1", "PM1", " (CF=1)", " (CF=1)"),
    _mass("pm25_cf1", "PM2.5", " (CF=1)", " (CF=1)"),
    _mass("pm10_cf1", "PM10", " (CF=1)", " (CF=1)"),
    _count("n03", "0.3"),
    _count("n05", "0.5"),
    _count("n10", "1.0"),
    _count("n25", "2.5"),
    _count("n50", "5.0"),
    _count("n100", "10"),
    Quantity("rh", "%", 0.0, 100.0, 0.1, "Relative humidity", "상대습도"),
    Quantity("temp", "°C", -40.0, 85.0, 0.1, "Temperature", "기온"),
    Quantity("co2", "ppm", 250.0, 40000.0, 1.0, "Carbon dioxide", "이산화탄소"),
    Quantity("pressure", "hPa", 300.0, 1100.0, 0.1, "Air pressure", "기압"),
    Quantity("voc", "index", 0.0, 500.0, 1.0, "VOC index", "휘발성유기화합물 지수"),
)

QUANTITIES: dict[str, Quantity] = {quantity.name: quantity for quantity in _TABLE}
