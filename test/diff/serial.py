#!/usr/bin/env python3
"""Histories of serializable transactions on retldb tables must be serializable.

torture.py compares serialization failures with heap's, but only where scans lock
whole tables, for what else is locked depends on plans and pages.  This program needs
no twin.  It knows what each transaction must read: what was committed when its
snapshot was taken, and its own changes.  And it knows who has read and written what:
if those who have committed cannot be put into an order, one of them should have failed.
Nothing is asked of failures, for they are always allowed.

All reads and writes are of few rows, by every kind of scan, while tables are
compacted and vacuumed and now and then the server is killed.
"""

import random
import sys
import time

import pq
from twins import Difference, Server, option_parser

SESSIONS = 4
ROWS = 600              # rows of a table, with gaps
GROUPS = 40             # values of g
KEPT = 80               # transactions that are remembered
# kinds of scans, of which a session may use some
SWITCHES = ('enable_seqscan', 'enable_indexscan', 'enable_bitmapscan', 'enable_indexonlyscan')


class Transaction:
    """What one has read and written."""

    def __init__(self, number, committed):
        self.number = number
        self.start = len(committed)     # commits that its snapshot sees
        self.reads = []                 # (table, name of the condition, condition)
        self.writes = {}                # (table, id): row or None
        self.levels = []                # writes at each savepoint
        self.read_only = False
        self.steps = []
        self.commit = None


class History:
    """The committed versions of rows, and whether their transactions have an order."""

    def __init__(self):
        self.versions = {}      # (table, id): [(commit, row or None, transaction)]
        self.committed = []
        self.edges = {}         # transaction: those that come after it, and why
        self.oldest = 0         # commits that the oldest snapshot in use sees

    def row(self, key, commits):
        """The version of a row that was there after so many commits."""
        row = None
        for commit, version, _ in self.versions.get(key, ()):
            if commit >= commits:
                break
            row = version
        return row

    def seen(self, transaction, table, condition):
        """The rows of a table that a transaction must find."""
        keys = {key for key in self.versions if key[0] == table} | {key for key in transaction.writes if key[0] == table}
        rows = [transaction.writes[key] if key in transaction.writes else self.row(key, transaction.start) for key in keys]
        return sorted(row for row in rows if row is not None and condition(row))

    def edge(self, one, other, why):
        if one is not None and one is not other:
            self.edges.setdefault(one, {}).setdefault(other, why)

    def conflicts_of_read(self, reader, table, condition, keys):
        """Who wrote what has been read comes before the reader, who writes it later after him."""
        for key in keys:
            if key[0] != table:
                continue
            versions = self.versions[key]
            for i, (commit, row, writer) in enumerate(versions):
                before = versions[i - 1][1] if i > 0 else None
                if not (row is not None and condition(row)) and not (before is not None and condition(before)):
                    continue
                if commit < reader.start:
                    self.edge(writer, reader, 'wrote %s %s, which is read' % key)
                else:
                    self.edge(reader, writer, 'has read %s %s, which is then written' % key)

    def commit(self, transaction):
        """A transaction has committed: is there an order still?"""
        transaction.commit = len(self.committed)
        self.committed.append(transaction)
        for key, row in transaction.writes.items():
            versions = self.versions.setdefault(key, [])
            if versions:
                self.edge(versions[-1][2], transaction, 'wrote %s %s before' % key)
            versions.append((transaction.commit, row, transaction))
            # what no snapshot needs
            if len(versions) > 12 and versions[1][0] < self.oldest:
                del versions[0]
                versions[0] = (-1, versions[0][1], None)
        for table, _, condition in transaction.reads:
            self.conflicts_of_read(transaction, table, condition, list(self.versions))
        for other in self.committed[-KEPT:-1]:
            for table, _, condition in other.reads:
                self.conflicts_of_read(other, table, condition, transaction.writes)
        self.look_for_cycle(transaction)
        if len(self.committed) > KEPT:
            self.edges.pop(self.committed[-KEPT - 1], None)

    def look_for_cycle(self, start):
        """Depth first from the new one, back to itself."""
        path, seen = [], set()

        def walk(transaction):
            for other, why in self.edges.get(transaction, {}).items():
                if other is start:
                    return [(transaction, why)]
                if other not in seen:
                    seen.add(other)
                    rest = walk(other)
                    if rest:
                        return [(transaction, why)] + rest
            return None

        path = walk(start)
        if path:
            raise Difference('not serializable:\n%s' % '\n'.join(
                'transaction %d %s:\n\t%s' % (t.number, why, '\n\t'.join(t.steps)) for t, why in path))


class Session:
    def __init__(self):
        self.connection = None
        self.transaction = None
        self.then = None        # what to do with the result that is waited for


class Serial:
    """A round."""

    def __init__(self, server, seed, heap):
        self.server = server
        self.random = random.Random(seed)
        self.heap = heap
        self.moves_read = random.Random('read %s' % seed).random() < 0.7     # compaction moves rows that were read, too
        self.history = History()
        self.sessions = [Session() for _ in range(SESSIONS)]
        self.tables = ('s1', 's2')
        self.number = 0
        self.counts = {'commands': 0, 'commits': 0, 'failures': 0, 'kills': 0, 'waits': 0}
        self.log = []
        self.planned = []       # steps that are known already
        self.pin = None         # the row they are about
        self.top = ROWS + 1     # ids from here on were never used

    def choose(self, *choices):
        return self.random.choice(choices)

    def chance(self, p):
        return self.random.random() < p

    # ------------------------------------------------------------ setup

    def begin(self):
        control = self.server.connect('postgres')
        for (gid,) in control.rows('SELECT gid FROM pg_prepared_xacts'):
            raise Difference('prepared transaction %s is left' % gid)
        control.run('SET client_min_messages = warning')
        control.run('DROP DATABASE IF EXISTS serial WITH (FORCE)')
        control.rows('CREATE DATABASE serial')
        if self.moves_read:
            control.rows('ALTER DATABASE serial SET retldb.compact_read_rows = on')
        control.close()
        setup = self.server.connect('serial')
        setup.rows('CREATE EXTENSION retldb')
        setup.rows('SET retldb.row_store_rows = %s' % self.choose('0', '0', '0', '1000'))
        setup.rows('SET retldb.row_group_rows = %s' % self.choose('64', '64', '1000'))
        setup.rows('SET retldb.vector_rows = 64')
        initial = Transaction(0, [])
        for table in self.tables:
            setup.rows('CREATE TABLE %s (id int PRIMARY KEY, g int, v int, x text DEFAULT repeat(\'x\', 20)) USING %s' % (table, 'heap' if self.heap else 'retldb'))
            for index in self.random.sample(['btree (g)', 'hash (g)', 'btree (g, v)', 'gist (int4range(g, g + 1))', 'btree (v)', 'gin ((ARRAY[g]))'], 2):
                setup.rows('CREATE INDEX ON %s USING %s' % (table, index))
            for i in range(1, ROWS + 1):
                if i % 4:
                    initial.writes[(table, i)] = (i, i % GROUPS, 0)
            setup.rows('INSERT INTO %s SELECT i, i %% %d, 0 FROM generate_series(1, %d) i WHERE i %% 4 > 0' % (table, GROUPS, ROWS))
            setup.rows('ANALYZE ' + table)
        setup.close()
        self.history.commit(initial)
        self.connect()

    def connect(self):
        self.monitor = self.server.connect('postgres')
        self.helper = self.server.connect('serial')
        for session in self.sessions:
            session.connection = self.server.connect('serial')
            session.transaction = session.then = None
            session.connection.run("SET client_min_messages = error; SET deadlock_timeout = '10ms'; SET plan_cache_mode = force_custom_plan")

    def disconnect(self):
        for connection in [self.monitor, self.helper] + [s.connection for s in self.sessions]:
            connection.close()

    # ------------------------------------------------------------ running

    def settle(self, session, patience=60):
        """Wait until a command is done (true) or waits for somebody."""
        connection = session.connection
        end = time.monotonic() + patience
        connection.wait(0.003)
        while not connection.poll():
            if self.monitor.rows('SELECT pg_blocking_pids(%d)' % connection.pid) != [('{}',)]:
                return False
            if time.monotonic() > end:
                raise Difference('hangs: %s' % self.log[-1])
            connection.wait(0.003)
        return True

    def send(self, number, sql, then):
        """Start a command; then(results) when it is done."""
        session = self.sessions[number]
        self.counts['commands'] += 1
        self.log.append('s%d: %s' % (number, sql))
        if session.transaction:
            session.transaction.steps.append('%d %s' % (len(self.log), sql))
        session.then = then
        session.connection.send(sql)
        if not self.settle(session):
            self.counts['waits'] += 1
        self.look_after_all()

    def look_after_all(self):
        """Whoever was waited for may have gone."""
        again = True
        while again:
            again = False
            for session in self.sessions:
                if session.then and self.settle(session):
                    self.finish_command(session)
                    again = True

    def finish_command(self, session):
        then, session.then = session.then, None
        wrong = next((r for r in session.connection.results if r.state), None)
        transaction = session.transaction
        if wrong is None:
            then(session.connection.results)
        elif wrong.state not in ('40001', '40P01', '23505'):
            raise Difference('%s: %s' % (transaction.steps[-1] if transaction else self.log[-1], wrong))
        elif transaction and transaction.levels and wrong.state != '40001':
            transaction.writes = transaction.levels[-1].copy()
            session.connection.rows('ROLLBACK TO s%d' % len(transaction.levels))
        else:
            self.counts['failures'] += 1
            session.connection.run('ROLLBACK')
            session.transaction = None

    # ------------------------------------------------------------ steps

    def step(self):
        kind = self.random.random()
        if kind < 0.03:
            return self.maintain()
        if kind < 0.0302:
            return self.crash()
        if kind < 0.06:
            # rows that are still in row groups
            self.hot = self.random.randint(1, ROWS - 3)
        free = [n for n, s in enumerate(self.sessions) if s.then is None]
        if self.planned:
            return self.planned_step()
        if self.chance(0.12):
            return self.plan_ring([n for n in free if self.sessions[n].transaction is None])
        if not free:
            # a deadlock, which is about to be noticed
            time.sleep(0.02)
            return self.look_after_all()
        number = self.random.choice(free)
        session = self.sessions[number]
        if session.transaction is None:
            return self.begin_transaction(number)
        if self.chance(0.2 * (len(session.transaction.steps) - 1)):
            return self.end(number)
        return self.inside(number, session.transaction)

    def plan_ring(self, sessions):
        """Each of some sessions reads a row that nobody has touched yet, and writes the one that the next one reads."""
        if len(sessions) < 2:
            return
        self.random.shuffle(sessions)
        sessions = sessions[:self.choose(2, 2, 3)]
        rows = [(self.choose(*self.tables), self.choose(self.random.randint(1, ROWS), self.random.randint(ROWS, self.top))) for _ in sessions]
        if self.chance(0.4):
            return self.plan_groups_ring(sessions)
        moves = self.choose(0, 0, 1, 2)
        if moves and self.chance(0.7):
            # all in small groups that are new and will be merged
            table = self.choose(*self.tables)
            rows = [(table, self.top + i) for i, _ in enumerate(sessions)]
            # and nobody's snapshot is older
            self.planned += [(n, 'commit', None) for n, s in enumerate(self.sessions) if s.transaction]
            self.planned += [(sessions[0], 'begin', None), (sessions[0], 'load', (table, 0)), (sessions[0], 'commit', None)]
        start = len(self.planned)
        left = [[(number, 'begin', None), (number, 'read', rows[i]), (number, 'write', rows[i - 1]), (number, 'commit', None)] for i, number in enumerate(sessions)]
        while any(left):
            self.planned.append(self.random.choice([steps for steps in left if steps]).pop(0))
        for _ in range(moves):
            self.planned.insert(self.random.randrange(start + 1, len(self.planned)), (0, 'compact', self.choose(*rows)))

    def plan_groups_ring(self, sessions):
        """The same, but some of them delete the whole group of the row."""
        n = self.choose(10, 30)
        groups = [(self.choose(*self.tables), self.top + i * n) for i, _ in enumerate(sessions)]
        rows = [(table, first + self.random.randrange(n)) for table, first in groups]
        # nobody's snapshot is older
        self.planned += [(number, 'commit', None) for number, s in enumerate(self.sessions) if s.transaction]
        for table, _ in groups:
            self.planned += [(sessions[0], 'begin', None), (sessions[0], 'load', (table, n)), (sessions[0], 'commit', None)]
        wipers = self.random.randint(1, len(sessions))
        left = []
        for i, number in enumerate(sessions):
            write = (number, 'wipe', groups[i - 1] + (n,)) if i < wipers else (number, 'write', rows[i - 1])
            left.append([(number, 'begin', None), (number, 'read', rows[i]), write, (number, 'commit', None)])
        while any(left):
            self.planned.append(self.random.choice([steps for steps in left if steps]).pop(0))

    def wipe(self, number, transaction, table, first, n):
        """Delete a group whose rows nobody has touched, by a scan of the table."""
        last = first + n - 1
        connection = self.sessions[number].connection
        for name in SWITCHES:
            connection.rows('SET LOCAL %s = %s' % (name, 'on' if name == 'enable_seqscan' else 'off'))
        connection.rows('SET LOCAL retldb.enable_columnar_scan = on')
        name = 'id BETWEEN %d AND %d' % (first, last)
        expected = self.expect(transaction, table, name, lambda row: first <= row[0] <= last)

        def wiped(results):
            if results[-1].tag != 'DELETE %d' % len(expected):
                raise Difference('transaction %d should delete %d rows:\n\t%s\n%s' % (transaction.number, len(expected), '\n\t'.join(transaction.steps), results[-1]))
            transaction.writes.update({(table, row[0]): None for row in expected})

        self.send(number, 'DELETE FROM %s WHERE %s' % (table, name), wiped)

    def planned_step(self):
        number, what, row = self.planned.pop(0)
        session = self.sessions[number]
        if what == 'compact':
            return self.maintain("CALL retldb.compact('%s')" % row[0] if not self.heap else 'VACUUM ' + row[0])
        if session.then or (session.transaction is None) != (what == 'begin'):
            return
        if what == 'begin':
            self.begin_transaction(number)
        elif what == 'commit':
            self.end(number)
        elif what == 'load':
            if not session.transaction.read_only:
                session.connection.rows('SET retldb.row_store_rows = 0')
                self.number += 1
                self.load(number, session.transaction, row[0], self.number, row[1])
        elif what == 'wipe':
            if not session.transaction.read_only:
                self.wipe(number, session.transaction, *row)
        elif not (what == 'write' and session.transaction.read_only):
            self.pin = row[1]
            (self.read if what == 'read' else self.write)(number, session.transaction, row[0])
            self.pin = None

    def begin_transaction(self, number):
        session = self.sessions[number]
        if self.chance(0.4):
            wanted = self.choose(SWITCHES, SWITCHES[:1], SWITCHES[1:2], SWITCHES[2:3], SWITCHES[1:])
            for name in SWITCHES:
                session.connection.rows('SET %s = %s' % (name, 'on' if name in wanted else 'off'))
            session.connection.rows('SET retldb.enable_columnar_scan = %s' % self.choose('on', 'on', 'off'))
            session.connection.rows('SET retldb.row_store_rows = %s' % self.choose('0', '1000'))
        self.number += 1
        read_only = self.chance(0.15)
        session.connection.rows('BEGIN ISOLATION LEVEL SERIALIZABLE%s' % (' READ ONLY' if read_only else ''))
        # this takes the snapshot
        session.connection.rows('SELECT 1')
        session.transaction = Transaction(self.number, self.history.committed)
        session.transaction.read_only = read_only

    def end(self, number):
        session = self.sessions[number]
        transaction = session.transaction

        def committed(_):
            self.counts['commits'] += 1
            session.transaction = None
            self.history.oldest = min([s.transaction.start for s in self.sessions if s.transaction] + [len(self.history.committed)])
            self.history.commit(transaction)

        def given_up(_):
            session.transaction = None

        if self.chance(0.1):
            return self.send(number, 'ROLLBACK', given_up)
        if self.chance(0.1):
            gid = 'serial%d' % self.number
            self.number += 1
            return self.send(number, "PREPARE TRANSACTION '%s'" % gid, lambda _: self.prepared(number, gid, committed))
        return self.send(number, 'COMMIT', committed)

    def prepared(self, number, gid, then):
        """What is prepared is there after a crash, too; the session goes on with others' steps in between."""
        if self.chance(0.02):
            return self.crash((number, gid, then))
        if self.chance(0.5):
            self.maintain()
        self.send(number, "COMMIT PREPARED '%s'" % gid, then)

    def id(self):
        if self.pin is not None:
            return self.pin
        return max(1, min(self.top - 1, self.hot + self.choose(0, 0, 1, 1, 1, 2))) if self.chance(0.93) else self.random.randint(1, ROWS)

    def inside(self, number, transaction):
        table = self.choose(*self.tables)
        kind = self.random.random()
        if transaction.read_only or kind < 0.5:
            return self.read(number, transaction, table)
        if kind < 0.56:
            transaction.levels.append(transaction.writes.copy())
            return self.send(number, 'SAVEPOINT s%d' % len(transaction.levels), lambda _: None)
        if kind < 0.62 and transaction.levels:
            level = self.random.randint(1, len(transaction.levels))

            def undone(_):
                transaction.writes = transaction.levels[level - 1].copy()
                del transaction.levels[level:]
            return self.send(number, 'ROLLBACK TO s%d' % level, undone)
        return self.write(number, transaction, table)

    def condition(self, i):
        """A condition, and as SQL; the row is (id, g, v)."""
        kind = self.random.random()
        if kind < 0.6:
            return 'id = %d' % i, lambda row: row[0] == i
        if kind < 0.68:
            n = self.choose(2, 5)
            return 'id BETWEEN %d AND %d' % (i, i + n), lambda row: i <= row[0] <= i + n
        if kind < 0.82:
            g = self.random.choice((i % GROUPS, (i + 1) % GROUPS, self.random.randrange(GROUPS)))
            return self.choose('g = %d', 'int4range(g, g + 1) && int4range(%d, %d + 1)', 'ARRAY[g] @> ARRAY[%d]').replace('%d', str(g)), lambda row: row[1] == g
        if kind < 0.86:
            g = self.random.choice((i % GROUPS, (i + 1) % GROUPS, self.random.randrange(GROUPS)))
            return '(id = %d OR g = %d)' % (i, g), lambda row: row[0] == i or row[1] == g
        if kind < 0.97:
            return 'id IN (%d, %d)' % (i, i + 2), lambda row: row[0] in (i, i + 2)
        if kind < 0.98:
            return 'v < 1', lambda row: row[2] < 1
        return 'true', lambda row: True

    def expect(self, transaction, table, name, condition):
        """What a read must find; remembers that it was read."""
        transaction.reads.append((table, name, condition))
        return self.history.seen(transaction, table, condition)

    def rows_are(self, transaction, results, expected):
        rows = sorted(tuple(map(int, row)) for row in results[-1].rows)
        if rows != expected:
            raise Difference('transaction %d finds %s, not %s:\n\t%s' % (transaction.number, rows[:20], expected[:20], '\n\t'.join(transaction.steps)))

    def read(self, number, transaction, table):
        name, condition = self.condition(self.id())
        expected = self.expect(transaction, table, name, condition)
        if self.chance(0.15):
            return self.send(number, 'SELECT count(*), coalesce(sum(v), 0) FROM %s WHERE %s' % (table, name),
                             lambda results: self.rows_are(transaction, results, [(len(expected), sum(row[2] for row in expected))]))
        lock = self.choose(' FOR UPDATE', ' FOR KEY SHARE', ' FOR SHARE', ' FOR NO KEY UPDATE') if self.chance(0.1) and not transaction.read_only else ''
        self.send(number, 'SELECT id, g, v FROM %s WHERE %s%s' % (table, name, lock), lambda results: self.rows_are(transaction, results, expected))

    def write(self, number, transaction, table):
        i = self.id()
        self.number += 1
        v = self.number
        kind = self.random.random()
        if self.pin is None and kind < 0.05:
            return self.load(number, transaction, table, v)
        if kind < (0.2 if self.pin is None or self.pin % 4 == 0 else 0.05):
            # whether the row is there is no read that PostgreSQL notes: 40001 if the snapshot does not see what is there now
            sql = 'INSERT INTO %s VALUES (%d, %d, %d)%s RETURNING id, g, v' % (
                table, i, self.random.choice((i % GROUPS, (i + 1) % GROUPS, self.random.randrange(GROUPS))), v, self.choose('', ' ON CONFLICT (id) DO NOTHING', ' ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v'))
            return self.send(number, sql, lambda results: transaction.writes.update(
                {(table, row[0]): row for row in [tuple(map(int, row)) for row in results[-1].rows]}))
        name, condition = self.condition(i)
        expected = self.expect(transaction, table, name, condition)
        if kind < 0.4:
            sql, rows = 'DELETE FROM %s' % table, {row[0]: None for row in expected}
        elif kind < 0.8:
            sql, rows = 'UPDATE %s SET v = %d' % (table, v), {row[0]: (row[0], row[1], v) for row in expected}
        else:
            g = self.random.choice((i % GROUPS, (i + 1) % GROUPS, self.random.randrange(GROUPS)))
            sql, rows = 'UPDATE %s SET g = %d, v = %d' % (table, g, v), {row[0]: (row[0], g, v) for row in expected}

        def wrote(results):
            if not results[-1].tag.endswith(' %d' % len(rows)):
                raise Difference('transaction %d should change %s:\n\t%s\n%s' % (transaction.number, sorted(rows), '\n\t'.join(transaction.steps), results[-1]))
            transaction.writes.update({(table, key): row for key, row in rows.items()})

        self.send(number, '%s WHERE %s' % (sql, name), wrote)

    def load(self, number, transaction, table, v, n=0):
        """Many new rows, in a small row group if the session has it so; others shall find them."""
        first, n = self.top, n or self.choose(10, 30)
        self.top += n
        self.hot = first + self.random.randrange(n - 3)
        rows = {(table, i): (i, i % GROUPS, v) for i in range(first, first + n)}
        self.send(number, 'INSERT INTO %s SELECT i, i %% %d, %d FROM generate_series(%d, %d) i' % (table, GROUPS, v, first, first + n - 1), lambda _: transaction.writes.update(rows))

    def maintain(self, sql=None):
        """Compact or vacuum; not while somebody is waited for."""
        if any(s.then for s in self.sessions):
            return
        sql = sql or self.choose("CALL retldb.compact('%s')", "CALL retldb.compact('%s')", 'VACUUM (TRUNCATE off) %s', 'VACUUM (TRUNCATE off, INDEX_CLEANUP on) %s', 'CHECKPOINT') if not self.heap else 'VACUUM (TRUNCATE off) %s'
        sql = sql.replace('%s', self.choose(*self.tables))
        self.log.append('-- ' + sql)
        self.helper.send(sql)
        while not self.helper.poll():
            self.helper.wait(0.005)
            if self.monitor.rows('SELECT pg_blocking_pids(%d)' % self.helper.pid) != [('{}',)]:
                self.helper.cancel()
        wrong = self.helper.results[-1]
        if wrong.state not in (None, '57014', '55P03', '40P01'):
            raise Difference('%s: %s' % (sql, wrong))

    def crash(self, in_doubt=None):
        """Kill the server, and commit what is prepared."""
        if any(s.then for s in self.sessions):
            if in_doubt:
                self.send(in_doubt[0], "COMMIT PREPARED '%s'" % in_doubt[1], in_doubt[2])
            return
        self.counts['kills'] += 1
        self.log.append('-- kill')
        kept = self.sessions[in_doubt[0]].transaction if in_doubt else None
        self.disconnect()
        self.server.kill()
        self.connect()
        if in_doubt:
            self.sessions[in_doubt[0]].transaction = kept
            self.send(in_doubt[0], "COMMIT PREPARED '%s'" % in_doubt[1], in_doubt[2])
        self.check()

    def check(self):
        """The contents are what was committed."""
        last = Transaction(-1, self.history.committed)
        for table in self.tables:
            rows = sorted(tuple(map(int, row)) for row in self.helper.rows('SELECT id, g, v FROM %s' % table))
            expected = self.history.seen(last, table, lambda row: True)
            if rows != expected:
                raise Difference('contents of %s: %s are there, %s missing' % (table, sorted(set(rows) - set(expected))[:9], sorted(set(expected) - set(rows))[:9]))
            if not self.heap:
                wrong = self.helper.rows("SELECT * FROM retldb.verify('%s')" % table)
                if wrong:
                    raise Difference('verify: %s' % wrong[:3])

    def run(self, steps):
        self.hot = self.random.randint(1, ROWS - 3)
        self.begin()
        for _ in range(steps):
            self.step()
        self.disconnect()
        self.helper = self.server.connect('serial')
        self.check()
        self.helper.close()
        complaints = self.server.complaints()
        if complaints:
            raise Difference('the log says: %s' % complaints[:3])


def main():
    options = option_parser(__doc__, steps=1000).parse_args()
    options.standby = options.background = options.subscribers = False

    pq.load(options.libpq)
    server = Server(options)
    server.create(["shared_preload_libraries = 'retldb'", 'retldb.autocompact = off', 'autovacuum = off', 'fsync = off', 'max_prepared_transactions = 50', 'shared_buffers = 64MB',
                   'log_min_messages = warning', "log_line_prefix = '%m [%p] %d '", 'jit = off', 'max_pred_locks_per_transaction = 2000', 'max_wal_size = 512MB',
                   'max_pred_locks_per_page = 100', 'max_pred_locks_per_relation = 5000', 'retldb.retire_stubs = 1'])
    started = time.monotonic()
    total = {}
    rounds = 0
    try:
        while True:
            seed = options.round or '%d-%d' % (options.seed, rounds)
            serial = Serial(server, seed, options.heap)
            wrong = None
            try:
                serial.run(options.steps)
            except Difference as difference:
                wrong = difference
            except (pq.Lost, pq.Timeout) as lost:
                wrong = 'the server has gone, or hangs: %s' % lost
            for name, count in serial.counts.items():
                total[name] = total.get(name, 0) + count
            if wrong is not None:
                print('FAILED in round %s after %d commands in all; %s\nthe last steps:\n%s' % (seed, total['commands'], wrong, '\n'.join(serial.log[-60:])), flush=True)
                return 1
            rounds += 1
            if options.round or time.monotonic() - started > options.seconds:
                break
    finally:
        server.stop()
    print('%d rounds of serializable transactions, seed %d: %s; all serializable' % (rounds, options.seed, ', '.join('%d %s' % (n, name) for name, n in total.items())))
    return 0


if __name__ == '__main__':
    sys.exit(main())
