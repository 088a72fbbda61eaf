#!/usr/bin/env python3
"""Sessions side by side, on a database with retldb tables and on its heap twin.

A schedule decides by its seed which session does what next: changes of single and
of many rows, row locks, upserts, MERGE, savepoints, prepared transactions, cursors,
foreign keys, triggers, partitions, DDL, VACUUM, at every isolation level.  Each
command goes to both databases, and what becomes of it must be the same: rows,
command tags, SQLSTATE, whether it waits and for whom.  In between retldb tables are
compacted, the postmaster is killed, and all contents are compared, on a
standby, too.  With --subscribers the retldb tables are replicated to heap tables by
logical replication, and the heap tables to retldb tables; when these have caught up
they must have the same rows.  At the end of a round indexes are checked by amcheck.

What may differ, and nothing else:
- the order of rows without ORDER BY;
- which rows a command that locks many rows has locked already while it waits: so it
  is brought to its end first, by ending or cancelling what it waits for; and which of
  several errors it comes upon first;
- DDL on an index that an open cursor of the session uses, for plans differ (55006);
- a serialization failure on retldb alone of FOR KEY SHARE, with an older snapshot than VACUUM FULL or CLUSTER: heap
  locks the copy of a row that was deleted since as if it was there;
- a serialization failure on heap alone, of a transaction with an older snapshot, after updates that
  changed nothing (suppress_noop), 21000 on heap alone of an upsert that meets a row twice, and
  heap's alone when an upsert that waits for such a row is cancelled;
- with --background, what commands do that do not wait (SKIP LOCKED, NOWAIT): a row that
  is just being moved is locked to them;
- at SERIALIZABLE also, of a command over many rows, whether it waits for a row or comes to one first
  that somebody else has read;
- serialization failures at SERIALIZABLE, which depend on what scans and pages
  lock.  In every other round scans lock whole tables, by both access methods; then
  these must agree, too, but for the command at which a transaction fails: when it has failed on
  one side, the other one's is committed, and must fail then.  serial.py looks at the others.
Where one side fails alone for such a reason both transactions are rolled back.

A round is a function of its seed.  When one fails, its commands are tried again
with parts left out, and what is still needed is printed.
"""

import os
import random
import sys
import time

import pq
from schedule import Schedule
from twins import Difference, Machine, Op, Server, Unjudged, option_parser

# what goes on beside the sessions with --background
BACKGROUND = ['retldb.autocompact = on', 'retldb.autocompact_naptime = 1s', 'retldb.autocompact_threshold = 10', 'autovacuum_naptime = 1s', 'autovacuum_vacuum_threshold = 20',
              'autovacuum_vacuum_insert_threshold = 100', 'autovacuum_vacuum_cost_delay = 0']


class Replay:
    """Steps that are known."""

    def __init__(self, steps):
        self.steps = list(steps)

    def next_step(self, _):
        return self.steps.pop(0) if self.steps else 'end'


def run_round(server, strict, setup, schedule, steps):
    """Run a round; the machine, and what was wrong or None."""
    machine = Machine(server, strict)
    try:
        machine.begin(setup)
        for _ in range(steps):
            op = schedule.next_step(machine)
            if op == 'end':
                break
            if op is not None:
                machine.step(op)
        machine.finish()
        machine.disconnect()
    except Unjudged:
        machine.disconnect()
    except Difference as difference:
        return machine, difference
    except (pq.Lost, pq.Timeout) as lost:
        return machine, Difference('the server has gone, or hangs: %s' % lost)
    return machine, None


def shorten(server, strict, setup, steps, seconds):
    """Leave out what is not needed for the round to fail, as long as there is time."""
    end = time.monotonic() + seconds
    part = max(len(steps) // 2, 1)
    while time.monotonic() < end:
        i = 0
        shorter = False
        while i < len(steps) and time.monotonic() < end:
            attempt = steps[:i] + steps[i + part:]
            if run_round(server, strict, setup, Replay(attempt), len(attempt) + 1)[1] is not None:
                steps = attempt
                shorter = True
            else:
                i += part
        if part == 1 and not shorter:
            break
        part = max(part // 2, 1)
    return steps


def main():
    parser = option_parser(__doc__, steps=400)
    parser.add_argument('--standby', action='store_true', help='with a standby, and without crashes')
    parser.add_argument('--subscribers', action='store_true', help='publish both databases, to tables of the other access method; without changes of tables')
    parser.add_argument('--background', action='store_true', help='with automatic compaction and VACUUM, whose moments no seed determines')
    parser.add_argument('--shorten', type=float, default=300, help='seconds for shortening what has failed')
    options = parser.parse_args()

    pq.load(options.libpq)
    if options.heap:
        Op.text = lambda op, side, text=Op.text: text(op, side).replace('USING retldb', 'USING heap').replace('method = retldb', 'method = heap')
    server = Server(options)
    # Not heap2 where files may be gone when their pages are compared: PostgreSQL takes a page for damaged then that a record
    # of the visibility map has left as zeroes.  Heap's LOCK records fail the comparison if a tuple is locked that was frozen
    # when it had a combo command id (INSERT; SAVEPOINT; DELETE; ROLLBACK TO; VACUUM FREEZE; SELECT FOR UPDATE; on heap tables,
    # too): replay clears that bit, and heap_lock_tuple does not.  Beside autovacuum not hash either: records of VACUUM have an
    # image of a page that is not locked.
    checked = 'all' if options.standby else "'%sbtree, gin, gist, spgist, generic'" % ('' if options.background else 'heap, hash, ')
    server.create(["shared_preload_libraries = 'retldb'", *(BACKGROUND if options.background else ['retldb.autocompact = off', 'autovacuum = off']), 'fsync = off', 'max_prepared_transactions = 50',
                   'max_connections = 60', 'shared_buffers = 64MB', 'log_min_messages = warning', "log_line_prefix = '%m [%p] %d '", 'jit = off', "timezone = 'UTC'",
                   'wal_consistency_checking = %s' % checked, 'max_pred_locks_per_transaction = 2000', 'max_wal_size = 512MB', 'wal_level = %s' % ('logical' if options.subscribers else 'replica'), 'max_wal_senders = 20', 'max_replication_slots = 20', 'wal_keep_size = 256MB',
                   'statement_timeout = 0', 'max_standby_streaming_delay = 60s', 'hot_standby_feedback = on',
                   'max_logical_replication_workers = 12', 'max_worker_processes = 24', "wal_retrieve_retry_interval = '100ms'"])
    started = time.monotonic()
    rounds = 0
    total = {}
    try:
        while True:
            seed = options.round or '%d-%d' % (options.seed, rounds)
            strict = random.Random('strict ' + seed).random() < 0.5
            schedule = Schedule(seed, strict, not options.standby, options.subscribers)
            setup = schedule.setup()
            machine, wrong = run_round(server, strict, setup, schedule, options.steps)
            if wrong is not None:
                print('FAILED in round %s%s, step %d, after %d commands in all\n%s' % (
                    seed, ' (scans lock tables)' if strict else '', len(machine.done), total.get('compared', 0) + machine.counts.get('compared', 0), wrong), flush=True)
                steps = shorten(server, strict, setup, machine.done, options.shorten)
                machine, wrong = run_round(server, strict, setup, Replay(steps), len(steps) + 1)
                print('shortened to %d steps:\n%s\n%s' % (len(steps), ';\n'.join(setup), '\n'.join(map(str, steps))))
                print('which then fails with: %s' % wrong)
                return 1
            rounds += 1
            for name, count in machine.counts.items():
                total[name] = total.get(name, 0) + count
            if options.round or time.monotonic() - started > options.seconds:
                break
    finally:
        server.stop()
    print('%d rounds, seed %d: %s; all equal' % (rounds, options.seed, ', '.join('%d %s' % (n, name) for name, n in total.items())))
    return 0


if __name__ == '__main__':
    sys.exit(main())
