#!/usr/bin/env python3
"""test/core/compare.py RESULTS EXPECTED [REFERENCE]

Compare the results of PostgreSQL's regression or isolation tests with what the tests
expect, or with what heap answered on the same server (REFERENCE), and print one
line for each test: its name and "ok" or the number of lines that differ.  With
--diff NAME the differences of one test.

Plans are compared by their shape: a columnar scan stands for a sequential one,
what it says of itself is left out, its filters are compared as one set of
conditions, and the output of scans, which read only the columns that are needed,
and how many rows they had to look at are left out.  The rows of a statement that
asks for no order are compared as a set.  All else is compared as it is.
"""
import difflib
import glob
import os
import re
import sys

SCAN = re.compile(r'Custom Scan \(RetldbScan\)')
DETAIL = re.compile(r'^\s*("?)(Columns|Skip Cond|Row Groups|Vectors|Row Store Rows|'
                    r'Bytes Read|Cache Hits|Rows Removed by Vector Filter|Runtime Filter|Not Pushed|'
                    r'Encoded Filters|Values Fetched|Rows Filtered on Vectors)\1: ')
RULE = re.compile(r'^-[-+]+-$')          # two could be a comment
ROWS = re.compile(r'^\(\d+ rows?\)$')

# The head of a plan that EXPLAIN, or a function of a test around it, prints.
PLAN = re.compile(r'^\s*(QUERY PLAN|explain_\w+)\s*$')
NODE = re.compile(r'\bScan\b.* on ')
OUTPUT = re.compile(r'^\s*Output: ')
REMOVED = re.compile(r'^\s*Rows Removed by Filter: ')
FILTER = re.compile(r'^(\s*)(?:Vector )?Filter: (.*)$')

# Statements whose rows come in no order unless they ask for one.
UNORDERED = re.compile(r'^(select|with|values|table|insert|update|delete|merge)\b', re.I)
ORDER = re.compile(r'\border\s+by\b', re.I)
MESSAGE = re.compile(r'^(ERROR|NOTICE|WARNING|INFO|DETAIL|HINT|CONTEXT|QUERY|LINE \d+):|^\s*\^$')
CONTINUED = re.compile(r'\+\s*(\||$)')


def conditions(text):
    """The conditions of a filter, of which AND joins all."""
    depth = 0
    quoted = False
    parts = []
    start = 1
    for i, c in enumerate(text):
        if c == "'":
            quoted = not quoted
        if quoted:
            continue
        depth += (c == '(') - (c == ')')
        if depth == 0 and i < len(text) - 1:
            return [text]               # not in parentheses as a whole
        if depth == 1 and text.startswith(' AND ', i):
            parts.append(text[start:i])
            start = i + 5
    if not parts:
        return [text]
    return parts + [text[start:-1]]


def normal_plan(lines):
    """The lines of a plan as they are compared."""
    found = []
    scan = False                        # below a scan node
    filters = None                      # conditions of the node so far
    place = 0
    for line in lines:
        if DETAIL.match(line):
            continue
        line = SCAN.sub('Seq Scan', line)
        if '->' in line or not found:
            scan = NODE.search(line) is not None
            filters = None
        elif NODE.search(line):
            scan = True
        if scan and (OUTPUT.match(line) or REMOVED.match(line)):
            continue
        match = FILTER.match(line)
        if match and filters is None:
            filters = conditions(match.group(2))
            place = len(found)
            found.append('')
        elif match:
            filters += conditions(match.group(2))
        else:
            found.append(line)
        if match:
            found[place] = 'Filter: ' + ' AND '.join(sorted(filters))
    return found


def normal_rows(lines):
    """The rows of a result without an order; a row may take several lines."""
    rows = ['']
    for line in lines:
        rows[-1] += line
        if CONTINUED.search(line):
            rows[-1] += '\n'
        else:
            rows.append('')
    return '\n'.join(sorted(rows[:-1]) + [r for r in rows[-1:] if r]).split('\n')


def asks_for_order(statement):
    """Can the rows of this text, a statement and what stands before it, have an order?"""
    text = re.sub(r'--[^\n]*', '', '\n'.join(statement)).strip()
    text = re.sub(r'^step \w+:\s*', '', text)       # of the isolation tester
    return not UNORDERED.match(text) or ORDER.search(text) is not None


def last_statement(lines):
    """The lines of the last statement in the text before a result."""
    end = len(lines)
    while end > 0 and MESSAGE.match(lines[end - 1]):
        end -= 1
    start = end
    while start > 0:
        line = lines[start - 1].split('--')[0].rstrip()
        if start < end and (line.endswith(';') or line.startswith('\\') or ROWS.match(line) or
                            MESSAGE.match(line)):
            break
        start -= 1
    return lines[start:end]


def squeezed(line):
    """A line without the width of its columns."""
    return ' '.join(line.split())


def normal(path):
    """The lines of an output as they are compared."""
    with open(path, encoding='latin-1') as file:
        text = file.read().splitlines()
    lines = []
    i = 0
    while i < len(text):
        end = i + 1                     # of what this line opens, if it is the head of a result
        if i > 0 and RULE.match(text[i]) and len(text[i]) == len(text[i - 1]):
            while end < len(text) and text[end] and not ROWS.match(text[end]):
                end += 1
        if end == len(text) or not ROWS.match(text[end]):
            lines.append(squeezed(text[i]))
            i += 1
            continue
        rows = text[i + 1:end]
        if PLAN.match(text[i - 1]):
            lines += ['-'] + [squeezed(l) for l in normal_plan(rows)] + ['(rows)']
        else:
            rows = [squeezed(l) for l in rows]
            if not asks_for_order(last_statement(text[:i - 1])):
                rows = normal_rows(rows)
            lines += [squeezed(text[i])] + rows + [text[end]]
        i = end + 1
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
