"""A table's main fork: pages, header, directory, anchors, stubs (docs/format.md)."""

import os
from collections import namedtuple

from crc32c import crc32c, crc32c_without
from decompress import Damaged, Unsupported
from encoding import unpack

PAGE = 8192
PAYLOAD_OFFSET = 48
PAYLOAD = PAGE - PAYLOAD_OFFSET
SEGMENT = 131072
NO_BLOCK = 0xFFFFFFFF

HEADER, DIRECTORY, ZONE_MAP, DATA, RUN_LIST, STUB_MAP = range(1, 7)
STUB_NUMBERS = 9
UNUSED, LOADING, COMPLETE, FREE = range(4)

ANCHOR_BIT = 0x1000
STUB_BIT = 0x0800
MARK_BITS = 0x1800

Entry = namedtuple("Entry", """group_id row_base writer_xid commit_version data_length
    footer_offset footer_length row_count row_capacity page_count anchor_block anchor_offset
    state location stub_map_root delete_version_root run_list_block run_count
    vector_rows""")


class Fork:
    """Random access to the blocks of a file and its further segments."""

    def __init__(self, path):
        self.files = []
        while True:
            name = path if not self.files else "%s.%d" % (path, len(self.files))
            if self.files and not os.path.exists(name):
                break
            self.files.append(open(name, "rb"))
        self.blocks = sum(os.fstat(f.fileno()).st_size for f in self.files) // PAGE

    def page(self, block):
        if block >= self.blocks:
            raise Damaged("block %d is past the end of the file" % block)
        file = self.files[block // SEGMENT]
        file.seek(block % SEGMENT * PAGE)
        data = file.read(PAGE)
        if len(data) != PAGE:
            raise Damaged("block %d is cut short" % block)
        return data

    def payload(self, block, kind, group_id, sequence):
        """The used part of a column page's payload."""
        page = self.page(block)
        where = "block %d: " % block
        lower, upper, special, size = unpack("12x4H4x", page)
        if (lower, upper, special) != (24, 24, 24) or size != 0x2004:
            raise Damaged(where + "not a column page")
        magic, page_kind, version, checksum, owner, number, used = unpack("HBBIQII", page, 24)
        if magic != 0x4C52:
            raise Damaged(where + "wrong magic")
        if version != 1:
            raise Unsupported(where + "page version %d" % version)
        if (page_kind, owner, number) != (kind, group_id, sequence):
            raise Damaged(where + "page of kind %d, group %d, number %d instead of %d, %d, %d"
                          % (page_kind, owner, number, kind, group_id, sequence))
        if used > PAYLOAD or any(page[PAYLOAD_OFFSET + used:]):
            raise Damaged(where + "wrong use of the payload")
        if crc32c_without(page[24:], 4, block.to_bytes(4, "little")) != checksum:
            raise Damaged(where + "wrong checksum")
        return page[PAYLOAD_OFFSET:PAYLOAD_OFFSET + used]


def is_column_page(page):
    return unpack("12x3H", page) == (24, 24, 24) and page[24:26] == b"RL"


def read_header(fork):
    """The blocks of the directory pages."""
    data = fork.payload(0, HEADER, 0, 0)
    magic, version, header_length, order, page_size, incompatible = unpack("8s5I", data)
    if magic != b"RETLDB\0\0" or order != 0x01020304:
        raise Damaged("not a retldb table")
    levels, count = unpack("B3xI", data, 112)
    if version != 1 or incompatible & ~7 or levels != 1:
        raise Unsupported("format version %d, features %#x, %d levels"
                          % (version, incompatible, levels))
    if page_size != PAGE or header_length != 184 or count > 1900:
        raise Damaged("header page")
    return unpack("%dI" % count, data, 184)


def parse_entry(data, offset):
    """An entry of the directory, and its inline runs."""
    numbers = unpack("6Q5IHBBIIIHH8I", data, offset)
    runs = list(zip(numbers[19::2], numbers[20::2]))
    return Entry(*numbers[:19]), runs


def read_directory(fork):
    """All used entries with their runs, ordered by row number."""
    groups = []
    for index, block in enumerate(read_header(fork)):
        page = fork.payload(block, DIRECTORY, 0, index)
        (capacity,) = unpack("H", page, 12)
        if capacity > 56:
            raise Damaged("%d slots on a directory page" % capacity)
        for slot in range(capacity):
            entry, runs = parse_entry(page, 32 + 120 * slot)
            if entry.state > FREE:
                raise Unsupported("row group state %d" % entry.state)
            if entry.state != UNUSED:
                groups.append((entry, all_runs(fork, entry, runs)))
    return sorted(groups, key=lambda group: group[0].row_base)


def all_runs(fork, entry, inline):
    """The runs of a group, those on its run list page included."""
    runs = inline[:entry.run_count]
    if entry.run_count > 4:
        page = fork.payload(entry.run_list_block, RUN_LIST, entry.group_id, 0)
        following, count = unpack("II", page)
        if following != NO_BLOCK or count != entry.run_count - 4:
            raise Damaged("run list of row group %d" % entry.group_id)
        numbers = unpack("%dI" % (2 * count), page, 8)
        runs += zip(numbers[0::2], numbers[1::2])
    for start, length in runs:
        if start == 0 or length == 0 or start + length > fork.blocks:
            raise Damaged("runs of row group %d" % entry.group_id)
    if sum(length for _, length in runs) != entry.page_count:
        raise Damaged("number of pages of row group %d" % entry.group_id)
    return runs


def tuples(page):
    """The normal tuples of a heap page by their line pointer number."""
    (lower,) = unpack("12xH", page)
    for number in range(1, (lower - 24) // 4 + 1):
        (pointer,) = unpack("I", page, 20 + 4 * number)
        offset, flags, length = pointer & 0x7FFF, pointer >> 15 & 3, pointer >> 17
        if flags == 1:
            yield number, page[offset:offset + length]


def anchor_state(fork, entry):
    """None if there is no anchor, else what its hint bits say."""
    page = fork.page(entry.anchor_block)
    if is_column_page(page):
        raise Damaged("anchor of row group %d is on a column page" % entry.group_id)
    for number, data in tuples(page):
        if number != entry.anchor_offset or len(data) != 40:
            continue
        mask2, mask, hoff = unpack("HHB", data, 18)
        if not mask2 & ANCHOR_BIT:
            continue
        magic, checksum, group_id = unpack("IIQ", data, 24)
        if hoff != 40 or magic != 0x41544C52 or crc32c_without(data[24:], 4) != checksum:
            raise Damaged("anchor of row group %d" % entry.group_id)
        if group_id == entry.group_id:
            if unpack("I", data, 4)[0] != 0 and mask & 0x0400:
                return "taken away"
            return {0x000: "unknown", 0x100: "committed", 0x200: "aborted",
                    0x300: "frozen"}[mask & 0x300]
    return None


def stub_map_leaves(fork, entry):
    """The leaves of a group's stub map: first segment, segments, stub number pages, entries."""
    segments = -(-entry.row_count // 1000)
    blocks = [entry.stub_map_root]
    root = fork.payload(entry.stub_map_root, STUB_MAP, entry.group_id, 0)
    if root[0] == 2:
        if unpack("HH", root, 4) != (0, segments):
            raise Damaged("stub map of row group %d" % entry.group_id)
        blocks = list(dict.fromkeys(unpack("%dI" % segments, root, 16)))
    following = 0
    for block in blocks:
        page = fork.payload(block, STUB_MAP, entry.group_id, 0)
        kind, count, first, number, start, pages = unpack("BxHHHII", page)
        if kind != 1 or first != following or number == 0 or count > 1016:
            raise Damaged("stub map of row group %d" % entry.group_id)
        following = first + number
        yield first, number, (start, pages), unpack("%dQ" % count, page, 16)
    if following != segments:
        raise Damaged("stub map of row group %d" % entry.group_id)


def stub_numbers(fork, entry, start, pages):
    """The numbers that shared stubs of a group carry, by row."""
    numbers = {}
    last = -1
    for sequence in range(pages):
        page = fork.payload(start + sequence, STUB_NUMBERS, entry.group_id, sequence)
        (count,) = unpack("I", page)
        if count > 1017 or count == 0 or count < 1017 and sequence < pages - 1:
            raise Damaged("stub numbers of row group %d" % entry.group_id)
        for packed in unpack("%dQ" % count, page, 8):
            row = packed & 0xFFFFF
            if row <= last or row >= entry.row_count:
                raise Damaged("stub numbers of row group %d" % entry.group_id)
            numbers[row] = packed >> 20
            last = row
    return numbers


def stub_is_there(fork, row_number, block, number):
    """Is the row of this stub there, as far as hint bits tell?"""
    # VACUUM may have cut its page off, and somebody else may have the block now
    page = fork.page(block) if block < fork.blocks else None
    if page is None or is_column_page(page):
        return False
    check = crc32c(row_number.to_bytes(8, "little")) & 0xFFFFFF
    for offset, data in tuples(page):
        if offset != number or len(data) != 32:
            continue
        mask2, mask, hoff = unpack("HHB", data, 18)
        payload, = unpack("Q", data, 24)
        if not mask2 & STUB_BIT or hoff != 32:
            continue
        # retired: the row is untouched
        if payload == row_number | (check ^ 0xFFFFFF) << 40:
            return True
        if payload != row_number | check << 40:
            continue
        return bool(mask & 0x0800) or bool(mask & 0x0080) or not mask & 0x0400
    return False


def dead_rows(fork, entry):
    """The rows of a group that are not there."""
    dead = set()
    seen = set()
    if entry.stub_map_root == NO_BLOCK:
        return dead
    numbers = {}
    for first, number, pages, entries in stub_map_leaves(fork, entry):
        if pages[1] != 0 and not numbers:
            numbers = stub_numbers(fork, entry, *pages)
        for packed in entries:
            row, block, offset = packed & 0xFFFFF, packed >> 20 & 0x7FFFFFFF, packed >> 51 & 0x1FF
            if row >= entry.row_count or not first <= row // 1000 < first + number or \
                    row in seen or packed >> 63 or packed >> 61 & 1 and row not in numbers:
                raise Damaged("stub map entry of row group %d" % entry.group_id)
            seen.add(row)
            # the stub was retired
            if packed >> 62 & 1:
                continue
            carried = numbers[row] if packed >> 61 & 1 else entry.row_base + row
            if packed >> 60 & 1 or not stub_is_there(fork, carried, block, offset):
                dead.add(row)
    return dead
