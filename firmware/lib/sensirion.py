"""Words of Sensirion's sensors on I2C: 16 bits, each followed by its CRC-8."""

from lib.sensor import BadChecksum


def crc8(data: bytes) -> int:
    """CRC-8 of Sensirion's words: polynomial 0x31, first value 0xFF."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def words(data: bytes) -> list:
    """Return the 16-bit words of groups of 3 bytes; raise BadChecksum."""
    out = []
    for i in range(0, len(data), 3):
        if crc8(data[i : i + 2]) != data[i + 2]:
            raise BadChecksum
        out.append(data[i] << 8 | data[i + 1])
    return out


def celsius(value: int) -> int:
    """Return the temperature [0.01 °C]."""
    return (17500 * value + 32767) // 65535 - 4500
