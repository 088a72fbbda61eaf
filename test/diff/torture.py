#!/usr/bin/env python3
"""Sessions side by side, on a database with retldb tables and on its heap twin.

A schedule decides by its seed which session does what next: changes of single and
of many rows, row locks, upserts, MERGE, savepoints, prepared transactions, cursors,
foreign keys, triggers, partitions, DDL, VACUUM, at every isolation level.  Each
command goes to both databases, and what becomes of it must be the same: rows,
command tags, SQLSTATE, whether it waits and for whom.  In between retldb tables are
compacted, the postmaster is killed, and all contents are compared, on a
standby, too.  At the end of a round indexes are checked by amcheck.

What may differ, and nothing else:
- the order of rows without ORDER BY;
- which rows a command that locks many rows has locked already while it waits: so it
  is brought to its end first, by ending or cancelling what it waits for; and which of
  several errors it comes upon first;
- DDL on an index that an open cursor of the session uses, for plans differ (55006);
- a serialization failure of a transaction whose snapshot is older than a compaction
  that has rewritten row groups (docs/limits.md);
- serialization failures at SERIALIZABLE, which depend on what scans and pages
  lock.  In every other round scans lock whole tables, by both access methods; then
  these must agree, too.
Where one side fails alone for such a reason both transactions are rolled back.

A round is a function of its seed.  When one fails, its commands are tried again
with parts left out, and what is still needed is printed.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time

import pq

SIDES = ('retldb', 'heap')
SESSIONS = 4
SERIALIZATION = ('40001', '40P01')
# errors of which a command over many rows may meet one or the other first
ROW_ERRORS = ('23', '40', '55P03', '57014', '21000')
# how long a command may take (seconds) before it hangs
PATIENCE = 120
DEADLOCK_TIMEOUT = 0.01

LEVELS = ['READ COMMITTED', 'READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'REPEATABLE READ', 'SERIALIZABLE']


class Difference(Exception):
    """The two databases do not agree, or something else is wrong."""


class Unjudged(Exception):
    """The two went apart in a way that is allowed; the round ends."""


# ---------------------------------------------------------------- the servers

class Server:
    """A primary and, if wanted, its standby."""

    def __init__(self, options):
        self.bin = options.bindir
        self.dir = options.directory
        self.data = os.path.join(self.dir, 'data')
        self.standby = os.path.join(self.dir, 'standby') if options.standby else None
        self.port = options.port
        self.base = 'host=%s user=postgres' % self.dir

    def tool(self, name, *arguments):
        subprocess.run([os.path.join(self.bin, name), *arguments], check=True, stdout=subprocess.DEVNULL)

    def create(self, settings):
        self.tool('initdb', '-D', self.data, '-U', 'postgres', '--no-locale', '-E', 'UTF8', '-A', 'trust', '-N')
        with open(os.path.join(self.data, 'postgresql.conf'), 'a') as conf:
            conf.write('\n'.join(["listen_addresses = ''", "unix_socket_directories = '%s'" % self.dir, 'port = %d' % self.port] + settings) + '\n')
        self.start()
        if self.standby:
            self.tool('pg_basebackup', '-D', self.standby, '-d', '%s port=%d' % (self.base, self.port), '-R', '-c', 'fast')
            with open(os.path.join(self.standby, 'postgresql.conf'), 'a') as conf:
                conf.write('port = %d\n' % (self.port + 1))
            self.pg_ctl(self.standby, 'start')

    def pg_ctl(self, data, *arguments):
        subprocess.run([os.path.join(self.bin, 'pg_ctl'), '-D', data, '-l', data + '.log', '-w', '-s', '-t', '300', *arguments],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        try:
            self.pg_ctl(self.data, 'start')
        except subprocess.CalledProcessError:
            with open(self.data + '.log', errors='replace') as log:
                raise Difference('the server does not start: %s' % ''.join(log.readlines()[-8:])) from None

    def stop(self):
        for data in filter(None, [self.standby, self.data]):
            if os.path.exists(os.path.join(data, 'postmaster.pid')):
                self.pg_ctl(data, '-m', 'immediate', 'stop')

    def kill(self):
        """Kill the postmaster; the others notice.  Then start again."""
        with open(os.path.join(self.data, 'postmaster.pid')) as file:
            pid = int(file.readline())
        children = [int(child) for child in
                    open('/proc/%d/task/%d/children' % (pid, pid)).read().split()] if os.path.exists('/proc/%d/task/%d/children' % (pid, pid)) else []
        os.kill(pid, signal.SIGKILL)
        for process in [pid] + children:
            for _ in range(1000):
                if not os.path.exists('/proc/%d' % process):
                    break
                time.sleep(0.02)
        self.start()

    def connect(self, database, standby=False):
        return pq.Connection('%s port=%d dbname=%s' % (self.base, self.port + standby, database))

    def complaints(self):
        """Lines of the logs that must not be there."""
        lines = []
        for data in filter(None, [self.data, self.standby]):
            with open(data + '.log', errors='replace') as log:
                lines += [line.strip() for line in log
                          if re.search(r'PANIC|TRAP|inconsistent page|terminated by signal (?!9)|XX00[0-9]', line)]
        return lines


# ---------------------------------------------------------------- running commands

class Op:
    """A step of a schedule."""

    def __init__(self, session, sql, many=False, ordered=False, queues=False, kind='sql', retldb=None):
        self.session, self.sql, self.kind = session, sql, kind
        self.many = many            # locks rows in an order of its own, or waits for several
        self.ordered = ordered      # its rows come in an order
        self.queues = queues        # may wait in a queue with others
        self.retldb = retldb        # SQL of the retldb side, if another

    def text(self, side):
        return (self.retldb if side == 0 and self.retldb else self.sql).replace('{am}', SIDES[side]).replace('{side}', SIDES[side])

    def __str__(self):
        if self.kind != 'sql':
            return '-- %s %s' % (self.kind, self.session if self.kind == 'cancel' else self.sql)
        return 's%d: %s' % (self.session, self.sql)


class Session:
    """A session on either side."""

    def __init__(self):
        self.connections = None
        self.op = None              # what it is waiting in, or just running
        self.stale = False          # compaction has come since its transaction began
        self.serializable = False

    def busy(self, side):
        return self.connections[side].busy


class Machine:
    """Runs a schedule on the two databases and compares."""

    def __init__(self, server, strict):
        self.server = server
        self.strict = strict        # serialization failures must agree
        self.databases = ['torture_' + side for side in SIDES]
        self.sessions = [Session() for _ in range(SESSIONS)]
        self.settled = None         # who waited for whom when they were looked at last
        self.done = []
        self.waits = self.deadlocks = self.apart = self.compared = self.kills = 0

    def begin(self, setup):
        control = self.server.connect('postgres')
        for gid, database in control.rows('SELECT gid, database FROM pg_prepared_xacts'):
            connection = self.server.connect(database)
            connection.run("ROLLBACK PREPARED '%s'" % gid)
            connection.close()
        for database in self.databases:
            control.run('SET client_min_messages = warning')
            control.run('DROP DATABASE IF EXISTS %s WITH (FORCE)' % database)
            result = control.run('CREATE DATABASE ' + database)[-1]
            if result.state:
                raise RuntimeError(str(result))
        control.close()
        for side in (0, 1):
            connection = self.server.connect(self.databases[side])
            for sql in setup:
                result = connection.run(Op(0, sql).text(side))[-1]
                if result.state:
                    raise Difference('setup on %s: %s: %s' % (SIDES[side], sql, result))
            connection.close()
        self.connect()

    def connect(self):
        self.monitor = self.server.connect('postgres')
        self.checkers = [self.server.connect(database) for database in self.databases]
        for checker in self.checkers:
            checker.run("SET lock_timeout = '100ms'")
        self.compactor = self.server.connect(self.databases[0])
        for session in self.sessions:
            session.connections = [self.server.connect(database) for database in self.databases]
            session.op = None
            session.stale = session.serializable = False
            for connection in session.connections:
                connection.run("SET client_min_messages = error; SET deadlock_timeout = '%dms'" % (DEADLOCK_TIMEOUT * 1000))

    def disconnect(self):
        for connection in [self.monitor, self.compactor] + self.checkers + [c for s in self.sessions for c in s.connections]:
            connection.close()

    # ------------------------------------------------------------ waiting

    def connection_of(self, pid, side):
        for number, session in enumerate(self.sessions):
            if session.connections[side].pid == pid:
                return number
        return 'prepared' if pid == 0 else 'other'

    def blockers(self, pids):
        """Who blocks these; empty for those that nobody does."""
        rows = self.monitor.rows('SELECT p, pg_blocking_pids(p) FROM unnest(ARRAY[%s]) p' % ','.join(map(str, pids)))
        return {int(pid): [int(b) for b in blocking.strip('{}').split(',') if b] for pid, blocking in rows}

    def settle(self, more=()):
        """Wait until every session is done or waits for somebody who is idle."""
        end = time.monotonic() + PATIENCE
        quiet = 0
        before = None
        while True:
            for session in self.sessions:
                for connection in session.connections:
                    connection.poll()
            for connection in more:
                connection.poll()
            busy = [c for s in self.sessions for c in s.connections if c.busy] + [c for c in more if c.busy]
            if not busy:
                self.settled = None
                return {}
            blocked = self.blockers([c.pid for c in busy])
            if all(blocked[c.pid] for c in busy) and not self.cycle(blocked) and blocked == before:
                quiet += 1
                # deadlock detection of those that have just begun to wait is over then
                if quiet > 2 + 3 * DEADLOCK_TIMEOUT / 0.005 or (quiet > 1 and blocked == self.settled):
                    self.settled = blocked
                    return blocked
            else:
                quiet = 0
            before = blocked
            if time.monotonic() > end:
                raise Difference('hangs: %s' % '; '.join('%s on %s' % (s.op, SIDES[i]) for s in self.sessions for i in (0, 1) if s.busy(i)))
            busy[0].wait(0.005 if quiet or any(blocked.values()) else 0.002)

    @staticmethod
    def cycle(blocked):
        """Is there a deadlock, which somebody will notice?"""
        for start in blocked:
            seen, front = set(), [start]
            while front:
                for pid in blocked.get(front.pop(), []):
                    if pid == start:
                        return True
                    if pid in blocked and pid not in seen:
                        seen.add(pid)
                        front.append(pid)
        return False

    def waiting(self):
        return [s for s in self.sessions if s.op is not None]

    def draining(self):
        """Is a command over many rows under way, which must end first?"""
        return any(s.op.many for s in self.waiting())

    # ------------------------------------------------------------ judging

    def judge(self, blocked):
        """Compare what sessions have done since they were looked at last."""
        for number, session in enumerate(self.sessions):
            if session.op is not None and not session.busy(0) and not session.busy(1):
                op, session.op = session.op, None
                if self.compare(number, session, op):
                    return
        for session in self.waiting():
            busy = [session.busy(side) for side in (0, 1)]
            on = [sorted({str(self.connection_of(pid, side)) for pid in blocked.get(session.connections[side].pid, [])}) for side in (0, 1)]
            if self.draining() or (all(busy) and on[0] == on[1]):
                continue
            raise Difference('%s waits for %s on retldb, for %s on heap; %s' % (
                session.op, on[0] if busy[0] else 'nobody', on[1] if busy[1] else 'nobody', [c.results for c in session.connections if not c.busy]))

    def compare(self, number, session, op):
        """Compare the results of a command; true if all sessions were judged anew."""
        results = [connection.results for connection in session.connections]
        self.compared += 1
        if '40P01' in [r.state for r in results[0] + results[1]]:
            self.deadlocks += 1
        same = len(results[0]) == len(results[1]) and all(self.same(op, *pair) for pair in zip(*results))
        if same and session.connections[0].status == session.connections[1].status:
            return False
        states = [next((r.state for r in side if r.state), None) for side in results]
        if self.may_fail_alone(session, op, states):
            self.apart += 1
            self.end_both(number, session, op, states)
            return True
        raise Difference('%s\nretldb: %s, transaction %d\nheap:   %s, transaction %d%s' % (
            op, results[0], session.connections[0].status, results[1], session.connections[1].status,
            ''.join(self.rows_that_differ(*pair) for pair in zip(*results))))

    @staticmethod
    def rows_that_differ(one, other):
        if sorted(one.rows, key=repr) == sorted(other.rows, key=repr):
            return '\nrows are in another order: %s' % [pair for pair in zip(one.rows, other.rows) if pair[0] != pair[1]][:3] if one.rows != other.rows else ''
        return '\nonly in retldb: %s\nonly in heap: %s' % ([row for row in one.rows if row not in other.rows][:5], [row for row in other.rows if row not in one.rows][:5])

    @staticmethod
    def same(op, one, other):
        if one.state or other.state:
            if one.state == other.state and one.constraint == other.constraint:
                return True
            return bool(op.many and one.state and other.state and
                        one.state.startswith(ROW_ERRORS) and other.state.startswith(ROW_ERRORS))
        if one.tag != other.tag:
            return False
        if op.ordered:
            return one.rows == other.rows
        return one.rows == other.rows or sorted(one.rows, key=repr) == sorted(other.rows, key=repr)

    def may_fail_alone(self, session, op, states):
        if states[0] == '40001' and states[1] is None and session.stale:
            return True
        # an open cursor uses an index that DDL is about, by its plan
        if '55006' in states:
            return True
        # whom a deadlock takes when many rows are locked in different orders
        if any(state in SERIALIZATION for state in states) and (op.many or any(s.op is not None and s.op.many for s in self.sessions)):
            return True
        return session.serializable and not self.strict and any(state == '40001' for state in states)

    def end_both(self, number, session, op, states):
        """One side has failed alone: roll both back, if that is still possible."""
        for side in (0, 1):
            if states[side] is None and session.connections[side].status == pq.IDLE:
                raise Unjudged('%s was committed on %s only' % (op, SIDES[side]))
        for connection in session.connections:
            connection.run('ROLLBACK')
        session.stale = session.serializable = False
        self.judge(self.settle())

    # ------------------------------------------------------------ steps

    def allowed(self, op):
        if op.kind in ('crash', 'check', 'compact'):
            return not self.draining() or op.kind == 'check'
        session = self.sessions[op.session]
        if op.kind == 'cancel':
            return session.op is not None and session.busy(0) and session.busy(1)
        if session.op is not None:
            return False
        if self.draining():
            return op.sql in ('COMMIT', 'ROLLBACK') or op.sql.startswith(('COMMIT PREPARED', 'ROLLBACK PREPARED'))
        return True

    def step(self, op):
        """Do a step, if it can be done now."""
        if not self.allowed(op):
            return False
        self.done.append(op)
        try:
            getattr(self, 'do_' + op.kind)(op)
        except pq.Lost as lost:
            raise Difference('the server has gone in %s: %s' % (op, lost))
        return True

    def do_sql(self, op):
        session = self.sessions[op.session]
        if session.connections[0].status == pq.IDLE:
            session.stale = session.serializable = False
        if 'SERIALIZABLE' in op.sql:
            session.serializable = True
        session.op = op
        for side in (0, 1):
            session.connections[side].send(op.text(side))
        self.judge(self.settle())
        self.limit_waits(op.session)

    def limit_waits(self, number):
        """
        Who wakes first of several that wait is a matter of chance: let only those
        wait who queue up for a row.  A deadlock has been resolved by now.
        """
        session = self.sessions[number]
        if session.op is None:
            return
        self.waits += 1
        others = [s for s in self.waiting() if s is not session]
        if others and not (session.op.queues and all(s.op.queues for s in others)):
            self.do_cancel(Op(number, '', kind='cancel'))

    def do_cancel(self, op):
        session = self.sessions[op.session]
        for connection in session.connections:
            if connection.busy:
                connection.cancel()
        self.judge(self.settle())

    def do_compact(self, op):
        """Compact a retldb table; it gives way to everybody."""
        self.compactor.send(op.sql)
        self.settle([self.compactor])
        if self.compactor.busy:
            self.compactor.cancel()
            while not self.compactor.poll():
                self.compactor.wait(1)
        state = self.compactor.results[-1].state if self.compactor.results else None
        if state not in (None, '57014', '55P03', '42P01', '42809', '40P01'):
            raise Difference('%s: %s' % (op.sql, self.compactor.results))
        for session in self.sessions:
            session.stale = session.connections[0].status != pq.IDLE
        self.judge(self.settle())

    def do_crash(self, _):
        self.kills += 1
        self.disconnect()
        self.server.kill()
        self.connect()

    def do_check(self, op):
        """Compare what is committed; a table that is locked is passed over."""
        self.compare_contents(self.checkers)
        if op.sql:
            self.compare_standby()

    # ------------------------------------------------------------ contents

    @staticmethod
    def tables(connection):
        return [row[0] for row in connection.rows(
            "SELECT quote_ident(relname) FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relnamespace = 'public'::regnamespace ORDER BY 1")]

    def compare_contents(self, connections, standby=False):
        tables = [self.tables(c) for c in connections]
        if tables[0] != tables[1]:
            raise Difference('tables differ: %s, %s' % tuple(tables))
        for table in tables[0]:
            if standby and connections[0].rows("SELECT relpersistence FROM pg_class WHERE relname = '%s'" % table) == [('u',)]:
                continue
            sql = 'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM %s t' % table
            answers = [c.run(sql)[-1] for c in connections]
            if any(a.state in ('55P03', '40001') for a in answers):
                if answers[0].state != answers[1].state and not self.draining():
                    raise Difference('%s: %s, %s' % (sql, answers[0], answers[1]))
                continue
            if any(a.state for a in answers):
                raise Difference('%s%s: %s, %s' % ('standby: ' if standby else '', sql, answers[0], answers[1]))
            if answers[0].rows != answers[1].rows:
                rows = [set(r[0] for r in c.rows('SELECT t::text FROM %s t' % table)) for c in connections]
                raise Difference('%scontents of %s differ: %s, %s; only in retldb %s; only in heap %s' % (
                    'standby: ' if standby else '', table, answers[0].rows, answers[1].rows, sorted(rows[0] - rows[1])[:5], sorted(rows[1] - rows[0])[:5]))

    def compare_standby(self):
        if not self.server.standby:
            return
        lsn = self.monitor.rows('SELECT pg_current_wal_insert_lsn()')[0][0]
        connection = self.server.connect('postgres', True)
        for _ in range(6000):
            if connection.rows("SELECT pg_last_wal_replay_lsn() >= '%s'" % lsn)[0][0] == 't':
                break
            time.sleep(0.02)
        else:
            raise Difference('the standby does not catch up')
        connection.close()
        connections = [self.server.connect(database, True) for database in self.databases]
        for connection in connections:
            connection.run("SET lock_timeout = '100ms'")
        self.compare_contents(connections, True)
        for connection in connections:
            connection.close()

    def finish(self):
        """End everything, compare all, and verify."""
        for _ in range(20):
            for number, session in enumerate(self.sessions):
                if session.op is None and session.connections[0].status in (pq.IN_TRANSACTION, pq.IN_ERROR):
                    self.step(Op(number, 'ROLLBACK'))
            for gid, side_gids in self.in_doubt():
                idle = next((n for n, s in enumerate(self.sessions) if s.op is None), None)
                if idle is not None:
                    self.step(Op(idle, "ROLLBACK PREPARED '%s'" % gid))
            if not self.waiting() and not self.in_doubt() and all(s.connections[0].status == pq.IDLE for s in self.sessions):
                break
        else:
            raise Difference('still waiting when nobody is left: %s' % [str(s.op) for s in self.waiting()])
        self.compare_contents(self.checkers)
        self.compare_standby()
        checker = self.checkers[0]
        checker.run('RESET lock_timeout')
        for sql in ("SELECT c.relname, v.* FROM pg_class c JOIN pg_am a ON a.oid = c.relam CROSS JOIN LATERAL retldb.verify(c.oid) v WHERE a.amname = 'retldb' AND c.relkind IN ('r', 'm')",
                    "SELECT bt_index_parent_check(indexrelid, true)::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam "
                    "WHERE amname = 'btree' AND c.relkind = 'i' AND indisvalid AND indrelid >= 16384"):
            result = checker.run(sql)[-1]
            if result.state or [row for row in result.rows if row != ('',)]:
                raise Difference('%s: %s' % (sql.split('(')[0], result))
        complaints = self.server.complaints()
        if complaints:
            raise Difference('the log says: %s' % complaints[:3])

    def in_doubt(self):
        rows = self.monitor.rows('SELECT gid FROM pg_prepared_xacts')
        names = {}
        for (gid,) in rows:
            name, side = gid.rsplit('_', 1)
            names.setdefault(name + '_{side}', set()).add(side)
        for name, sides in names.items():
            if len(sides) != 2:
                raise Difference('prepared on one side only: %s %s' % (name, sides))
        return sorted(names.items())


# ---------------------------------------------------------------- what sessions do

# columns of tables: name, type, values by {i}
COLUMNS = [
    ('a', 'int', ['{i} % 13', '{i}', 'NULL', '{i} % 3']),
    ('b', 'text', ["'v' || {i} % 17", "repeat(md5(({i})::text), {i} % 5)", "CASE WHEN {i} % 9 = 0 THEN repeat(md5(({i})::text), 200) END", "''"]),
    ('c', 'numeric(12,2)', ['{i} / 4.0', '({i} % 10) * 1.5', 'NULL']),
    ('d', 'date', ["date '2020-01-01' + {i} % 40"]),
    ('e', 'int[]', ['ARRAY[{i} % 5, {i} % 7]', "'{}'"]),
    ('r', 'int4range', ['int4range({i} % 50, {i} % 50 + 3)', 'NULL']),
    ('j', 'jsonb', ["jsonb_build_object('k', {i} % 4)"]),
    ('f', 'float8', ['{i} / 7.0', "'NaN'"])]

INDEXES = ['btree (a)', 'btree (b, a)', 'hash (b)', 'gin (e)', 'gist (r)', 'spgist (b)', 'gin (j jsonb_path_ops)', 'btree ((a % 10))',
           'btree (c) WHERE id % 3 = 0', 'btree (a) INCLUDE (c)', 'btree (d DESC)', 'hash (a)', 'btree (id, d)', 'spgist (r)']

CONDITIONS = ['a = {m}', 'a BETWEEN {m} AND {m} + 3', "b = 'v' || {m}", "b > 'v3'", 'e @> ARRAY[{k}]', 'r && int4range({m}, {m} + 4)', "j @> '{{\"k\": 1}}'",
              "d = date '2020-01-01' + {m}", 'c > {m}', 'a % 10 = {k}', 'id % 3 = 0 AND c < {m}', 'a IS NULL', 'b IS NOT NULL', 'id BETWEEN {n} AND {n} + 20',
              'id IN ({n}, {n} + 1, {m})', "f = 'NaN'", 'a > {m} OR id < {m}']

SETTINGS = [('enable_seqscan', ['on', 'off']), ('work_mem', ["'64kB'", "'4MB'"]), ('plan_cache_mode', ['auto', 'force_generic_plan']),
            ('enable_hashjoin', ['on', 'off']), ('enable_nestloop', ['on', 'off']), ('retldb.enable_columnar_scan', ['on', 'off']),
            ('retldb.enable_vector_filter', ['on', 'off']), ('retldb.enable_skipping', ['on', 'off'])]
FREE_SETTINGS = [('enable_indexscan', ['on', 'off']), ('enable_bitmapscan', ['on', 'off']), ('enable_indexonlyscan', ['on', 'off']),
                 ('retldb.row_store_rows', ['0', '0', '5', '1000']), ('retldb.row_group_rows', ['64', '64', '200', '2000']), ('retldb.vector_rows', ['64', '256']),
                 ('min_parallel_table_scan_size', ["'8MB'", '0']), ('parallel_setup_cost', ['0', '1000'])]


class Table:
    """What the schedule knows of a table; it need not be quite true."""

    def __init__(self, name, columns):
        self.name, self.columns = name, columns
        self.key = True             # "id" is unique
        self.parent = self.child = self.partitioned = False
        self.deferrable = False
        self.extra = []             # columns added since

    @property
    def many(self):
        """Does a change of one row change others?"""
        return self.parent or not self.key


class Schedule:
    """Random setup and steps."""

    def __init__(self, seed, strict, crashes):
        self.random = random.Random(seed)
        self.strict = strict
        self.tables = []
        self.next = 1000            # ids that nobody has yet
        self.number = 0
        self.cursors = [[] for _ in range(SESSIONS)]
        self.savepoints = [0] * SESSIONS
        self.statements = [[] for _ in range(SESSIONS)]
        self.gids = []
        self.crashes = crashes and self.chance(0.5)

    def choose(self, *choices):
        return self.random.choice(choices)

    def chance(self, p):
        return self.random.random() < p

    # ------------------------------------------------------------ setup

    def value(self, table, column, i):
        if column == 'pid':
            return self.choose('CASE WHEN {i} % 4 > 0 THEN 1 + {i} % 30 END', '1 + {i} % 60', '1 + {i} % 10').replace('{i}', i)
        values = next((values for name, _, values in COLUMNS if name == column), None)
        return self.random.choice(values).replace('{i}', '(%s)' % i)

    def values(self, table, i):
        return ', '.join([i] + [self.value(table, column, i) for column in table.columns])

    def names(self, table):
        return ', '.join(['id'] + table.columns)

    def setup(self):
        sql = ['CREATE EXTENSION retldb', 'CREATE EXTENSION amcheck']
        sql.append("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_table_access_method = {am}', current_database()); END $$")
        if self.strict:
            for name in ('enable_indexscan', 'enable_bitmapscan', 'enable_indexonlyscan'):
                sql.append("DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET %s = off', current_database()); END $$" % name)
        sql += ['SET default_table_access_method = {am}', 'SET retldb.row_store_rows = %s' % self.choose('0', '0', '1000'),
                'SET retldb.row_group_rows = %s' % self.choose('64', '100', '1000'), 'SET retldb.vector_rows = 64']
        for number in range(1, 4):
            self.setup_table(sql, number)
        self.setup_partitions(sql)
        self.setup_triggers(sql)
        return sql

    def setup_table(self, sql, number):
        table = Table('t%d' % number, [name for name, _, _ in self.random.sample(COLUMNS, self.random.randint(2, len(COLUMNS)))])
        if 'a' not in table.columns:
            table.columns.append('a')
        if 'b' not in table.columns:
            table.columns.append('b')
        types = {name: kind for name, kind, _ in COLUMNS}
        definitions = ['id int'] + ['%s %s' % (name, types[name]) for name in table.columns]
        kind = self.random.random()
        if number == 1 or kind < 0.6:
            definitions.append('PRIMARY KEY (id)')
        elif kind < 0.8:
            definitions.append('UNIQUE (id) DEFERRABLE' + self.choose('', ' INITIALLY DEFERRED'))
            table.deferrable = True
            table.key = False
        else:
            table.key = False
        if number == 2 and self.chance(0.7):
            self.tables[0].parent = table.child = True
            table.columns.append('pid')
            definitions.append('pid int REFERENCES t1 ON DELETE %s ON UPDATE %s%s' % (
                self.choose('CASCADE', 'SET NULL', 'RESTRICT', 'NO ACTION'), self.choose('CASCADE', 'SET NULL', 'RESTRICT', 'NO ACTION'),
                self.choose('', '', ' DEFERRABLE', ' DEFERRABLE INITIALLY DEFERRED')))
        if 'r' in table.columns and self.chance(0.15):
            definitions.append('EXCLUDE USING gist (r WITH &&) WHERE (id < 20)')
        if self.chance(0.2):
            definitions.append('CHECK (a <> 12)')
        unlogged = 'UNLOGGED ' if number == 3 and self.chance(0.25) else ''
        sql.append('CREATE %sTABLE %s (%s)' % (unlogged, table.name, ', '.join(definitions)))
        self.tables.append(table)
        for n in range(self.random.randint(0, 3)):
            sql.append(self.create_index(table, '')[0])
        rows = self.choose(30, 60, 200, 700)
        # within the limits of checks and exclusions
        sql.append('INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %d) i WHERE i %% 5 <> 2' % (
            table.name, 'id, a, b', "i, i % 12, 'v' || i % 17", rows))
        sql.append('ANALYZE ' + table.name)

    def setup_partitions(self, sql):
        if not self.chance(0.6):
            return
        table = Table('pt', ['a', 'b', 'c'])
        table.partitioned = True
        sql += ['CREATE TABLE pt (id int PRIMARY KEY, a int, b text, c numeric(12,2)) PARTITION BY RANGE (id)',
                'CREATE TABLE pt0 PARTITION OF pt FOR VALUES FROM (MINVALUE) TO (20)',
                'CREATE TABLE pt1 PARTITION OF pt FOR VALUES FROM (20) TO (60) USING heap',
                'CREATE TABLE pt2 PARTITION OF pt DEFAULT',
                "INSERT INTO pt SELECT i, i % 12, 'v' || i % 17, i FROM generate_series(1, 100) i",
                'CREATE INDEX ON pt (a)']
        self.tables.append(table)

    def setup_triggers(self, sql):
        sql.append('CREATE TABLE log (tab text, op text, n bigint, s bigint, x text)')
        if self.chance(0.5):
            sql.append("""CREATE FUNCTION log_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN INSERT INTO log SELECT TG_TABLE_NAME, TG_OP, count(*), sum(id) FROM o;
	ELSIF TG_OP = 'INSERT' THEN INSERT INTO log SELECT TG_TABLE_NAME, TG_OP, count(*), sum(id) FROM n;
	ELSE INSERT INTO log SELECT TG_TABLE_NAME, TG_OP, (SELECT count(*) FROM o), (SELECT sum(id) FROM o) + 1000 * (SELECT sum(id) FROM n); END IF;
	RETURN NULL;
END $$""")
            table = self.choose('t1', 't2', 't3')
            sql += ['CREATE TRIGGER l1 AFTER INSERT ON %s REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION log_rows()' % table,
                    'CREATE TRIGGER l2 AFTER UPDATE ON %s REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION log_rows()' % table,
                    'CREATE TRIGGER l3 AFTER DELETE ON %s REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION log_rows()' % table]
        if self.chance(0.4):
            sql.append("""CREATE FUNCTION change_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		IF OLD.id % 31 = 0 THEN RETURN NULL; END IF;
		RETURN OLD;
	END IF;
	IF NEW.id % 31 = 0 THEN RETURN NULL; END IF;
	NEW.b := coalesce(NEW.b, '') || 't';
	RETURN NEW;
END $$""")
            sql.append('CREATE TRIGGER b1 BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION change_row()' % self.choose('t2', 't3'))
        if self.chance(0.4):
            sql.append("""CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (TG_TABLE_NAME, TG_OP, NULL, NULL, coalesce(OLD::text, '') || '>' || coalesce(NEW::text, ''));
	RETURN NULL;
END $$""")
            sql.append('CREATE %s l4 AFTER INSERT OR UPDATE OR DELETE ON %s %s FOR EACH ROW EXECUTE FUNCTION log_row()' % (
                *self.choose(('TRIGGER', 't1', ''), ('CONSTRAINT TRIGGER', 't3', 'DEFERRABLE INITIALLY DEFERRED')),))

    def create_index(self, table, concurrently):
        for _ in range(20):
            index = self.random.choice(INDEXES)
            if all(c in table.columns + ['id'] for c in re.findall(r'\b([abcdejrf]|id)\b', index.split(' ', 1)[1])):
                self.number += 1
                return ('CREATE INDEX %s%s_i%d ON %s USING %s' % (concurrently, table.name, self.number, table.name, index), '%s_i%d' % (table.name, self.number))
        return ('SELECT 1', 'none')

    # ------------------------------------------------------------ pieces

    def id(self):
        """An id that several sessions like, or another."""
        return self.choose(*[self.random.randint(1, most) for most in (4, 8, 8, 60, 300)])

    def condition(self, table):
        for _ in range(20):
            condition = self.random.choice(CONDITIONS)
            if all(c in table.columns + ['id'] for c in re.findall(r'(?<![\w\'"{])([abcdejrf]|id)\b(?![\'"(])', condition)):
                return condition.format(m=self.random.randint(0, 12), k=self.random.randint(0, 9), n=self.id())
        return 'true'

    def some(self, table):
        """A condition for some rows."""
        first = self.id()
        return self.choose('id BETWEEN %d AND %d' % (first, first + self.choose(3, 20, 100)), 'id %% %d = %d' % (self.choose(3, 7, 20), self.choose(0, 1, 2)),
                           self.condition(table), 'id < %d' % first)

    def assignment(self, table):
        column = self.random.choice(table.columns)
        if column == 'a':
            return self.choose('a = a + 1', 'a = %d' % self.random.randint(0, 11), 'a = coalesce(a, 0) - 1')
        if column == 'b':
            return self.choose("b = b || '+'", "b = 'v' || %d" % self.random.randint(0, 16), "b = repeat('long', 700)")
        return '%s = %s' % (column, self.value(table, column, self.choose('id', str(self.id()))))

    def lock(self):
        return self.choose('FOR UPDATE', 'FOR UPDATE', 'FOR NO KEY UPDATE', 'FOR SHARE', 'FOR KEY SHARE') + self.choose('', '', ' NOWAIT', ' SKIP LOCKED')

    def returning(self):
        return self.choose('', '', ' RETURNING *', ' RETURNING id')

    # ------------------------------------------------------------ steps

    def next_step(self, machine):
        """The next step, for a session that can do something."""
        if machine.draining():
            return self.drain(machine)
        kind = self.random.random()
        if kind < 0.02:
            return Op(0, 'standby' if self.chance(0.3) else '', kind='check')
        if kind < 0.05:
            return Op(0, "CALL retldb.compact('%s')" % self.choose('t1', 't2', 't3', 'pt0', 'pt2', 'log'), kind='compact')
        if kind < 0.053 and self.crashes:
            self.cursors = [[] for _ in range(SESSIONS)]
            self.statements = [[] for _ in range(SESSIONS)]
            return Op(0, '', kind='crash')
        number = self.random.randrange(SESSIONS)
        session = machine.sessions[number]
        if session.op is not None:
            return Op(number, '', kind='cancel') if self.chance(0.1) else None
        status = session.connections[0].status
        if status == pq.IN_ERROR:
            return self.leave_error(number)
        if status == pq.IDLE:
            return self.outside(number)
        return self.inside(number)

    def drain(self, machine):
        """A command over many rows waits: end those whom it may wait for."""
        waiting = [n for n, s in enumerate(machine.sessions) if s.op is not None]
        if self.chance(0.15):
            return Op(self.random.choice(waiting), '', kind='cancel')
        free = [n for n, s in enumerate(machine.sessions) if s.op is None]
        active = [n for n in free if machine.sessions[n].connections[0].status != pq.IDLE]
        idle = [n for n in free if n not in active]
        if active:
            number = self.random.choice(active)
            return self.end(number)
        doubt = machine.in_doubt()
        if doubt and idle:
            gid = self.random.choice(doubt)[0]
            return Op(self.random.choice(idle), "%s PREPARED '%s'" % (self.choose('COMMIT', 'ROLLBACK'), gid), many=True)
        raise Difference('%s waits, for nobody' % [str(machine.sessions[n].op) for n in waiting])

    def end(self, number):
        self.savepoints[number] = 0
        self.cursors[number] = [c for c in self.cursors[number] if c[2]]
        return Op(number, self.choose('COMMIT', 'COMMIT', 'ROLLBACK'), many=True)

    def leave_error(self, number):
        if self.savepoints[number] and self.chance(0.6):
            return Op(number, 'ROLLBACK TO s%d' % self.savepoints[number])
        return self.end(number)

    def outside(self, number):
        kind = self.random.random()
        if kind < 0.55:
            self.savepoints[number] = 0
            return Op(number, 'BEGIN ISOLATION LEVEL %s%s' % (self.random.choice(LEVELS), self.choose('', '', '', '', '', '', ' READ ONLY')))
        if kind < 0.61:
            return self.maintenance(number)
        if kind < 0.66 and self.gids:
            gid = self.gids.pop(self.random.randrange(len(self.gids)))
            return Op(number, "%s PREPARED '%s'" % (self.choose('COMMIT', 'ROLLBACK'), gid), many=True)
        if kind < 0.72:
            return self.setting(number)
        return self.statement(number)

    def inside(self, number):
        kind = self.random.random()
        if kind < 0.17:
            return self.end(number)
        if kind < 0.19:
            self.number += 1
            gid = 'g%d_{side}' % self.number
            self.gids.append(gid)
            self.savepoints[number] = 0
            return Op(number, "PREPARE TRANSACTION '%s'" % gid, many=True)
        if kind < 0.26:
            self.savepoints[number] += 1
            return Op(number, 'SAVEPOINT s%d' % self.savepoints[number])
        if kind < 0.31 and self.savepoints[number]:
            level = self.random.randint(1, self.savepoints[number])
            if self.chance(0.6):
                self.savepoints[number] = level
                return Op(number, 'ROLLBACK TO s%d' % level)
            self.savepoints[number] = level - 1
            return Op(number, 'RELEASE s%d' % level)
        if kind < 0.33:
            return Op(number, 'SET CONSTRAINTS ALL ' + self.choose('DEFERRED', 'IMMEDIATE'), many=True)
        if kind < 0.45:
            return self.cursor(number)
        return self.statement(number)

    def setting(self, number):
        name, values = self.random.choice(SETTINGS + ([] if self.strict else FREE_SETTINGS + FREE_SETTINGS))
        return Op(number, 'SET %s = %s' % (name, self.random.choice(values)))

    def statement(self, number):
        table = self.random.choice(self.tables)
        kind = self.random.random()
        if kind < 0.6:
            return self.one_row(number, table)
        if kind < 0.75:
            return self.many_rows(number, table)
        if kind < 0.95:
            return self.query(number, table)
        return self.ddl(number, table)

    def one_row(self, number, table):
        name, i, many = table.name, self.id(), table.many
        kind = self.random.random()
        if kind < 0.13:
            i = self.choose(i, self.fresh(1))
            return Op(number, 'INSERT INTO %s (%s) VALUES (%s)%s' % (name, self.names(table), self.values(table, str(i)), self.returning()), many=many)
        if kind < 0.35:
            condition = ' AND ' + self.condition(table) if self.chance(0.3) else ''
            return Op(number, 'UPDATE %s SET %s WHERE id = %d%s%s' % (name, self.assignment(table), i, condition, self.returning()), many=many, queues=not many)
        if kind < 0.40:
            return Op(number, 'UPDATE %s SET id = %d WHERE id = %d%s' % (name, self.choose(self.id(), self.fresh(1), i), i, self.returning()), many=many)
        if kind < 0.48:
            return Op(number, 'DELETE FROM %s WHERE id = %d%s' % (name, i, self.returning()), many=many, queues=not many)
        if kind < 0.66:
            return Op(number, 'SELECT * FROM %s WHERE id = %d %s' % (name, i, self.lock()), many=not table.key, queues=table.key)
        if kind < 0.80 and table.key:
            action = self.choose('NOTHING', 'UPDATE SET a = %s.a + 1' % name, 'UPDATE SET b = EXCLUDED.b', 'UPDATE SET a = EXCLUDED.a WHERE %s.a < 5' % name)
            target = ' (id)' if action != 'NOTHING' or self.chance(0.5) else ''
            return Op(number, 'INSERT INTO %s (%s) VALUES (%s) ON CONFLICT%s DO %s%s' % (
                name, self.names(table), self.values(table, str(self.choose(i, i, self.fresh(1)))), target, action, self.returning()), many=many)
        if kind < 0.92:
            return Op(number, 'MERGE INTO %s t USING (VALUES (%d)) s (id) ON t.id = s.id WHEN MATCHED AND t.a < 6 THEN %s WHEN MATCHED THEN %s WHEN NOT MATCHED THEN %s' % (
                name, i, self.choose('DELETE', 'UPDATE SET a = t.a + 5', 'DO NOTHING'), self.choose('UPDATE SET ' + self.assignment(table).replace('= a ', '= t.a ').replace('= b ', '= t.b ').replace('(id)', '(t.id)'), 'DELETE'),
                self.choose('INSERT (id, a) VALUES (s.id, 3)', 'DO NOTHING')), many=many)
        return self.prepared_statement(number, table)

    def prepared_statement(self, number, table):
        if self.statements[number] and self.chance(0.8):
            name, many = self.random.choice(self.statements[number])
            return Op(number, 'EXECUTE %s(%d)' % (name, self.id()), many=many)
        self.number += 1
        name = 'p%d' % self.number
        self.statements[number].append((name, table.many))
        return Op(number, 'PREPARE %s(int) AS %s' % (name, self.choose(
            'UPDATE %s SET %s WHERE id = $1 RETURNING id, a' % (table.name, self.assignment(table)), 'DELETE FROM %s WHERE id = $1' % table.name,
            'SELECT id, a, b FROM %s WHERE id = $1' % table.name, 'SELECT count(*), sum(a) FROM %s WHERE id > $1' % table.name)))

    def fresh(self, n):
        self.next += n
        return self.next - n

    def many_rows(self, number, table):
        name = table.name
        kind = self.random.random()
        n = self.choose(3, 30, 150, 400)
        first = self.fresh(n) if self.chance(0.6) else self.id()
        if kind < 0.3:
            conflict = ''
            if self.chance(0.4):
                conflict = ' ON CONFLICT DO NOTHING'
                if table.key and self.chance(0.6):
                    conflict = ' ON CONFLICT (id) DO UPDATE SET a = %s.a + EXCLUDED.a' % name
            sql = 'INSERT INTO %s (%s) SELECT %s FROM generate_series(%d, %d) i%s%s' % (
                name, self.names(table), self.values(table, 'i'), first, first + n - 1, conflict, self.returning())
        elif kind < 0.36:
            sql = "COPY %s (id, a, b) FROM PROGRAM $$seq %d %d | awk '{print $1 \"\\t\" $1 %% 12 \"\\tcopied \" $1 %% 5}'$$" % (name, first, first + n - 1)
        elif kind < 0.6:
            sql = 'UPDATE %s SET %s WHERE %s%s' % (name, self.assignment(table), self.some(table), self.returning())
        elif kind < 0.64:
            sql = 'UPDATE %s SET id = id + %d WHERE %s' % (name, self.fresh(1000), self.some(table))
        elif kind < 0.78:
            sql = 'DELETE FROM %s WHERE %s%s' % (name, self.some(table), self.returning())
        elif kind < 0.88:
            sql = 'SELECT id, a FROM %s WHERE %s %s' % (name, self.some(table), self.lock())
        else:
            other = self.random.choice(self.tables)
            sql = self.choose(
                'UPDATE %s t SET a = coalesce(t.a, 0) + 1 FROM %s o WHERE o.id = t.id AND o.id < %d' % (name, other.name, first),
                'DELETE FROM %s t USING %s o WHERE o.id = t.id AND o.a = %d' % (name, other.name, self.random.randint(0, 12)),
                'MERGE INTO %s t USING (SELECT DISTINCT id FROM %s WHERE id < 60) o ON o.id = t.id WHEN MATCHED AND t.a > 3 THEN UPDATE SET a = t.a - 1 '
                'WHEN MATCHED AND t.a = 0 THEN DELETE WHEN NOT MATCHED THEN INSERT (id, a) VALUES (o.id, 1)' % (name, other.name))
        return Op(number, sql, many=True)

    def query(self, number, table):
        name = table.name
        other = self.random.choice(self.tables).name
        condition = self.condition(table)
        kind = self.random.randrange(9)
        if kind == 0:
            return Op(number, 'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM %s t' % name)
        if kind == 1:
            return Op(number, 'SELECT * FROM %s WHERE id = %d' % (name, self.id()))
        if kind == 2:
            return Op(number, 'SELECT id, a, b FROM %s WHERE %s ORDER BY id, a, b LIMIT 20' % (name, condition), ordered=True)
        if kind == 3:
            return Op(number, 'SELECT a, count(*), sum(id), max(b COLLATE "C") FROM %s WHERE %s GROUP BY a' % (name, condition))
        if kind == 4:
            return Op(number, 'SELECT count(*), sum(t.a), sum(o.a) FROM %s t JOIN %s o USING (id)' % (name, other))
        if kind == 5:
            return Op(number, 'SELECT id, a FROM %s t WHERE %s EXISTS (SELECT FROM %s o WHERE o.a = t.a AND o.id < %d) ORDER BY 1, 2' % (name, self.choose('', 'NOT'), other, self.id()), ordered=True)
        if kind == 6:
            return Op(number, 'SELECT min(id), max(id), count(*), count(a), sum(a) FROM %s' % name)
        if kind == 7:
            return Op(number, 'SELECT id, sum(a) OVER (ORDER BY id, a, b COLLATE "C") FROM %s WHERE %s' % (name, condition))
        return Op(number, 'SELECT * FROM %s WHERE %s' % (name, condition))

    def cursor(self, number):
        cursors = self.cursors[number]
        kind = self.random.random()
        if not cursors or (kind < 0.2 and len(cursors) < 4):
            keyed = [t for t in self.tables if t.key]
            table = self.random.choice(keyed)
            self.number += 1
            name = 'c%d' % self.number
            changes = self.chance(0.5)
            hold = not changes and self.chance(0.3)
            cursors.append((name, table, hold))
            if changes and self.chance(0.3):
                return Op(number, 'DECLARE %s CURSOR FOR SELECT * FROM %s WHERE id = %d' % (name, table.name, self.id()))
            if changes:
                return Op(number, 'DECLARE %s CURSOR FOR SELECT * FROM %s WHERE %s ORDER BY id %s' % (
                    name, table.name, self.some(table), self.choose('FOR UPDATE', 'FOR NO KEY UPDATE', 'FOR SHARE', 'FOR UPDATE NOWAIT')))
            return Op(number, 'DECLARE %s %sCURSOR %sFOR SELECT * FROM %s WHERE %s ORDER BY id' % (
                name, self.choose('', 'SCROLL '), 'WITH HOLD ' if hold else '', table.name, self.some(table)))
        name, table, _ = cursor = self.random.choice(cursors)
        if kind < 0.6:
            return Op(number, '%s %s FROM %s' % (self.choose('FETCH', 'FETCH', 'MOVE'), self.choose('NEXT', 'NEXT', '3', 'FORWARD 10', 'PRIOR', 'BACKWARD 4', 'ABSOLUTE 2', 'LAST', 'FIRST', 'RELATIVE 0'), name), ordered=True)
        if kind < 0.8:
            return Op(number, 'UPDATE %s SET %s WHERE CURRENT OF %s RETURNING *' % (table.name, self.assignment(table), name), many=table.many)
        if kind < 0.9:
            return Op(number, 'DELETE FROM %s WHERE CURRENT OF %s RETURNING *' % (table.name, name), many=table.many)
        cursors.remove(cursor)
        return Op(number, 'CLOSE ' + name)

    def ddl(self, number, table):
        name = table.name
        kind = self.random.random()
        self.number += 1
        if kind < 0.12:
            column = 'x%d' % self.number
            table.extra.append(column)
            return Op(number, 'ALTER TABLE %s ADD COLUMN %s %s' % (name, column, self.choose('int', 'int DEFAULT 5', "text DEFAULT 'new'", 'int GENERATED ALWAYS AS (id * 2) STORED')), many=True)
        if kind < 0.20 and table.extra:
            return Op(number, 'ALTER TABLE %s DROP COLUMN IF EXISTS %s' % (name, table.extra.pop()), many=True)
        if kind < 0.26:
            return Op(number, 'ALTER TABLE %s ALTER COLUMN a TYPE %s' % (name, self.choose('int', 'bigint')), many=True)
        if kind < 0.40:
            return Op(number, self.create_index(table, '')[0], many=True)
        if kind < 0.48:
            return Op(number, 'DROP INDEX IF EXISTS %s_i%d' % (name, self.random.randint(1, self.number)), many=True)
        if kind < 0.53:
            return Op(number, 'TRUNCATE %s' % (name + (' CASCADE' if table.parent else '')), many=True)
        if kind < 0.60:
            return Op(number, 'REINDEX TABLE ' + name, many=True)
        if kind < 0.75:
            return Op(number, 'LOCK TABLE %s IN %s MODE%s' % (name, self.choose('SHARE', 'ROW EXCLUSIVE', 'ACCESS EXCLUSIVE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE'), self.choose('', ' NOWAIT')), many=True)
        if kind < 0.80 and not table.partitioned:
            return Op(number, 'CLUSTER %s USING %s_pkey' % (name, name), many=True)
        if kind < 0.85:
            return Op(number, 'ALTER TABLE %s ADD CONSTRAINT k%d CHECK (id IS NOT NULL)%s' % (name, self.number, self.choose('', ' NOT VALID')), many=True)
        if kind < 0.90:
            return Op(number, 'ALTER TABLE %s %s TRIGGER USER' % (name, self.choose('DISABLE', 'ENABLE', 'ENABLE')), many=True)
        if kind < 0.93 and table.partitioned:
            return Op(number, self.choose('ALTER TABLE pt DETACH PARTITION pt1', 'ALTER TABLE pt ATTACH PARTITION pt1 FOR VALUES FROM (20) TO (60)', 'ALTER TABLE pt DETACH PARTITION pt0',
                                          'ALTER TABLE pt ATTACH PARTITION pt0 FOR VALUES FROM (MINVALUE) TO (20)'), many=True)
        return Op(number, 'ANALYZE ' + name, many=True)

    def maintenance(self, number):
        table = self.random.choice(self.tables)
        kind = self.random.random()
        if kind < 0.6:
            return Op(number, 'VACUUM %s%s' % (self.choose('', '', '', '(FREEZE) ', '(INDEX_CLEANUP ON) ', '(DISABLE_PAGE_SKIPPING) ', '(ANALYZE) '), self.choose(table.name, table.name, 'log')), many=True)
        if kind < 0.7:
            return Op(number, 'VACUUM FULL ' + table.name, many=True)
        if kind < 0.8:
            return Op(number, self.create_index(table, 'CONCURRENTLY ')[0], many=True)
        if kind < 0.9:
            return Op(number, 'REINDEX TABLE CONCURRENTLY ' + table.name, many=True)
        return Op(number, 'CHECKPOINT')


# ---------------------------------------------------------------- rounds

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
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--bindir', required=True, help="the server's programs")
    parser.add_argument('--directory', required=True, help='an empty directory for the servers')
    parser.add_argument('--port', type=int, default=54320)
    parser.add_argument('--libpq', default='libpq.so.5')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--steps', type=int, default=400, help='of a round')
    parser.add_argument('--round', help='run one round with this seed')
    parser.add_argument('--standby', action='store_true', help='with a standby, and without crashes')
    parser.add_argument('--heap', action='store_true', help='heap on both sides: what fails then is the fault of this program')
    parser.add_argument('--shorten', type=float, default=300, help='seconds for shortening what has failed')
    options = parser.parse_args()

    pq.load(options.libpq)
    if options.heap:
        global SIDES
        Op.text = lambda op, side, text=Op.text: text(op, side).replace('USING retldb', 'USING heap').replace('method = retldb', 'method = heap')
    server = Server(options)
    server.create(["shared_preload_libraries = 'retldb'", 'retldb.autocompact = off', 'autovacuum = off', 'fsync = off', 'max_prepared_transactions = 50',
                   'max_connections = 60', 'shared_buffers = 64MB', 'log_min_messages = warning', "log_line_prefix = '%m [%p] %d '", 'jit = off', "timezone = 'UTC'",
                   # not heap2 where files may be gone when their pages are compared: PostgreSQL takes a page for damaged then that a record
                   # of the visibility map has left as zeroes
                   'wal_consistency_checking = %s' % ('all' if options.standby else "'heap, btree, hash, gin, gist, spgist, generic'"), 'max_pred_locks_per_transaction = 2000', 'max_wal_size = 512MB', 'wal_level = replica', 'max_wal_senders = 5', 'wal_keep_size = 256MB',
                   'statement_timeout = 0', 'max_standby_streaming_delay = 60s', 'hot_standby_feedback = on'])
    started = time.monotonic()
    rounds = 0
    total = {}
    try:
        while True:
            seed = options.round or '%d-%d' % (options.seed, rounds)
            strict = random.Random('strict ' + seed).random() < 0.5
            schedule = Schedule(seed, strict, not options.standby)
            setup = schedule.setup()
            machine, wrong = run_round(server, strict, setup, schedule, options.steps)
            if wrong is not None:
                print('FAILED in round %s%s, step %d\n%s' % (seed, ' (scans lock tables)' if strict else '', len(machine.done), wrong), flush=True)
                steps = shorten(server, strict, setup, machine.done, options.shorten)
                machine, wrong = run_round(server, strict, setup, Replay(steps), len(steps) + 1)
                print('shortened to %d steps:\n%s\n%s' % (len(steps), ';\n'.join(setup), '\n'.join(map(str, steps))))
                print('which then fails with: %s' % wrong)
                return 1
            rounds += 1
            for name in ('compared', 'waits', 'deadlocks', 'apart', 'kills'):
                total[name] = total.get(name, 0) + getattr(machine, name)
            if options.round or time.monotonic() - started > options.seconds:
                break
    finally:
        server.stop()
    print('%d rounds, seed %d: %s; all equal' % (rounds, options.seed, ', '.join('%d %s' % (n, name) for name, n in total.items())))
    return 0


if __name__ == '__main__':
    sys.exit(main())
