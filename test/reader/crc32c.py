"""CRC-32C (docs/format.md, "Conventions")."""


def _make_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _make_table()


def crc32c(*parts):
    """Checksum of the concatenation of byte strings."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for part in parts:
        for byte in part:
            crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def crc32c_without(data, field, prefix=b""):
    """Checksum of data with the four bytes at offset "field" taken as zero."""
    return crc32c(prefix, data[:field], b"\0\0\0\0", data[field + 4:])
