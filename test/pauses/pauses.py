#!/usr/bin/env python3
"""Sessions that stop inside their commands, and a model that says what each may bring.

Needs a library that was built from sources in which "instrument" has put the places of
"points".  Three sessions change, read and lock rows of a table, and a fourth one compacts and
vacuums it.  A schedule lets each pass so many places of its command, then others go on.
torture.py, which compares with a heap twin, comes between commands only.

The model knows what is committed, what each transaction has done and locked since its
savepoints, and which snapshot it has.  So it tells what a command must bring, whether it may
fail, and that no two hold locks that conflict.  In rounds of serializable transactions these
must have had an order.  In others the server is killed now and then, with sessions in the
middle of something.  At the end of a round all rows are compared by a scan and by index,
before and after compaction and VACUUM, and the table is verified.

What a round does follows from its seed, but also from how long things take, so a round that
failed may pass the next time; what was done is printed.
"""

import collections
import mmap
import os
import pathlib
import random
import struct
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'diff'))
import pq
from twins import Difference, Server, option_parser

GATES = 16
GATE_SIZE = 64
USERS = 3
# how long somebody may run without stopping or waiting (seconds), or all may wait
PATIENCE = 60
MODES = ['KEY SHARE', 'SHARE', 'NO KEY UPDATE', 'UPDATE']
KEY_SHARE, SHARE, NO_KEY_UPDATE, UPDATE = range(4)
ISOLATION = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']
# plans: what is off
PLANS = {'scan': ['indexscan', 'bitmapscan', 'indexonlyscan'], 'index': ['seqscan', 'bitmapscan'], 'bitmap': ['seqscan', 'indexscan', 'indexonlyscan']}


def conflict(one, other):
    """Do two modes of row locks?"""
    return one + other > NO_KEY_UPDATE if one != other else one >= NO_KEY_UPDATE


class Gate:
    """A session's part of the file that pause.c looks at."""

    def __init__(self, memory, number):
        self.memory, self.offset = memory, number * GATE_SIZE
        self.seen = 0
        self.reset(-1)

    def reset(self, passes):
        """A new command, which may pass so many places."""
        struct.pack_into('iii', self.memory, self.offset, 0, passes, 0)
        self.seen = 0

    def stopped(self):
        waits, passes, stops = struct.unpack_from('iii', self.memory, self.offset)
        return waits == 1 and passes == 0 and stops > self.seen

    def place(self):
        return self.memory[self.offset + 12:self.offset + GATE_SIZE].split(b'\0')[0].decode()

    def go(self, passes):
        """Pass the place and, before stopping again, so many less one others; -1: to the end."""
        self.seen = struct.unpack_from('iii', self.memory, self.offset)[2]
        struct.pack_into('i', self.memory, self.offset + 4, passes)


class Transaction:
    """What a transaction has done, by savepoints; rows are key: (id, v), or None if deleted."""

    def __init__(self, isolation):
        self.isolation = isolation
        self.changes = [{}]
        self.locks = [{}]
        self.snapshot = None
        self.failed = False
        self.confused = False       # sees two rows with one key
        self.ever = set()           # keys that it has changed, rolled back or not
        self.reads = set()          # keys whose committed versions it has read,
        self.versions = {}          # and how many of each there were

    def repeatable(self):
        return self.isolation != 'READ COMMITTED'

    def own(self):
        return {key: row for layer in self.changes for key, row in layer.items()}

    def held(self):
        locks = {}
        for layer in self.locks:
            for key, mode in layer.items():
                locks[key] = max(mode, locks.get(key, mode))
        return locks

    def over(self, rows):
        rows = dict(rows)
        for key, row in self.own().items():
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
        return rows


class Command:
    """A command that runs; "there" and "gone" are keys that were so at any time meanwhile."""

    def __init__(self, sql, check, keys=(), mode=None, ids=None, nowait=False, skips=False):
        self.sql, self.check, self.keys, self.mode, self.ids = sql, check, keys, mode, ids
        self.nowait, self.skips = nowait, skips
        self.view = None
        self.there = self.gone = None


class Session:
    def __init__(self, number, connection, gate):
        self.number, self.connection, self.gate = number, connection, gate
        self.transaction = None
        self.command = None
        self.stays = False          # where it has stopped
        connection.rows("SET pauses.gate = '%d'" % number)
        connection.rows("SET deadlock_timeout = '100ms'")

    def __str__(self):
        return 'session %d' % self.number


class Round:
    def __init__(self, server, memory, seed, steps, method, stops):
        self.server, self.memory, self.steps, self.method = server, memory, steps, method
        self.stops = stops          # how often somebody stopped at each place
        self.random = random.Random(seed)
        self.began = time.monotonic()
        self.trace = []
        self.committed = {}
        self.prepared = {}          # name: Transaction
        self.order = []             # transactions that have committed,
        self.writers = {}           # and those of each key
        self.names = 0

    def note(self, text):
        self.trace.append('%7.2f %s' % (time.monotonic() - self.began, text))

    # ------------------------------------------------------------ beginning

    def connect(self):
        self.control = self.server.connect('postgres')
        self.users = [Session(i, self.server.connect('postgres'), Gate(self.memory, i)) for i in range(USERS)]
        self.keeper = Session(USERS, self.server.connect('postgres'), Gate(self.memory, USERS))
        self.keeper.connection.rows("SET retldb.retire_stubs = 1")
        self.keeper.connection.rows("SET retldb.compact_read_rows = %s" % self.moves_read)

    def disconnect(self):
        for session in self.sessions():
            session.connection.close()
        self.control.close()

    def sessions(self):
        return self.users + [self.keeper]

    def setup(self):
        chance = self.random
        self.serializable = chance.random() < 0.4
        self.crashes = not self.serializable and chance.random() < 0.3
        self.moves_read = chance.choice(['on', 'off'])
        self.highest = chance.choice([6, 12, 24, 60])
        self.connect()
        control = self.control
        options = ['row_store_rows = %d' % chance.choice([0, 0, 3, 1000]), 'row_group_rows = 4000', 'autovacuum_enabled = off']
        if chance.random() < 0.3:
            options.append("order_by = '%s'" % chance.choice(['id', 'v', 'k']))
        control.run('DROP TABLE IF EXISTS t')
        control.rows('CREATE TABLE t (k int PRIMARY KEY, id int, v int, pad text) USING %s%s' % (
            self.method, ' WITH (%s)' % ', '.join(options) if self.method == 'retldb' else ''))
        if chance.random() < 0.3:
            control.rows('CREATE INDEX ON t (v)')
        self.width = chance.choice([0, 0, 3000])
        self.ids = 0
        first = 1
        while first <= self.highest:
            last = min(self.highest, first + chance.choice([0, 2, 5, 11]))
            ids = {key: self.new_id() for key in range(first, last + 1) if chance.random() < 0.85}
            if ids:
                control.rows('INSERT INTO t VALUES ' + self.values(ids))
            self.committed.update((key, (number, 0)) for key, number in ids.items())
            first = last + 1
        self.note('%s; %s; compact_read_rows %s' % ('serializable' if self.serializable else 'any level', ', '.join(options), self.moves_read))
        self.note('rows: %s' % self.committed)

    def new_id(self):
        self.ids += 1
        return self.ids

    def values(self, ids):
        return ', '.join("(%d, %d, 0, repeat('x', %d) || %d)" % (key, number, self.width, number) for key, number in ids.items())

    # ------------------------------------------------------------ running

    def running(self):
        return [session for session in self.sessions() if session.command]

    def start(self, session, command):
        """Send a command, which stops somewhere, or not."""
        chance = self.random
        transaction = session.transaction
        if transaction:
            if transaction.repeatable() and transaction.snapshot is None:
                self.take_snapshot(transaction)
            command.view = transaction.over(transaction.snapshot if transaction.repeatable() else self.committed)
        command.there = set(self.committed)
        command.gone = set(range(self.highest + 1)) - command.there
        session.command = command
        stops = chance.random() < (0.65 if session is not self.keeper else 0.85)
        session.gate.reset(chance.choice([0, 0, 0, 1, 2, 5, 13]) if stops else -1)
        session.stays = False
        self.note('%s: %s' % (session, command.sql))
        session.connection.send(command.sql)

    def take_snapshot(self, transaction):
        transaction.snapshot = dict(self.committed)
        transaction.versions = {key: len(numbers) for key, numbers in self.writers.items()}

    def at_once(self, session, sql, may_fail=()):
        """A command that waits for nobody; its result."""
        self.note('%s: %s' % (session, sql))
        session.gate.reset(-1)
        result = session.connection.run(sql)[-1]
        self.note('%s brought %s' % (session, result))
        if result.state and result.state not in may_fail:
            raise Difference('%s: %s' % (sql, result))
        return result

    def settle(self):
        """Wait until whoever runs has come to a place, to a lock, or to the end."""
        looks = {}
        end = time.monotonic() + PATIENCE
        while True:
            if any([session.connection.poll() for session in self.running()]):
                # those who wait for whoever has failed are done after him
                time.sleep(0.01)
                done = [session for session in self.running() if session.connection.poll()]
                for session in sorted(done, key=lambda one: not one.connection.results[-1].state):
                    self.finish(session)
                looks = {}
                continue
            if not all([self.stays(session) for session in self.running() if session.gate.stopped()]):
                time.sleep(0.001)
                continue
            moving = [session for session in self.running() if not session.gate.stopped()]
            if not moving:
                return
            time.sleep(0.004)
            waits = dict(self.control.rows('SELECT pid, wait_event_type FROM pg_stat_activity WHERE pid IN (%s)' % ', '.join(
                str(session.connection.pid) for session in moving)))
            for session in moving:
                # (timeouts: VACUUM that cannot lock the table to cut off its end)
                waiting = waits.get(str(session.connection.pid)) in ('Lock', 'BufferPin', 'Timeout')
                looks[session] = looks.get(session, 0) + 1 if waiting else 0
            if all(looks[session] >= 4 for session in moving):
                if not any(session.connection.poll() or session.gate.stopped() for session in moving):
                    return
            if time.monotonic() > end:
                raise Difference('runs, and does not stop: %s' % ', '.join('%s (%s)' % (session, session.command.sql) for session in moving))

    def stays(self, session):
        """Does a session stay where it has stopped?  Mostly where that is rare."""
        place = session.gate.place()
        common = self.stops[place] * len(self.stops) > sum(self.stops.values())
        if not session.stays and common and self.random.random() < 0.7:
            session.gate.go(1)
            return False
        if not session.stays:
            self.stops[place] += 1
        session.stays = True
        return True

    def finish(self, session):
        command, session.command = session.command, None
        result = session.connection.results[-1]
        self.note('%s brought %s' % (session, result))
        command.check(session, command, result)
        if result.state and session.transaction:
            session.transaction.failed = True

    def commit(self, transaction):
        """A transaction has committed."""
        own = transaction.own()
        for key, row in own.items():
            self.writers.setdefault(key, []).append(len(self.order))
            if row is None:
                self.committed.pop(key, None)
            else:
                self.committed[key] = row
            for session in self.running():
                (session.command.gone if row is None else session.command.there).add(key)
        self.order.append(transaction)

    # ------------------------------------------------------------ what a command may bring

    @staticmethod
    def rows(result):
        return sorted(tuple(int(value) for value in row) for row in result.rows)

    def expect(self, what, got, wanted):
        if got != wanted:
            raise Difference('%s: got %s, wanted %s' % (what, got, wanted))

    def failed(self, session, command, result):
        """Has a command failed?  If it may not, this raises."""
        transaction = session.transaction
        if not result.state:
            return False
        if result.state == '40001' and transaction.repeatable():
            changed = any(transaction.snapshot.get(key) != self.committed.get(key) for key in command.keys)
            if changed or transaction.isolation == 'SERIALIZABLE':
                return True
        if result.state == '23505' and command.ids and any(key in command.there or transaction.own().get(key) for key in command.ids):
            return True
        if result.state == '40P01' or (result.state == '55P03' and command.nowait):
            return True
        raise Difference('%s: %s' % (command.sql, result))

    def lock(self, session, key, mode):
        """A session has locked a row: nobody else may have done so."""
        others = [(str(other), other.transaction) for other in self.users
                  if other is not session and other.transaction and not other.transaction.failed]
        for name, transaction in others + list(self.prepared.items()):
            held = transaction.held()
            if key in held and conflict(held[key], mode):
                raise Difference('%s has locked %d %s, as %s has, %s' % (session, key, MODES[mode], name, MODES[held[key]]))
        layer = session.transaction.locks[-1]
        layer[key] = max(mode, layer.get(key, mode))

    def met(self, session, command):
        """Rows that a command that changes or locks rows has met, as they are now."""
        transaction = session.transaction
        own = transaction.own()
        latest = transaction.over(self.committed)
        rows = {}
        for key in command.keys:
            if key not in command.view:
                continue
            if transaction.repeatable() and key not in own and self.committed.get(key) != transaction.snapshot.get(key) and command.mode != KEY_SHARE:
                raise Difference('%s: row %d has changed, but it did not fail' % (command.sql, key))
            if key in latest and latest[key][0] == command.view[key][0]:
                rows[key] = latest[key]
        return rows

    def note_reads(self, session, command):
        transaction = session.transaction
        transaction.reads |= {key for key in command.keys if key not in transaction.ever}

    def check_select(self, session, command, result):
        if not self.failed(session, command, result):
            self.expect(command.sql, self.rows(result), sorted((key, *row) for key, row in command.view.items() if key in command.keys))
            self.note_reads(session, command)

    def check_lock(self, session, command, result):
        if self.failed(session, command, result):
            return
        rows = self.rows(result)
        met = self.met(session, command) if not command.skips else command.view
        if command.mode == KEY_SHARE or command.skips:
            # versions that others change meanwhile
            rows, met = [row[:2] for row in rows], {key: row[:1] for key, row in met.items()}
        wanted = sorted((key, *row) for key, row in met.items() if key in command.keys)
        if command.skips:
            self.expect(command.sql, [row for row in rows if row not in wanted or rows.count(row) > 1], [])
        else:
            self.expect(command.sql, rows, wanted)
        for row in rows:
            self.lock(session, row[0], command.mode)
        self.note_reads(session, command)

    def check_change(self, session, command, result):
        """UPDATE, if the mode says so, or DELETE."""
        if self.failed(session, command, result):
            return
        met = self.met(session, command)
        updates = command.mode == NO_KEY_UPDATE
        rows = {key: (row[0], row[1] + 1) if updates else row for key, row in met.items()}
        if 'RETURNING' in command.sql:
            self.expect(command.sql, self.rows(result), sorted((key, *row) for key, row in rows.items()))
        else:
            self.expect(command.sql, int(result.tag.split()[-1]), len(rows))
        self.note_reads(session, command)
        for key, row in rows.items():
            self.lock(session, key, command.mode)
            self.put(session, key, row if updates else None)

    def put(self, session, key, row):
        session.transaction.changes[-1][key] = row
        session.transaction.ever.add(key)

    def insert(self, session, key, number):
        """A session has inserted a row of its own."""
        transaction = session.transaction
        if key in transaction.over(self.committed):
            raise Difference('%s has inserted %d, which is there' % (session, key))
        transaction.confused |= transaction.repeatable() and key in transaction.snapshot and key not in transaction.own()
        self.put(session, key, (number, 0))
        self.lock(session, key, UPDATE)

    def check_insert(self, session, command, result):
        if not self.failed(session, command, result):
            for key, number in command.ids.items():
                self.insert(session, key, number)

    def check_nothing(self, session, command, result):
        """ON CONFLICT DO NOTHING"""
        if self.failed(session, command, result):
            return
        inserted = {int(row[0]) for row in result.rows}
        own = session.transaction.own()
        for key, number in command.ids.items():
            if key in inserted:
                self.insert(session, key, number)
            elif not own.get(key) and (key in own or key not in command.there):
                raise Difference('%s did not insert %d, which was not there' % (session, key))

    def check_upsert(self, session, command, result):
        if self.failed(session, command, result):
            return
        transaction = session.transaction
        wanted = []
        for key, number in sorted(command.ids.items()):
            row = transaction.over(self.committed).get(key)
            if row is None:
                self.insert(session, key, number)
            else:
                if transaction.repeatable() and key not in transaction.own() and transaction.snapshot.get(key) != self.committed.get(key):
                    raise Difference('%s: row %d has changed, but it did not fail' % (command.sql, key))
                self.lock(session, key, NO_KEY_UPDATE)
                self.put(session, key, (row[0], row[1] + 1))
            wanted.append((key, *transaction.own()[key]))
        if result.rows:
            self.expect(command.sql, self.rows(result), wanted)

    def check_maintenance(self, session, command, result):
        if result.state:
            raise Difference('%s: %s' % (command.sql, result))

    # ------------------------------------------------------------ steps

    def begin(self, session):
        isolation = 'SERIALIZABLE' if self.serializable else self.random.choice(ISOLATION)
        transaction = Transaction(isolation)
        self.at_once(session, 'BEGIN ISOLATION LEVEL %s' % isolation)
        plan = self.random.choice(['scan', 'scan', 'index', 'index', 'bitmap'])
        self.at_once(session, '; '.join('SET LOCAL enable_%s = off' % scan for scan in PLANS[plan]))
        if transaction.repeatable() and self.random.random() < 0.4:
            self.at_once(session, 'SELECT count(*) FROM pg_am')
            self.take_snapshot(transaction)
        session.transaction = transaction

    def end(self, session, sql):
        """COMMIT, ROLLBACK, or PREPARE TRANSACTION."""
        transaction, session.transaction = session.transaction, None
        serializable = transaction.isolation == 'SERIALIZABLE'
        result = self.at_once(session, sql, ('40001',) if serializable else ())
        if result.state or sql == 'ROLLBACK':
            return
        if result.tag == 'ROLLBACK':
            if not transaction.failed:
                raise Difference('%s rolled back' % sql)
        elif sql == 'COMMIT':
            self.commit(transaction)
        else:
            self.prepared[sql.split("'")[1]] = transaction

    def decide(self, name, session=None):
        """End a prepared transaction."""
        transaction = self.prepared.pop(name)
        commits = self.random.random() < 0.75
        self.at_once(session or self.users[0], "%s PREPARED '%s'" % ('COMMIT' if commits else 'ROLLBACK', name))
        if commits:
            self.commit(transaction)

    def savepoint(self, session):
        transaction = session.transaction
        depth = len(transaction.changes)
        choice = self.random.random()
        if depth == 1 or (choice < 0.6 and not transaction.failed):
            self.at_once(session, 'SAVEPOINT s%d' % depth)
            transaction.changes.append({})
            transaction.locks.append({})
        elif choice < 0.85 or transaction.failed:
            self.at_once(session, 'ROLLBACK TO s%d' % (depth - 1))
            transaction.changes[-1], transaction.locks[-1] = {}, {}
            transaction.failed = False
        else:
            self.at_once(session, 'RELEASE s%d' % (depth - 1))
            transaction.changes[-2].update(transaction.changes.pop())
            for key, mode in transaction.locks.pop().items():
                transaction.locks[-1][key] = max(mode, transaction.locks[-1].get(key, mode))

    def step_of(self, session):
        """Something for a session that does nothing."""
        chance = self.random
        transaction = session.transaction
        if transaction is None:
            if self.prepared and chance.random() < 0.25:
                self.decide(chance.choice(sorted(self.prepared)), session)
            else:
                self.begin(session)
        elif transaction.failed:
            if len(transaction.changes) > 1 and chance.random() < 0.6:
                self.savepoint(session)
            else:
                self.end(session, chance.choice(['ROLLBACK', 'COMMIT']))
        elif transaction.confused or chance.random() < 0.12:
            self.end(session, chance.choice(['COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK', "PREPARE TRANSACTION 'p%d'" % self.new_id()]))
        elif chance.random() < 0.08:
            self.savepoint(session)
        else:
            self.start(session, self.command())

    def command(self):
        chance = self.random
        first = last = chance.randint(1, self.highest)
        if chance.random() < 0.15:
            first, last = 1, self.highest
        elif chance.random() < 0.4:
            last = min(self.highest, first + chance.choice([1, 2, 5, 9]))
        keys = set(range(first, last + 1))
        where = 'k = %d' % first if first == last else 'k BETWEEN %d AND %d' % (first, last)
        ids = {key: self.new_id() for key in sorted(keys)}
        kind = chance.choice(['select', 'lock', 'lock', 'update', 'update', 'delete', 'delete', 'insert', 'insert', 'upsert', 'upsert', 'nothing'])
        if kind == 'select':
            return Command('SELECT k, id, v FROM t WHERE %s' % where, self.check_select, keys)
        if kind == 'lock':
            mode = chance.randrange(4)
            policy = chance.choice(['', '', '', '', ' NOWAIT', ' SKIP LOCKED'])
            return Command('SELECT k, id, v FROM t WHERE %s FOR %s%s' % (where, MODES[mode], policy), self.check_lock, keys, mode,
                           nowait='NOWAIT' in policy, skips='SKIP' in policy)
        if kind == 'update':
            return Command(chance.choice([
                'UPDATE t SET v = v + 1 WHERE %s RETURNING k, id, v' % where, 'UPDATE t SET v = v + 1 WHERE %s' % where,
                'UPDATE t SET v = v + 1 FROM generate_series(%d, %d) g WHERE k = g RETURNING k, id, v' % (first, last)]),
                self.check_change, keys, NO_KEY_UPDATE)
        if kind == 'delete':
            if chance.random() < 0.3:
                # a whole group, perhaps
                return Command('DELETE FROM t', self.check_change, set(range(self.highest + 1)), UPDATE)
            return Command('DELETE FROM t WHERE %s%s' % (where, chance.choice(['', ' RETURNING k, id, v'])), self.check_change, keys, UPDATE)
        sql = 'INSERT INTO t VALUES %s' % self.values(ids)
        if kind == 'insert':
            return Command(sql, self.check_insert, keys, ids=ids)
        if kind == 'nothing':
            return Command(sql + ' ON CONFLICT DO NOTHING RETURNING k', self.check_nothing, keys, ids=ids)
        return Command(sql + ' ON CONFLICT (k) DO UPDATE SET v = t.v + 1' + chance.choice(['', ' RETURNING k, id, v']), self.check_upsert, keys, ids=ids)

    def maintain(self):
        """Mostly when nothing was done that not everybody sees, for else little is moved."""
        if self.random.random() < 0.6:
            self.calm_down()
        if not self.keeper.command:
            sql = ["CALL retldb.compact('t')", "CALL retldb.compact('t')", 'VACUUM t', 'VACUUM (FREEZE, INDEX_CLEANUP on) t']
            self.start(self.keeper, Command(self.random.choice(sql if self.method == 'retldb' else sql[2:]), self.check_maintenance))

    def step(self):
        self.settle()
        stopped = [session for session in self.running() if session.gate.stopped()]
        idle = [session for session in self.users if not session.command]
        choices = [('go', session) for session in stopped for _ in range(1 if session is self.keeper else 3)]
        choices += [('do', session) for session in idle for _ in range(4)]
        if not self.keeper.command:
            choices += [('maintain', None)] * 2
        if not stopped and not idle:
            self.break_wait()
            return
        what, session = self.random.choice(choices)
        if what == 'go':
            passes = self.random.choice([1, 1, 1, 2, 3, 6] if session is self.keeper else [1, 1, 1, 2, 3, 5, 10, 30, -1])
            self.go(session, passes)
        elif what == 'do':
            self.step_of(session)
        else:
            self.maintain()

    def go(self, session, passes):
        """Let a session that has stopped go on, past so many places, or to the end."""
        self.note('%s at %s: %s' % (session, session.gate.place(), passes if passes > 0 else 'to the end'))
        session.stays = False
        session.gate.go(passes)

    def break_wait(self):
        """All users wait: for a prepared transaction, or for each other."""
        if self.prepared:
            name = self.random.choice(sorted(self.prepared))
            transaction = self.prepared.pop(name)
            self.note('commit %s' % name)
            self.control.rows("COMMIT PREPARED '%s'" % name)
            self.commit(transaction)
            return
        end = time.monotonic() + PATIENCE
        while not any([session.connection.poll() for session in self.running()]):
            if time.monotonic() > end:
                raise Difference('all wait: %s' % ', '.join('%s (%s)' % (session, session.command.sql) for session in self.running()))
            time.sleep(0.05)

    def calm_down(self, wholly=False):
        """End what users do, and what the keeper does."""
        while True:
            self.settle()
            stopped = [session for session in self.running() if session.gate.stopped()]
            open_ = [session for session in self.users if session.transaction and not session.command]
            if stopped:
                self.go(stopped[0], -1)
            elif open_:
                self.end(open_[0], 'COMMIT')
            elif self.prepared or any(session.command for session in self.users):
                self.break_wait()
            elif not wholly or not self.keeper.command:
                return
            else:
                time.sleep(0.05)

    def crash(self):
        self.note('the server is killed: %s' % ', '.join('%s at %s' % (session, session.gate.place()) for session in self.running() if session.gate.stopped()))
        if self.random.random() < 0.3:
            self.control.run('CHECKPOINT')
        self.server.kill()
        self.disconnect()
        self.connect()
        self.compare('after a crash')

    # ------------------------------------------------------------ the end

    def compare(self, when):
        wanted = sorted((key, *row) for key, row in self.committed.items())
        for scan, other in ('on', 'off'), ('off', 'on'):
            self.control.rows('SET enable_seqscan = %s' % scan)
            self.control.rows('SET enable_indexscan = %s' % other)
            self.control.rows('SET enable_bitmapscan = off')
            got = sorted(tuple(map(int, row)) for row in self.control.rows(
                "SELECT k, CASE WHEN pad = repeat('x', %d) || id THEN id ELSE -id END, v FROM t WHERE k > 0" % self.width))
            self.expect('rows %s, sequential scan %s' % (when, scan), got, wanted)
        if self.method == 'retldb':
            self.expect('verify %s' % when, self.control.rows("SELECT * FROM retldb.verify('t')"), [])
        self.expect('the log', self.server.complaints(), [])

    def check_order(self):
        """Serializable transactions that have committed: whose version came before, or was read by whom, must not go round."""
        after = {number: set() for number in range(len(self.order))}
        for numbers in self.writers.values():
            for one, next_ in zip(numbers, numbers[1:]):
                after[one].add(next_)
        for number, transaction in enumerate(self.order):
            for key in transaction.reads:
                numbers = self.writers.get(key, [])
                seen = transaction.versions.get(key, 0)
                if seen > 0:
                    after[numbers[seen - 1]].add(number)
                if seen < len(numbers) and numbers[seen] != number:
                    after[number].add(numbers[seen])
        while after:
            free = {number for number in after if not any(number in others for others in after.values())}
            if not free:
                raise Difference('no order of transactions %s' % after)
            after = {number: others for number, others in after.items() if number not in free}

    def run(self):
        self.setup()
        for step in range(self.steps):
            if self.crashes and step % 40 == 39:
                self.crash()
            self.step()
        self.calm_down(wholly=True)
        self.compare('at the end')
        if self.serializable:
            self.check_order()
        if self.method == 'retldb':
            for _ in range(2):
                self.at_once(self.keeper, "CALL retldb.compact('t')")
                self.compare('after compaction')
                self.at_once(self.keeper, 'VACUUM t')
                self.compare('after VACUUM')
        self.disconnect()


def main():
    parser = option_parser(__doc__, steps=150)
    parser.add_argument('--stops', action='store_true', help='tell how often somebody stopped at each place')
    parser.set_defaults(background=False, standby=False, subscribers=False)
    options = parser.parse_args()
    method = 'heap' if options.heap else 'retldb'

    pq.load(options.libpq)
    server = Server(options)
    server.create(["shared_preload_libraries = 'retldb'", 'retldb.autocompact = off', 'autovacuum = off', 'fsync = off', 'max_prepared_transactions = 20',
                   'shared_buffers = 64MB', "log_line_prefix = '%m [%p] '", 'log_min_messages = warning', 'jit = off'])
    with open(os.path.join(server.data, 'pauses'), 'w+b') as file:
        file.truncate(GATES * GATE_SIZE)
        memory = mmap.mmap(file.fileno(), GATES * GATE_SIZE)
    control = server.connect('postgres')
    control.rows('CREATE EXTENSION retldb')
    control.close()
    started = time.monotonic()
    rounds = 0
    stops = collections.Counter()
    try:
        while True:
            seed = options.round or '%d-%d' % (options.seed, rounds)
            this = Round(server, memory, seed, options.steps, method, stops)
            try:
                this.run()
            except (Difference, pq.Lost, pq.Timeout, RuntimeError) as wrong:
                print('FAILED in round %s: %s: %s' % (seed, type(wrong).__name__, wrong))
                print('\n'.join(this.trace))
                traceback.print_exc()
                return 1
            rounds += 1
            if options.round or time.monotonic() - started > options.seconds:
                break
    finally:
        server.stop()
    points = (pathlib.Path(__file__).parent / 'points').read_text().split('\n')
    never = [point.split()[0] for point in points if point and not point.startswith('#') and not stops[point.split()[0]]]
    print('%d rounds, seed %d, %d stops, none at %s: as the model says' % (rounds, options.seed, sum(stops.values()), ', '.join(never) or 'no place'))
    if options.stops:
        print('\n'.join('%6d %s' % (count, place) for place, count in stops.most_common()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
