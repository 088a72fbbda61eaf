#!/usr/bin/env python3
"""Reads the row groups of a retldb table from a copy of its main fork.

This is an independent reader: it was written from docs/format.md, uses nothing
of the extension, and verifies every checksum on its way.  Rows of the row store
are not read.

    read_table.py --columns id:int8,name:text MAINFORK     rows, as COPY writes them
    read_table.py --describe MAINFORK                      row groups and columns

Columns are name:type or number=name:type; without numbers they are those from 1
on.  Types are those of values.py; "hex" shows the bytes of any type.
"""

import argparse
import sys

from decompress import Damaged, Unsupported
from encoding import NAMES
from fork import COMPLETE, MARK_BITS, Fork, anchor_state, dead_rows, is_column_page, \
    read_directory, tuples, unpack
from group import Group
from values import FORMATS, copy_text


def parse_columns(text):
    """Pairs of column id and type name."""
    columns = []
    for position, item in enumerate(text.split(","), 1):
        number, _, name = item.rpartition("=")
        type_name = name.rpartition(":")[2]
        if type_name not in FORMATS:
            sys.exit("unknown type %r, expected one of: %s" % (type_name, " ".join(FORMATS)))
        columns.append((int(number) if number else position, type_name))
    return columns


def visible_groups(fork):
    """Row groups that count, as far as can be told without pg_xact."""
    for entry, runs in read_directory(fork):
        if entry.state == COMPLETE and anchor_state(fork, entry) not in (None, "aborted", "taken away"):
            yield Group(fork, entry, runs)


def print_rows(fork, columns):
    for group in visible_groups(fork):
        nulls = [None] * group.row_count
        data = [group.values(number) or nulls for number, _ in columns]
        dead = dead_rows(fork, group.entry)
        for number, row in enumerate(zip(*data)):
            if number in dead:
                continue
            print("\t".join(copy_text(value, type_name)
                            for value, (_, type_name) in zip(row, columns)))


def count_row_store(fork):
    """Tuples of the row store, visible or not."""
    count = 0
    for block in range(fork.blocks):
        page = fork.page(block)
        if any(page) and not is_column_page(page):
            count += sum(1 for _, data in tuples(page)
                         if not unpack("H", data, 18)[0] & MARK_BITS)
    return count


def describe(fork):
    print("%d blocks, %d tuples in the row store" % (fork.blocks, count_row_store(fork)))
    for entry, runs in read_directory(fork):
        state = ["unused", "loading", "complete", "free"][entry.state]
        print("group %d: %s, anchor %s, rows %d from %d, %d bytes in blocks %s"
              % (entry.group_id, state, anchor_state(fork, entry), entry.row_count,
                 entry.row_base, entry.data_length,
                 " ".join("%d+%d" % run for run in runs)))
        if entry.state != COMPLETE:
            continue
        for column in Group(fork, entry, runs).columns.values():
            print("  column %d: type %d, %s, compression %d, %d of %d bytes"
                  % (column.column_id, column.type_oid, NAMES[column.encoding],
                     column.compression, column.length, column.raw_length))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--columns", type=parse_columns)
    what.add_argument("--describe", action="store_true")
    arguments = parser.parse_args()
    try:
        fork = Fork(arguments.file)
        if arguments.describe:
            describe(fork)
        else:
            print_rows(fork, arguments.columns)
    except (Damaged, Unsupported) as error:
        sys.exit("%s: %s" % (type(error).__name__.lower(), error))


if __name__ == "__main__":
    main()
