"""Row groups: footer, chunks, units, pieces, overflow values (docs/format.md)."""

import struct
from collections import namedtuple

from crc32c import crc32c, crc32c_without
from decompress import Damaged, Unsupported, decompress
from encoding import BYTES, Source, decode, open_dictionary, unpack
from fork import DATA, NO_BLOCK, PAYLOAD

OVERFLOW_FRAME = 262144
UNIT_RAW_MAX = 128 * 1024 * 1024

Column = namedtuple("Column", """column_id checksum type_oid typmod phys encoding compression
    flags width reserved offset length header_length chunk_checksum raw_length
    distinct_estimate reserved2 key_kind""")


class Group:
    """A COMPLETE row group, read into memory."""

    def __init__(self, fork, entry, runs):
        if entry.location != 0 or entry.delete_version_root != NO_BLOCK:
            raise Unsupported("row group %d has features of a later version" % entry.group_id)
        self.entry = entry
        self.data = self._read(fork, runs)
        self.columns = {}
        self._parse_footer()

    def _read(self, fork, runs):
        """The byte string."""
        entry = self.entry
        blocks = [block for start, length in runs for block in range(start, start + length)]
        pages = -(-entry.data_length // PAYLOAD)
        if pages > len(blocks):
            raise Damaged("row group %d has too few pages" % entry.group_id)
        data = b"".join(fork.payload(blocks[i], DATA, entry.group_id, i) for i in range(pages))
        if len(data) != entry.data_length:
            raise Damaged("row group %d has a wrong length" % entry.group_id)
        return data

    def part(self, offset, length):
        if offset + length > len(self.data):
            raise Damaged("a part past the end of row group %d" % self.entry.group_id)
        return self.data[offset:offset + length]

    def _parse_footer(self):
        entry = self.entry
        footer = self.part(entry.footer_offset, entry.footer_length)
        (magic, version, flags, group_id, row_base, self.row_count, self.vector_rows, count,
         checksum, xid, _, overflow_offset, overflow_length) = unpack("IHHQQIIIIQQQQ", footer)
        if magic != 0x46474C52 or crc32c_without(footer[:72], 36) != checksum:
            raise Damaged("footer of row group %d" % entry.group_id)
        if version != 1 or flags & ~2:
            raise Unsupported("footer version %d, flags %#x" % (version, flags))
        if (group_id, row_base, self.row_count, xid, self.vector_rows) != \
                (entry.group_id, entry.row_base, entry.row_count, entry.writer_xid,
                 entry.vector_rows) or len(footer) != 72 + 104 * count:
            raise Damaged("footer and entry of row group %d differ" % entry.group_id)
        self.overflow = self.part(overflow_offset, overflow_length)
        for i in range(count):
            data = footer[72 + 104 * i:176 + 104 * i]
            column = Column(*unpack("IIIiBBBBHHQQIIQIIB", data))
            if crc32c_without(data, 4) != column.checksum:
                raise Damaged("footer of row group %d, column entry %d" % (entry.group_id, i))
            if column.flags != 0:
                raise Unsupported("column flags %#x" % column.flags)
            self.columns[column.column_id] = column

    def values(self, column_id):
        """The values of a column as bytes, None for nulls; None if it has no such column."""
        if column_id not in self.columns:
            return None
        return Chunk(self, self.columns[column_id]).values()


SALTS = (0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D,
         0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31)
P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                      0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
M64 = (1 << 64) - 1


def rotl(x, n):
    return (x << n | x >> 64 - n) & M64


def xxh_round(v, w):
    return rotl(v + w * P2 & M64, 31) * P1 & M64


def xxh64(data):
    """XXH64 with seed 0."""
    source = Source(data)
    h = P5
    if len(data) >= 32:
        v = [P1 + P2 & M64, P2, 0, -P1 & M64]
        while len(data) - source.pos >= 32:
            v = [xxh_round(lane, source.number(8)) for lane in v]
        h = rotl(v[0], 1) + rotl(v[1], 7) + rotl(v[2], 12) + rotl(v[3], 18) & M64
        for lane in v:
            h = (h ^ xxh_round(0, lane)) * P1 + P4 & M64
    h = h + len(data) & M64
    while len(data) - source.pos >= 8:
        h = rotl(h ^ xxh_round(0, source.number(8)), 27) * P1 + P4 & M64
    if len(data) - source.pos >= 4:
        h = rotl(h ^ source.number(4) * P1 & M64, 23) * P2 + P3 & M64
    while source.pos < len(data):
        h = rotl(h ^ source.number(1) * P5 & M64, 11) * P1 & M64
    h = (h ^ h >> 33) * P2 & M64
    h = (h ^ h >> 29) * P3 & M64
    return h ^ h >> 32


def canonical_numeric(data):
    head, = unpack("H", data)
    if head >= 0xC000:
        return struct.pack("<H", head & 0xF000)
    if head >= 0x8000:
        negative, weight, rest = head & 0x2000, ((head & 0x7F) ^ 0x40) - 0x40, data[2:]
    else:
        negative, weight, rest = head & 0x4000, unpack("h", data, 2)[0], data[4:]
    digits = [rest[i:i + 2] for i in range(0, len(rest), 2)]
    while digits and digits[-1] == b"\0\0":
        digits.pop()
    while digits and digits[0] == b"\0\0":
        digits.pop(0)
        weight -= 1
    if not digits:
        return bytes(4)
    return struct.pack("<Hh", 1 if negative else 0, weight) + b"".join(digits[:64])


def canonical(key_kind, phys, value):
    """The bytes of a value that are hashed."""
    if key_kind in (1, 2):
        number = int.from_bytes(value, "little", signed=key_kind == 1)
        return (number & M64).to_bytes(8, "little")
    if key_kind == 3:
        number, = unpack("f" if len(value) == 4 else "d", value)
        if number != number:
            return (0x7FF8 << 48).to_bytes(8, "little")
        return struct.pack("<d", number or 0.0)
    if key_kind == 4 and phys != BYTES:
        return value.split(b"\0")[0]
    if key_kind == 5:
        return value.rstrip(b" ")
    if key_kind == 8:
        return canonical_numeric(value)
    return value


class Bloom:
    """The Bloom filter of a chunk (docs/format.md, "Bloom filters")."""

    def __init__(self, header, units, data):
        version, self.blocks, self.partition_count, _, reserved = unpack("HHIII", header)
        if version != 1 or reserved:
            raise Unsupported("Bloom filter with hash %d" % version)
        if not 1 <= self.partition_count <= min(1024, len(units) - 1) or not 1 <= self.blocks <= 254:
            raise Damaged("Bloom filter of an impossible size")
        self.bits = b""
        for offset, stored, raw, checksum in units[-self.partition_count:]:
            part = data[offset:offset + stored]
            if stored != raw or raw != 32 * self.blocks or crc32c(part) != checksum:
                raise Damaged("partition of a Bloom filter")
            self.bits += part

    def may_contain(self, h):
        block = (h >> 32) * (self.blocks * self.partition_count) >> 32
        words = unpack("8I", self.bits, 32 * block)
        return all(word >> ((h & 0xFFFFFFFF) * salt % 2 ** 32 >> 27) & 1
                   for word, salt in zip(words, SALTS))


class Chunk:
    """A column of a row group."""

    def __init__(self, group, column):
        self.group = group
        self.column = column
        self.data = group.part(column.offset, column.length)
        if crc32c(self.data) != column.chunk_checksum:
            raise Damaged("chunk of column %d" % column.column_id)
        self._parse_header()

    def _parse_header(self):
        header = self.data[:self.column.header_length]
        (magic, version, self.flags, _, group_id, column_id, checksum, rows, vector_rows,
         self.unit_rows, count) = unpack("IHBBQIIIIII", header)
        if magic != 0x4B434C52 or crc32c_without(header, 20) != checksum:
            raise Damaged("chunk header of column %d" % self.column.column_id)
        if version != 1 or self.flags & ~7:
            raise Unsupported("chunk version %d, flags %#x" % (version, self.flags))
        if (group_id, column_id, rows, vector_rows) != \
                (self.group.entry.group_id, self.column.column_id, self.group.row_count,
                 self.group.vector_rows):
            raise Damaged("chunk header of column %d is another's" % self.column.column_id)
        zones = -(-rows // vector_rows) if self.flags & 1 else 0
        bloom = 16 if self.flags & 4 else 0
        if len(header) != 40 + 16 * count + 40 * zones + bloom:
            raise Damaged("chunk header of column %d has a wrong length" % self.column.column_id)
        self.units = [unpack("IIII", header, 40 + 16 * i) for i in range(count)]
        self.bloom = None
        if bloom:
            self.bloom = Bloom(header[-bloom:], self.units, self.data)
            self.units = self.units[:-self.bloom.partition_count]

    def unit(self, index):
        offset, stored, raw, checksum = self.units[index]
        data = self.data[offset:offset + stored]
        if len(data) != stored or raw > UNIT_RAW_MAX or crc32c(data) != checksum:
            raise Damaged("unit %d of column %d" % (index, self.column.column_id))
        return decompress(self.column.compression, data, raw)

    def values(self):
        column = self.column
        entries = None
        first = 0
        if self.flags & 2:
            entries = open_dictionary(self.unit(0), column.phys, column.width, column.encoding)
            first = 1
        piece_rows = min(self.unit_rows, self.group.vector_rows)
        result = []
        for index in range(first, len(self.units)):
            source = Source(self.unit(index))
            end = min(len(result) + self.unit_rows, self.group.row_count)
            while len(result) < end:
                result += self._piece(source, min(piece_rows, end - len(result)), entries)
            source.end()
        if len(result) != self.group.row_count:
            raise Damaged("%d rows in the units of column %d" % (len(result), column.column_id))
        if self.bloom:
            for value in result:
                if value is not None and \
                        not self.bloom.may_contain(xxh64(canonical(column.key_kind, column.phys, value))):
                    raise Damaged("Bloom filter of column %d lacks a value" % column.column_id)
        return result

    def _piece(self, source, rows, entries):
        """The values of a piece, spread over its rows."""
        encoding, flags, row_count, count, _, length = unpack("BBHHHI", source.take(12))
        if flags & ~3:
            raise Unsupported("piece flags %#x" % flags)
        if row_count != rows or count > rows or (count < rows) != (flags & 1 == 1):
            raise Damaged("rows of a piece")
        bitmap = source.take((rows + 7) // 8) if flags & 1 else None
        overflow = []
        if flags & 2:
            overflow = [unpack("IIQQ", source.take(24)) for _ in range(source.number(4))]
        column = self.column
        values = decode(encoding, source.take(length), column.phys, column.width, count, entries)
        for index, raw, offset, stored in overflow:
            if column.phys != BYTES or values[index] != b"":
                raise Damaged("overflow reference")
            values[index] = self._overflow_value(raw, offset, stored)
        if bitmap is None:
            return values
        rest = iter(values)
        return [None if bitmap[i // 8] >> (i % 8) & 1 else next(rest) for i in range(rows)]

    def _overflow_value(self, raw_length, offset, stored):
        area = self.group.overflow
        if offset + stored > len(area):
            raise Damaged("overflow value past the overflow area")
        source = Source(area[offset:offset + stored])
        value = b""
        while len(value) < raw_length:
            length, raw, checksum, compression = unpack("IIIB3x", source.take(16))
            data = source.take(length)
            if crc32c(data) != checksum or raw != min(OVERFLOW_FRAME, raw_length - len(value)):
                raise Damaged("frame of an overflow value")
            value += decompress(compression, data, raw)
        source.end()
        return value
