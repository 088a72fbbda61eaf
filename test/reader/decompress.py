"""Block decompression (docs/format.md, "Units and block compression")."""

import shutil
import subprocess

NONE, LZ4, SNAPPY, ZSTD = range(4)


class Damaged(Exception):
    """The bytes are not what the format says."""


class Unsupported(Exception):
    """Something this reader does not know."""


def _copy_match(out, distance, length):
    """Append "length" bytes from "distance" back; the ranges may overlap."""
    if distance == 0 or distance > len(out):
        raise Damaged("match distance %d after %d bytes" % (distance, len(out)))
    while length > 0:
        chunk = out[len(out) - distance:][:length]
        out += chunk
        length -= len(chunk)


def _lz4_length(src, pos, nibble):
    """A length: the nibble, and further bytes if it is 15."""
    length = nibble
    if nibble == 15:
        while True:
            byte = src[pos]
            pos += 1
            length += byte
            if byte != 255:
                break
    return length, pos


def lz4(src):
    out = bytearray()
    pos = 0
    while True:
        token = src[pos]
        literals, pos = _lz4_length(src, pos + 1, token >> 4)
        if pos + literals > len(src):
            raise Damaged("literals past the end")
        out += src[pos:pos + literals]
        pos += literals
        if pos == len(src):
            return bytes(out)
        distance = src[pos] | src[pos + 1] << 8
        length, pos = _lz4_length(src, pos + 2, token & 15)
        _copy_match(out, distance, length + 4)


def _snappy_varint(src):
    value = shift = pos = 0
    while True:
        byte = src[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, pos


def snappy(src):
    raw_length, pos = _snappy_varint(src)
    out = bytearray()
    while pos < len(src):
        tag = src[pos]
        pos += 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(src[pos:pos + extra], "little")
                pos += extra
            length += 1
            if pos + length > len(src):
                raise Damaged("literals past the end")
            out += src[pos:pos + length]
            pos += length
            continue
        if kind == 1:
            length = 4 + (tag >> 2 & 7)
            distance = (tag >> 5) << 8 | src[pos]
            pos += 1
        else:
            width = 2 if kind == 2 else 4
            length = 1 + (tag >> 2)
            distance = int.from_bytes(src[pos:pos + width], "little")
            pos += width
        _copy_match(out, distance, length)
    if len(out) != raw_length:
        raise Damaged("snappy input is for another length")
    return bytes(out)


def zstd(src):
    """By the zstd command, for there is no decoder in the standard library."""
    if shutil.which("zstd") is None:
        raise Unsupported("zstd data, and there is no zstd command")
    return subprocess.run(["zstd", "-d", "-c", "-q"], input=bytes(src), check=True,
                          stdout=subprocess.PIPE).stdout


_CODECS = {LZ4: lz4, SNAPPY: snappy, ZSTD: zstd}


def decompress(compression, src, raw_length):
    """Undo a compression; bytes of the raw length are stored as they are."""
    if len(src) == raw_length:
        return bytes(src)
    if compression not in _CODECS:
        raise Unsupported("compression %d" % compression)
    try:
        raw = _CODECS[compression](src)
    except IndexError:
        raise Damaged("compressed data are cut short")
    if len(raw) != raw_length:
        raise Damaged("%d bytes after decompression instead of %d" % (len(raw), raw_length))
    return raw
