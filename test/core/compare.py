#!/usr/bin/env python3
"""test/core/compare.py RESULTS EXPECTED [REFERENCE]

Compare the results of PostgreSQL's regression tests with what the tests
expect, or with what heap answered on the same server (REFERENCE), and print one
line for each test: its name and "ok" or the number of lines that differ.  With
--diff NAME the differences of one test.

Plans are compared by their shape: a columnar scan stands for a sequential one,
what it says of itself is left out, and so is the width of the output.
"""
import difflib
import glob
import os
import re
import sys

SCAN = re.compile(r'Custom Scan \(RetldbScan\)')
DETAIL = re.compile(r'^\s*("?)(Columns|Skip Cond|Row Groups|Vectors|Row Store Rows|'
                    r'Bytes Read|Cache Hits|Rows Removed by Vector Filter)\1: ')
RULE = re.compile(r'^-[-+]*-$')
ROWS = re.compile(r'^\(\d+ rows?\)$')


def normal(path):
    """The lines of an output as they are compared."""
    with open(path, encoding='latin-1') as file:
        text = file.read().splitlines()
    plan = False
    lines = []
    for line in text:
        if line.strip() == 'QUERY PLAN':
            plan = True
        if plan and DETAIL.match(line):
            continue
        if plan and SCAN.search(line):
            line = SCAN.sub('Seq Scan', line)
        if plan:
            line = line.replace('Vector Filter: ', 'Filter: ')
        if RULE.match(line):
            line = '-' if plan else line
        if ROWS.match(line):
            if plan:
                line = '(rows)'
            plan = False
        lines.append(' '.join(line.split()))
    return lines


def candidates(directory, name):
    """Outputs that are right: NAME.out, NAME_1.out, ..."""
    return [p for p in [os.path.join(directory, name + '.out')] +
            sorted(glob.glob(os.path.join(directory, name + '_[0-9].out'))) if os.path.exists(p)]


def difference(results, directories, name):
    """The shortest difference from an output that is right."""
    found = normal(os.path.join(results, name + '.out'))
    best = None
    for directory in directories:
        for path in candidates(directory, name):
            lines = [l for l in difflib.unified_diff(normal(path), found, path, 'found', n=1, lineterm='')]
            if best is None or len(lines) < len(best):
                best = lines
    return best if best is not None else ['no expected output']


def main():
    """See above."""
    arguments = sys.argv[1:]
    one = None
    if arguments[:1] == ['--diff']:
        one = arguments[1]
        arguments = arguments[2:]
    results, directories = arguments[0], arguments[1:]
    if one:
        print('\n'.join(difference(results, directories, one)))
        return
    for path in sorted(glob.glob(os.path.join(results, '*.out'))):
        name = os.path.basename(path)[:-4]
        lines = difference(results, directories, name)
        print(name, len(lines) or 'ok')


main()
