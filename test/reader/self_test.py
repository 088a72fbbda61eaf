#!/usr/bin/env python3
"""The examples of docs/format.md, checked against the document and the reader."""

import os
import sys

import decompress
from crc32c import crc32c
from encoding import BYTES, INT, Source, bits, decode, open_dictionary, packed
from encoding import BITPACK, CONSTANT, DELTA, DICT, PLAIN, RLE
from fork import COMPLETE, NO_BLOCK, Entry
from group import Group
from values import copy_text

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/format.md")

failures = 0


def check(example, result, expected):
    """The example stands in the document, and means what it says there."""
    global failures
    with open(DOCUMENT, encoding="utf-8") as document:
        text = " ".join(document.read().split())
    if "`%s`" % example not in text:
        print("not in the document: %s" % example)
        failures += 1
    if result != expected:
        print("%s: %r instead of %r" % (example, result, expected))
        failures += 1


class ExampleGroup(Group):
    """The row group of the last section, whose pages are not shown there."""

    def _read(self, fork, runs):
        with open(DOCUMENT, encoding="utf-8") as document:
            dump = document.read().partition("## An example")[2].split("```")[1]
        return b"".join(bytes.fromhex(line[5:]) for line in dump.strip("\n").split("\n"))


def check_group():
    global failures
    entry = Entry(1, 0, 6291, 0, 437, 157, 280, 3, 256, 1, 1, 1, COMPLETE, 0, NO_BLOCK,
                  NO_BLOCK, NO_BLOCK, 1, 2048)
    group = ExampleGroup(None, entry, [])
    rows = [[copy_text(value, type_name) for value in group.values(column)]
            for column, type_name in ((1, "int4"), (2, "text"))]
    if rows != [["1", "2", "\\N"], ["no", "yes", "yes"]] or len(group.data) != 437:
        print("the row group of the last section: %r" % rows)
        failures += 1


def raw(example):
    return bytes.fromhex(example.replace("|", " "))


def int2(*numbers):
    return [number.to_bytes(2, "little", signed=True) for number in numbers]


def main():
    check("123456789", crc32c(b"123456789"), 0xE3069283)

    example = "50 68 65 6C 6C 6F"
    check(example, decompress.lz4(raw(example)), b"hello")
    example = "12 61 01 00 10 62"
    check(example, decompress.lz4(raw(example)), b"aaaaaaab")
    example = "08 00 61 09 01 00 62"
    check(example, decompress.snappy(raw(example)), b"aaaaaaab")

    example = "21"
    check(example, bits(Source(raw(example)), 3, 2), [1, 0, 2])
    example = "02 | 00 00 00 00 | 21"
    check(example, packed(Source(raw(example)), 3), [1, 0, 2])

    example = "02 00 00 00 00 21 | 61 62 63"
    check(example, decode(PLAIN, raw(example), BYTES, 0, 3, None), [b"a", b"", b"bc"])
    example = "79 65 73"
    check(example, decode(CONSTANT, raw(example), BYTES, 0, 3, None), [b"yes"] * 3)
    example = "02 00 00 00 | 02 01 00 00 00 02 | 02 07 08"
    check(example, decode(RLE, raw(example), INT, 1, 4, None), [b"\7", b"\7", b"\7", b"\t"])
    example = "02 | FF FF | 34"
    check(example, decode(BITPACK, raw(example), INT, 2, 3, None), int2(-1, 0, 2))

    example = "02 00 00 00 | 01 02 00 00 00 02 | 6E 6F 79 65 73"
    entries = open_dictionary(raw(example), BYTES, 0)
    check(example, entries, [b"no", b"yes"])
    example = "00 | 01 00 00 00 00 05"
    check(example, decode(DICT, raw(example), BYTES, 0, 3, entries), [b"yes", b"no", b"yes"])
    example = "01 | 01 00 00 00 | 00 04 00 00 00 | 00 01 00 00 00"
    check(example, decode(DICT, raw(example), BYTES, 0, 4, entries), [b"yes"] * 4)

    example = "00 | 0A 00 | 03 00"
    check(example, decode(DELTA, raw(example), INT, 2, 3, None), int2(10, 13, 16))
    example = "01 | 09 00 | 01 00 | 01 | 04"
    check(example, decode(DELTA, raw(example), INT, 2, 3, None), int2(10, 11, 13))
    example = "02 | 00 00 | FF FF | 01 00 | 01 | 10"
    check(example, decode(DELTA, raw(example), INT, 2, 5, None), int2(0, 1, 3, 6, 11))

    example = "00 81 | 0C 00 | 88 13"
    check(example, copy_text(raw(example), "numeric"), "12.50")

    check_group()
    sys.exit("%d failures" % failures if failures else 0)


if __name__ == "__main__":
    main()
