#!/usr/bin/env python3
"""What went wrong while sqlsmith asked, and would it on heap?

Reads the server's log (jsonlog).  Crashes, failed assertions and internal errors
are failures, unless the same statement has the same end on heap.  Of each
other kind of error, by SQLSTATE and message without names and numbers, some
statements are repeated on both servers: those that fail with retldb only are failures.

Which rows a function is called for depends on the plan, on the sample and on LIMIT.  So a
statement counts as one that fails on heap, too, if it does with another plan, or with
all rows.
"""

import argparse
import collections
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'diff'))
import pq

# of each kind of error, so many statements are repeated
SAMPLES = 3
# waiting, memory and temporary files: they say nothing of the statement
NOT_REPEATED = ('57014', '55P03', '53', '40', '57P', '08')


def entries(path):
    with open(path, errors='replace') as log:
        for line in log:
            try:
                yield json.loads(line)
            except ValueError:
                yield {'message': line, 'error_severity': 'LOG'}


def kind(entry):
    return entry.get('state_code', ''), re.sub(r'"[^"]*"|\d+|\'[^\']*\'', '_', entry.get('message', ''))[:80]


# internal errors of PostgreSQL's own functions
POSTGRESQL_INTERNAL = ('unrecognized weight: ',)        # setweight()

# settings that bring other plans
PLANS = ['enable_nestloop = off', 'enable_hashjoin = off', 'enable_seqscan = off', 'enable_indexscan = off; SET enable_bitmapscan = off', 'enable_material = off',
         'enable_memoize = off', 'from_collapse_limit = 1; SET join_collapse_limit = 1', 'enable_sort = off', 'enable_hashagg = off', 'geqo_threshold = 2',
         'enable_nestloop = off; SET enable_hashjoin = off']


def repeat(conninfo, database, statement, setting='timezone = UTC'):
    """SQLSTATE of a statement, None if it has none; 'lost' if the server goes."""
    try:
        connection = pq.Connection('%s dbname=%s' % (conninfo, database))
        connection.run("SET statement_timeout = '20s'; SET %s; BEGIN" % setting)
        result = connection.run(statement, 120)[-1]
        connection.close()
        return result.state
    except (pq.Lost, pq.Timeout):
        return 'lost'


def fails_otherwise(conninfo, database, statement, state):
    """Does it fail so with another plan, or with more rows?"""
    everything = re.sub(r'\btablesample \w+ \([\d.]+\)', '', statement)
    everything = re.sub(r'\blimit \d+', '', everything)
    return any(repeat(conninfo, database, text, setting) == state for text in {statement, everything} for setting in ['timezone = UTC'] + PLANS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--log', required=True)
    parser.add_argument('--retldb', required=True, help='connection, without a database')
    parser.add_argument('--heap', required=True, help='the same')
    options = parser.parse_args()
    pq.load()

    errors = collections.Counter()
    samples = {}
    crashes = []
    for entry in entries(options.log):
        message = entry.get('message', '')
        if re.search(r'TRAP|PANIC|terminated by signal', message) or entry.get('error_severity') == 'PANIC':
            crashes.append('%s %s' % (message, entry.get('detail', '')))
        if entry.get('error_severity') not in ('ERROR', 'FATAL') or 'statement' not in entry:
            continue
        errors[kind(entry)] += 1
        known = samples.setdefault((entry['dbname'], kind(entry)), [])
        if len(known) < SAMPLES:
            known.append(entry)

    failures = ['crash: ' + crash for crash in crashes]
    repeated = 0
    for (database, (state, _)), examples in samples.items():
        if state.startswith(NOT_REPEATED):
            continue
        for example in examples:
            if not state.startswith('XX') and 'retldb.' in example['statement']:
                continue        # retldb's views are empty in a database without its tables
            if example['message'].startswith(POSTGRESQL_INTERNAL):
                continue
            repeated += 1
            states = [repeat(conninfo, database, example['statement']) for conninfo in (options.retldb, options.heap)]
            if states[0] == states[1] or (states[0] or '').startswith(NOT_REPEATED) or (states[1] or '').startswith(NOT_REPEATED):
                continue
            if states[0] is not None and fails_otherwise(options.heap, database, example['statement'], states[0]):
                continue
            if states[0] is None and not state.startswith('XX'):
                continue        # depends on the moment
            failures.append('%s in %s: %s on retldb, %s on heap: %s\n%s' % (
                state, database, states[0], states[1], example['message'], example['statement']))
            break
    internal = sum(n for (state, _), n in errors.items() if state.startswith('XX'))
    print('%d errors of %d kinds, %d internal; %d statements repeated' % (sum(errors.values()), len(errors), internal, repeated))
    for failure in failures:
        print('---- ' + failure)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
