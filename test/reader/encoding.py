"""Encodings (docs/format.md, "Encodings").

A decoded value is a bytes object, whatever its physical type: "width" bytes for
fixed-width types.
"""

import struct

from decompress import Damaged, Unsupported

INT, FLOAT, FIXED, BYTES = 1, 2, 3, 4
PLAIN, CONSTANT, RLE, BITPACK, DICT, DELTA, ALP, DECIMAL, FSST, SPLIT = range(10)
NAMES = ["plain", "constant", "rle", "bitpack", "dict", "delta", "alp", "decimal", "fsst", "split"]


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


def open_symbols(source):
    """The symbols of FSST."""
    lengths = source.take(source.number(1))
    if any(not 1 <= length <= 8 for length in lengths):
        raise Damaged("a symbol of an impossible length")
    return [source.take(length) for length in lengths]


def fsst(source, count, symbols):
    if symbols is None:
        raise Damaged("a piece needs symbols that are not there")
    raw = source.number(4)
    values = []
    for length in packed(source, count):
        codes = Source(source.take(length))
        value = b""
        while codes.pos < length:
            code = codes.number(1)
            if code == 255:
                value += codes.take(1)
            elif code < len(symbols):
                value += symbols[code]
            else:
                raise Damaged("a code without symbol")
        values.append(value)
    if sum(map(len, values)) != raw:
        raise Damaged("values of a wrong length")
    return values


def shortened(source, count):
    """The entries of a shortened dictionary."""
    table = Source(source.take(source.number(4)))
    symbols = open_symbols(table)
    table.end()
    entries = []
    before = b""
    common = packed(source, count)
    for shared, rest in zip(common, fsst(source, count, symbols) if count else []):
        if shared > len(before) or (entries and not rest):
            raise Damaged("a shortened entry of an impossible length")
        before = before[:shared] + rest
        entries.append(before)
    return entries


def open_dictionary(data, phys, width, encoding=DICT):
    """The entries of a dictionary unit, or the symbols of FSST."""
    source = Source(data)
    if encoding == FSST:
        entries = open_symbols(source)
    else:
        count = source.number(4)
        if phys == BYTES and count >> 31:
            entries = shortened(source, count & 0x7FFFFFFF)
        else:
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


def with_exceptions(source, phys, width, count, value_of):
    """Integers, made values of by value_of(index, integer), and exceptions."""
    integers = [int.from_bytes(n, "little", signed=True) for n in bitpack(source, INT, 8, count)]
    exceptions = source.number(4)
    if exceptions > count:
        raise Damaged("%d exceptions for %d values" % (exceptions, count))
    positions = packed(source, exceptions)
    if any(b <= a for a, b in zip(positions, positions[1:])) or positions and positions[-1] >= count:
        raise Damaged("exceptions out of order")
    known = dict(zip(positions, plain(source, phys, width, exceptions))) if exceptions else {}
    return [known[i] if i in known else value_of(i, n) for i, n in enumerate(integers)]


def alp(source, phys, width, count):
    if phys != FLOAT:
        raise Damaged("ALP of another type than FLOAT")
    exponent = int.from_bytes(source.take(1), "little", signed=True)
    if abs(exponent) > 22:
        raise Damaged("exponent %d" % exponent)
    power = float(10 ** abs(exponent))

    def value_of(_, integer):
        value = float(integer) / power if exponent >= 0 else float(integer) * power
        return struct.pack("<f" if width == 4 else "<d", value)

    return with_exceptions(source, phys, width, count, value_of)


def numeric(integer, scale, display_scale):
    """integer / 10^scale as PostgreSQL stores it."""
    places = -scale % 4
    rest, weight, digits = abs(integer) * 10 ** places, -(scale + places) // 4, []
    while rest > 0:
        rest, digit = divmod(rest, 10000)
        digits.insert(0, digit)
    weight = weight + len(digits) - 1 if digits else 0
    while digits and digits[-1] == 0:
        digits.pop()
    head = 0x8000 | (0x2000 if integer < 0 else 0) | display_scale << 7 | weight & 0x7F
    return struct.pack("<%dH" % (1 + len(digits)), head, *digits)


def decimal(source, phys, width, count):
    if phys != BYTES:
        raise Damaged("DECIMAL of another type than BYTES")
    scale = source.number(1)
    display_scales = packed(source, count)
    if scale > 16 or max(display_scales) > 63:
        raise Damaged("scale %d, display scales up to %d" % (scale, max(display_scales)))
    return with_exceptions(source, phys, width, count,
                           lambda i, integer: numeric(integer, scale, display_scales[i]))


def split(source, phys, width, count):
    kind = source.number(1)
    if kind == 0:
        return plain(source, phys, width, count)
    if kind != 1:
        raise Unsupported("split payload of kind %d" % kind)
    length, group_count = source.number(1), source.number(1)
    groups = []
    for _ in range(group_count):
        size, bit_width = source.number(1), source.number(1)
        order = "big" if size & 0x80 else "little"
        size &= 0x7F
        if not 1 <= size <= 8 or bit_width > 8 * size:
            raise Damaged("a group of %d bytes, %d bits" % (size, bit_width))
        groups.append((size, order, bit_width, source.number(size)))
    if sum(group[0] for group in groups) != length or phys != BYTES and length != width:
        raise Damaged("groups of the wrong length")
    columns = [[(smallest + n & (1 << 8 * size) - 1).to_bytes(size, order)
                for n in bits(source, count, bit_width)]
               for size, order, bit_width, smallest in groups]
    return [b"".join(parts) for parts in zip(*columns)]


DECODERS = {PLAIN: plain, CONSTANT: constant, RLE: rle, BITPACK: bitpack, DELTA: delta,
            ALP: alp, DECIMAL: decimal, SPLIT: split}


def decode(encoding, payload, phys, width, count, entries):
    """The values of a piece."""
    source = Source(payload)
    if count == 0:
        values = []
    elif encoding == DICT:
        values = dictionary(source, count, entries)
    elif encoding == FSST:
        values = fsst(source, count, entries)
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
