"""Runs steps of sessions on a database with retldb tables and on its heap twin.

A Machine sends each step to both, waits until every session is done or waits for
another one, and raises Difference when the two sides do not agree; torture.py says
what may differ.
"""

import argparse
import os
import re
import signal
import subprocess
import time

import pq

SIDES = ('retldb', 'heap')
SESSIONS = 4
# errors of which a command over many rows may meet one or the other first
ROW_ERRORS = ('23', '40', '55P03', '57014', '21000')
# how long a command may take (seconds) before it hangs
PATIENCE = 120
DEADLOCK_TIMEOUT = 0.01
# What an update would not change is not locked then, on the retldb side: for commands that are transactions of their own.
LEAVE_ALONE = 'SET LOCAL retldb.suppress_noop = on; '
# What copies rows that only older snapshots see.
REWRITES = ('VACUUM FULL', 'CLUSTER')


class Difference(Exception):
    """The two databases do not agree, or something else is wrong."""


class Unjudged(Exception):
    """The two went apart in a way that is allowed; the round ends."""


def option_parser(description, steps):
    """The options of torture.py and serial.py; so many steps make a round."""
    parser = argparse.ArgumentParser(description=description.split('\n')[0])
    parser.add_argument('--bindir', required=True, help="the server's programs")
    parser.add_argument('--directory', required=True, help='an empty directory for the servers')
    parser.add_argument('--port', type=int, default=54320)
    parser.add_argument('--libpq', default='libpq.so.5')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--steps', type=int, default=steps, help='of a round')
    parser.add_argument('--round', help='run one round with this seed')
    parser.add_argument('--heap', action='store_true', help='heap tables only: what fails then is the fault of this program')
    return parser


# ---------------------------------------------------------------- the servers

class Server:
    """A primary and, if wanted, its standby."""

    def __init__(self, options):
        self.bin = options.bindir
        self.dir = options.directory
        self.data = os.path.join(self.dir, 'data')
        self.background = options.background
        self.standby = os.path.join(self.dir, 'standby') if options.standby else None
        self.subscribers = options.subscribers
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
            raise Difference('the server does not start: %s' % self.last_lines()) from None

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

    def last_lines(self):
        with open(self.data + '.log', errors='replace') as log:
            return ''.join(log.readlines()[-8:])

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
        self.waited_alone = False   # one side waited when the other was done

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
        self.rewritten = False      # a table was copied since its transaction began
        self.serializable = False
        self.kept = False           # ... keeps a snapshot

    def busy(self, side):
        return self.connections[side].busy


class Machine:
    """Runs a schedule on the two databases and compares."""

    def __init__(self, server, strict):
        self.server = server
        self.background = server.background     # compaction may come at any time
        self.strict = strict        # serialization failures must agree
        self.databases = ['torture_' + side for side in SIDES]
        self.subscribers = ['subscriber_' + side for side in SIDES] if server.subscribers else []
        self.sessions = [Session() for _ in range(SESSIONS)]
        self.noops = False          # updates have left rows alone on one side
        self.settled = None         # who waited for whom when they were looked at last
        self.latest = 0             # the session of the step
        self.done = []
        self.counts = {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def begin(self, setup):
        control = self.server.connect('postgres')
        for gid, database in control.rows('SELECT gid, database FROM pg_prepared_xacts'):
            connection = self.server.connect(database)
            connection.run("ROLLBACK PREPARED '%s'" % gid)
            connection.close()
        self.drop_subscribers(control)
        for database in self.databases + self.subscribers:
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
        if self.subscribers:
            self.subscribe(setup)

    def connect(self):
        self.monitor = self.server.connect('postgres')
        self.checkers = [self.server.connect(database) for database in self.databases]
        for checker in self.checkers:
            checker.run("SET lock_timeout = '100ms'")
        self.compactor = self.server.connect(self.databases[0])
        self.replicas = [self.server.connect(database) for database in self.subscribers]
        for session in self.sessions:
            session.connections = [self.server.connect(database) for database in self.databases]
            session.op = None
            session.rewritten = session.serializable = False
            for connection in session.connections:
                connection.run("SET client_min_messages = error; SET deadlock_timeout = '%dms'" % (DEADLOCK_TIMEOUT * 1000))

    def disconnect(self):
        for connection in [self.monitor, self.compactor] + self.checkers + self.replicas + [c for s in self.sessions for c in s.connections]:
            connection.close()

    # ------------------------------------------------------------ subscriptions

    def drop_subscribers(self, control):
        """Of an earlier round."""
        for database in [row[0] for row in control.rows("SELECT datname FROM pg_database WHERE datname LIKE 'subscriber%'")]:
            connection = self.server.connect(database)
            for name in [row[0] for row in connection.rows('SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())')]:
                for sql in ('ALTER SUBSCRIPTION %s DISABLE', 'ALTER SUBSCRIPTION %s SET (slot_name = NONE)', 'DROP SUBSCRIPTION %s'):
                    connection.rows(sql % name)
            connection.close()
        for _ in range(500):
            slots = control.rows("SELECT slot_name, active FROM pg_replication_slots WHERE slot_type = 'logical'")
            for slot, active in slots:
                if active == 'f':
                    control.run("SELECT pg_drop_replication_slot('%s')" % slot)
            if not slots:
                return
            time.sleep(0.02)
        raise Difference('replication slots remain: %s' % slots)

    def subscribe(self, setup):
        """Publish both databases; subscribers have tables of the other access method, without constraints but for primary keys."""
        for side in (0, 1):
            publisher = self.server.connect(self.databases[side])
            for table, has_key in publisher.rows("SELECT oid::regclass, EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary) FROM pg_class c "
                                                 "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"):
                if has_key == 'f' or len(setup) % 3 == 0:
                    publisher.rows('ALTER TABLE %s REPLICA IDENTITY FULL' % table)
            publisher.rows('CREATE PUBLICATION p FOR ALL TABLES')
            publisher.rows("SELECT pg_create_logical_replication_slot('s_%s', 'pgoutput')" % SIDES[side])
            replica = self.replicas[side]
            for sql in setup:
                if sql.startswith(('CREATE EXTENSION', 'DO $$', 'SET ', 'CREATE TABLE', 'CREATE INDEX', 'CREATE UNLOGGED')):
                    sql = re.sub(r" REFERENCES (?:t1|wp)[^,)]*|, EXCLUDE USING gist \(r WITH &&\) WHERE \(id < 20\)|, CHECK \(a <> 12\)|, UNIQUE \(id\) DEFERRABLE[ A-Z]*", '', sql)
                    replica.rows(Op(0, sql).text(1 - side))
            replica.rows("CREATE SUBSCRIPTION s_%s CONNECTION '%s port=%d dbname=%s' PUBLICATION p WITH (create_slot = false, slot_name = 's_%s', synchronous_commit = on, streaming = %s)" % (
                SIDES[side], self.server.base, self.server.port, self.databases[side], SIDES[side], 'on' if len(setup) % 2 else 'off'))
            replica.rows("SET lock_timeout = '1s'")
            publisher.close()
        for _ in range(3000):
            if all(replica.rows("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'") == [('0',)] for replica in self.replicas):
                return
            time.sleep(0.02)
        raise Difference('tables are not copied to subscribers: %s' % self.server.last_lines())

    def compare_subscribers(self):
        """Wait until subscribers have what is committed, and compare."""
        if not self.subscribers:
            return
        lsn = self.monitor.rows('SELECT pg_current_wal_insert_lsn()')[0][0]
        for _ in range(3000):
            if self.monitor.rows("SELECT count(*) FROM pg_stat_replication WHERE application_name LIKE 's\\_%%' AND replay_lsn >= '%s'" % lsn) == [('2',)]:
                break
            time.sleep(0.02)
        else:
            raise Difference('subscribers do not catch up: %s' % self.server.last_lines())
        for side in (0, 1):
            self.count('subscribers compared')
            self.compare_tables([self.checkers[side], self.replicas[side]], 'subscriber of %s: ' % SIDES[side], publishes=True)

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
            if all(self.by_sessions(blocked[c.pid]) for c in busy) and not self.cycle(blocked) and blocked == before:
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

    def by_sessions(self, pids):
        """Does somebody wait for sessions of ours, not for what runs in the background?"""
        ours = {c.pid for s in self.sessions for c in s.connections} | {self.compactor.pid, 0}
        return bool(pids) and all(pid in ours for pid in pids)

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
        """Compare what sessions have done since they were looked at last; what the step itself has come to before what follows from it."""
        for number, session in sorted(enumerate(self.sessions), key=lambda each: each[0] != self.latest):
            if session.op is not None and not session.busy(0) and not session.busy(1):
                op, session.op = session.op, None
                if self.compare(number, session, op):
                    return
        for session in self.waiting():
            busy = [session.busy(side) for side in (0, 1)]
            on = [sorted({str(self.connection_of(pid, side)) for pid in blocked.get(session.connections[side].pid, [])}) for side in (0, 1)]
            session.op.waited_alone |= not all(busy)
            if self.draining() or (all(busy) and on[0] == on[1]) or self.half_failed(session):
                continue
            if not all(busy) and self.give_up_waiting(session, busy.index(True)):
                return
            self.differ('%s waits for %s on retldb, for %s on heap; %s' % (
                session.op, on[0] if busy[0] else 'nobody', on[1] if busy[1] else 'nobody', [c.results for c in session.connections if not c.busy]))

    def compare(self, number, session, op):
        """Compare the results of a command; true if all sessions were judged anew."""
        results = [connection.results for connection in session.connections]
        self.count('compared')
        if '40P01' in [r.state for r in results[0] + results[1]]:
            self.count('deadlocks')
        same = len(results[0]) == len(results[1]) and all(self.same(op, *pair) for pair in zip(*results))
        if same and session.connections[0].status == session.connections[1].status:
            return False
        states = [next((r.state for r in side if r.state), None) for side in results]
        reason = self.may_fail_alone(session, op, states)
        if reason:
            self.count(reason)
            self.end_both(number, session, op, states)
            return True
        if self.fails_later(number, session, op, states):
            return True
        self.differ('%s\nretldb: %s, transaction %d\nheap:   %s, transaction %d%s' % (
            op, results[0], session.connections[0].status, results[1], session.connections[1].status,
            ''.join(self.rows_that_differ(*pair) for pair in zip(*results))))

    def half_failed(self, session):
        """Has a serializable transaction failed on one side, while its command waits on the other?  It may fail there afterwards."""
        if not self.strict or not session.serializable or session.op is None or session.busy(0) == session.busy(1):
            return False
        return '40001' in [r.state for r in session.connections[session.busy(0)].results]

    def differ(self, text):
        """The sides do not agree; that is nobody's fault if a transaction has lost its locks on one side by failing first."""
        if any(self.half_failed(session) for session in self.sessions):
            self.count('apart by who fails first')
            raise Unjudged(text)
        raise Difference(text)

    def fails_later(self, number, session, op, states):
        """
        A serializable transaction has failed on one side.  A conflict that both have found
        may end it at one command or another, COMMIT at the latest: have the other side's
        transaction commit, which must fail, too.
        """
        if not session.serializable or sorted(states, key=str) != ['40001', None]:
            return False
        connection = session.connections[states.index(None)]
        if connection.status != pq.IN_TRANSACTION:
            return False
        connection.send('COMMIT')
        self.settle()
        if connection.busy:
            # a deferred check waits, of which nothing is known then
            connection.cancel()
            self.settle()
            self.count('apart by who fails first')
            raise Unjudged('%s has failed on %s only' % (op, SIDES[states.index('40001')]))
        state = connection.results[-1].state
        if state != '40001':
            raise Difference('%s\nfailed with 40001 on %s; on %s it did not, nor did COMMIT%s' % (
                op, SIDES[states.index('40001')], SIDES[states.index(None)], ', but for %s' % state if state else ''))
        self.count('failed later on one side')
        self.end_both(number, session, op, [state, state])
        return True

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
        """Why one side may fail alone, as a name, or None."""
        # heap's copy of a row has lost that its key is gone, and is locked as if it was there
        if states == ['40001', None] and session.rewritten and 'KEY SHARE' in op.sql:
            return 'apart by keys that heap has lost'
        # heap has written rows anew that nothing has changed
        if states == [None, '40001'] and self.noops and session.kept:
            return 'apart by rows that were left alone'
        # a row that was proposed twice, and that the first proposal has left as it was
        if states == [None, '21000'] and 'suppress_noop' in op.sql:
            return 'apart by rows that were left alone'
        # a command that was cancelled while it waited for such a row
        if states == [None, '57014'] and 'suppress_noop' in op.sql:
            return 'apart by rows that were left alone'
        # a row that is just being moved is taken for locked by those who do not wait
        if self.background and ('SKIP LOCKED' in op.sql or (states == ['55P03', None] and 'NOWAIT' in op.sql)):
            return 'apart by a moving row'
        # one side waits for a row, and the other comes to one first that somebody else has read
        if op.many and op.waited_alone and session.serializable and '40001' in states:
            return 'apart by order of rows'
        # an open cursor uses an index that DDL is about, by its plan
        if '55006' in states:
            return 'apart by plan'
        # whom a deadlock takes when many rows are locked in different orders
        if '40P01' in states and (op.many or any(s.op is not None and s.op.many for s in self.sessions)):
            return 'apart by order of rows'
        if session.serializable and not self.strict and any(state == '40001' for state in states):
            return 'apart by predicate locks'
        return None

    def give_up_waiting(self, session, side):
        """A command waits on one side and has failed on the other: if it may, end it on both."""
        states = [None, None]
        states[1 - side] = next((r.state for r in session.connections[1 - side].results if r.state), None)
        reason = states[1 - side] and self.may_fail_alone(session, session.op, states)
        if not reason:
            return False
        self.count(reason)
        op, session.op = session.op, None
        session.connections[side].cancel()
        self.settle()
        self.end_both(self.sessions.index(session), session, op, states)
        return True

    def end_both(self, number, session, op, states):
        """One side has failed alone: roll both back, if that is still possible."""
        if states == [None, None] and all(c.status == pq.IDLE for c in session.connections):
            return
        for side in (0, 1):
            if states[side] is None and session.connections[side].status == pq.IDLE:
                raise Unjudged('%s was committed on %s only' % (op, SIDES[side]))
        for connection in session.connections:
            connection.run('ROLLBACK')
        session.rewritten = session.serializable = False
        self.judge(self.settle())

    # ------------------------------------------------------------ steps

    def allowed(self, op):
        if op.kind in ('crash', 'check', 'compact'):
            return not self.draining() or op.kind == 'check'
        session = self.sessions[op.session]
        if op.kind == 'cancel':
            return session.op is not None and session.busy(0) and session.busy(1)
        if session.op is not None or (op.sql.startswith(LEAVE_ALONE) and session.connections[0].status != pq.IDLE):
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
            session.rewritten = session.serializable = False
            session.kept = 'REPEATABLE READ' in op.sql or 'SERIALIZABLE' in op.sql
            session.rewritten = any(s.op is not None and s.op.sql.startswith(REWRITES) for s in self.sessions)
        if 'SERIALIZABLE' in op.sql:
            session.serializable = True
        self.noops |= 'suppress_noop' in op.sql
        self.latest = op.session
        session.op = op
        op.waited_alone = False
        if op.sql.startswith(REWRITES):
            for other in self.sessions:
                other.rewritten |= other.connections[0].status != pq.IDLE
        for side in (0, 1):
            session.connections[side].send(op.text(side))
        self.judge(self.settle())
        self.limit_waits(op.session)

    def limit_waits(self, number):
        """
        Who wakes first of several that wait is a matter of chance: let only those
        wait who queue up for rows, and for nothing else.  A deadlock has been
        resolved by now.
        """
        session = self.sessions[number]
        if session.op is None:
            return
        self.count('waits')
        others = [s for s in self.waiting() if s is not session]
        if others and not (all(s.op.queues for s in self.waiting()) and self.wait_for_rows()):
            self.do_cancel(Op(number, '', kind='cancel'))

    def wait_for_rows(self):
        """
        Do all who wait queue up for rows?  Then one of each side waits for a transaction
        to end, and the others for their turn.  Who has locked the row already does not
        queue up, but waits next to the first one.
        """
        for side in (0, 1):
            pids = ','.join(str(s.connections[side].pid) for s in self.waiting())
            types = [row[0] for row in self.monitor.rows('SELECT locktype FROM pg_locks WHERE NOT granted AND pid IN (%s)' % pids)]
            if types.count('transactionid') > 1 or set(types) - {'transactionid', 'tuple'}:
                return False
        return True

    def do_cancel(self, op):
        self.latest = op.session
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
        for replica in self.replicas:
            for sql in (op.sql, 'VACUUM (TRUNCATE off) ' + op.sql.split("'")[1] if len(self.done) % 2 else 'SELECT 1'):
                state = replica.run(sql)[-1].state
                if state not in (None, '57014', '55P03', '42P01', '42809', '40P01'):
                    raise Difference('subscriber: %s: %s' % (sql, replica.results))
        self.judge(self.settle())

    def do_crash(self, _):
        self.count('kills')
        self.disconnect()
        self.server.kill()
        self.connect()

    def do_check(self, op):
        """Compare what is committed; a table that is locked is passed over."""
        self.compare_contents(self.checkers)
        if op.sql:
            self.compare_standby()
            self.compare_subscribers()

    # ------------------------------------------------------------ contents

    @staticmethod
    def tables(connection):
        return [row[0] for row in connection.rows(
            "SELECT quote_ident(relname) FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relnamespace = 'public'::regnamespace ORDER BY 1")]

    def compare_contents(self, connections, standby=False):
        self.compare_tables(connections, 'standby: ' if standby else '')

    def compare_tables(self, connections, where, publishes=False):
        """Compare contents; elsewhere there are no rows of unlogged tables, and of a publisher no locks."""
        tables = [self.tables(c) for c in connections]
        if tables[0] != tables[1]:
            raise Difference('tables differ: %s, %s' % tuple(tables))
        for table in tables[0]:
            if where and connections[0].rows("SELECT relpersistence FROM pg_class WHERE relname = '%s'" % table) == [('u',)]:
                continue
            sql = 'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM %s t' % table
            answers = [c.run(sql)[-1] for c in connections]
            if publishes and answers[0].state == '55P03':
                continue
            for _ in range(50):
                if '55P03' not in [a.state for a in answers] or answers[0].state == answers[1].state or self.draining():
                    break
                # a lock of somebody in the background, or of one who waits for him
                time.sleep(0.05)
                answers = [c.run(sql)[-1] for c in connections]
            if any(a.state in ('55P03', '40001') for a in answers):
                if answers[0].state != answers[1].state and not self.draining():
                    raise Difference('%s: %s, %s' % (sql, answers[0], answers[1]))
                continue
            if any(a.state for a in answers):
                raise Difference('%s%s: %s, %s' % (where, sql, answers[0], answers[1]))
            if answers[0].rows != answers[1].rows:
                rows = [set(r[0] for r in c.rows('SELECT t::text FROM %s t' % table)) for c in connections]
                raise Difference('%scontents of %s differ: %s, %s; only in the first %s; only in the other %s' % (
                    where, table, answers[0].rows, answers[1].rows, sorted(rows[0] - rows[1])[:5], sorted(rows[1] - rows[0])[:5]))

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
        self.compare_subscribers()
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
