"""Encodings (docs/format.md, "Encodings").

A decoded value is a bytes object, whatever its physical type: "width" bytes for
fixed-width types.
"""

import struct

from decompress import Damaged, Unsupported

INT, FLOAT, FIXED, BYTES = 1, 2, 3, 4
PLAIN, CONSTANT, RLE, BITPACK, DICT, DELTA = range(6)
NAMES = ["plain", "constant", "rle", "bitpack", "dict", "delta"]


class Source:
    """Bytes to be taken from the front."""

    def __init__(self, data):
        self.data = bytes(data)
        self.pos = 0

    def take(self, length):
        if self.pos + length > len(self.data):
            raise Damaged("data are cut short")
        part = self.data[self.pos:self.pos + length]
        self.pos += length
        return part

    def number(self, width):
        return int.from_bytes(self.take(width), "little")

    def end(self):
        if self.pos != len(self.data):
            raise Damaged("%d bytes too many" % (len(self.data) - self.pos))


def bits(source, count, width):
    """An array of numbers of "width" bits each."""
    data = source.take((count * width + 7) // 8)
    mask = (1 << width) - 1
    numbers = []
    # eight numbers always begin at a byte boundary
    for start in range(0, count, 8):
        word = int.from_bytes(data[start * width // 8:(start + 8) * width // 8], "little")
        for i in range(min(8, count - start)):
            numbers.append(word >> (i * width) & mask)
    return numbers


def packed(source, count):
    """A packed array."""
    if count == 0:
        return []
    width = source.number(1)
    if width > 32:
        raise Damaged("numbers of %d bits" % width)
    base = source.number(4)
    return [base + n for n in bits(source, count, width)]


def plain(source, phys, width, count):
    if phys != BYTES:
        data = source.take(count * width)
        return [data[i * width:(i + 1) * width] for i in range(count)]
    return [source.take(length) for length in packed(source, count)]


def constant(source, phys, width, count):
    value = source.take(len(source.data) if phys == BYTES else width)
    return [value] * count


def bitpack(source, phys, width, count):
    if phys != INT:
        raise Damaged("BITPACK of another type than INT")
    bit_width = source.number(1)
    if bit_width > 8 * width:
        raise Damaged("differences of %d bits" % bit_width)
    smallest = source.number(width)
    mask = (1 << 8 * width) - 1
    return [(smallest + n & mask).to_bytes(width, "little")
            for n in bits(source, count, bit_width)]


def delta(source, phys, width, count):
    if phys != INT or width not in (2, 4, 8):
        raise Damaged("DELTA of another type than INT of 2, 4 or 8 bytes")
    kind = source.number(1)
    if kind > 2:
        raise Unsupported("differences of kind %d" % kind)
    value = source.number(width)
    difference = source.number(width) if kind == 2 else 0
    step = source.number(width)
    mask = (1 << 8 * width) - 1
    values = []
    if kind == 0:
        return [(value + i * step & mask).to_bytes(width, "little") for i in range(count)]
    widths = source.take((count + 127) // 128)
    for block, bit_width in enumerate(widths):
        if bit_width > 8 * width:
            raise Damaged("differences of %d bits" % bit_width)
        for number in bits(source, min(128, count - 128 * block), bit_width):
            if kind == 1:
                value += step + number
            else:
                difference += step + number
                value += difference
            values.append((value & mask).to_bytes(width, "little"))
    return values


def spread(lengths, values, count):
    """Runs as single values."""
    result = []
    for length, value in zip(lengths, values):
        if length == 0:
            raise Damaged("an empty run")
        result += [value] * length
    if len(result) != count:
        raise Damaged("runs of %d values instead of %d" % (len(result), count))
    return result


def rle(source, phys, width, count):
    runs = source.number(4)
    if not 1 <= runs <= count:
        raise Damaged("%d runs for %d values" % (runs, count))
    lengths = packed(source, runs)
    values = (bitpack if phys == INT else plain)(source, phys, width, runs)
    return spread(lengths, values, count)


def open_dictionary(data, phys, width):
    """The entries of a dictionary unit."""
    source = Source(data)
    count = source.number(4)
    entries = plain(source, phys, width, count)
    source.end()
    return entries


def dictionary(source, count, entries):
    if entries is None:
        raise Damaged("a piece needs a dictionary that is not there")
    kind = source.number(1)
    if kind == 0:
        codes = packed(source, count)
    elif kind == 1:
        runs = source.number(4)
        if not 1 <= runs <= count:
            raise Damaged("%d runs for %d values" % (runs, count))
        lengths = packed(source, runs)
        codes = spread(lengths, packed(source, runs), count)
    else:
        raise Unsupported("dictionary payload of kind %d" % kind)
    if max(codes) >= len(entries):
        raise Damaged("a code past the dictionary")
    return [entries[code] for code in codes]


DECODERS = {PLAIN: plain, CONSTANT: constant, RLE: rle, BITPACK: bitpack, DELTA: delta}


def decode(encoding, payload, phys, width, count, entries):
    """The values of a piece."""
    source = Source(payload)
    if count == 0:
        values = []
    elif encoding == DICT:
        values = dictionary(source, count, entries)
    elif encoding in DECODERS:
        values = DECODERS[encoding](source, phys, width, count)
    else:
        raise Unsupported("encoding %d" % encoding)
    source.end()
    return values


def unpack(fmt, data, offset=0):
    """struct.unpack_from, little-endian, with our exception."""
    try:
        return struct.unpack_from("<" + fmt, data, offset)
    except struct.error:
        raise Damaged("data are cut short")
