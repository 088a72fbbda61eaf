"""A random schedule: what sessions do next, as a function of its seed.

It knows tables and transactions only roughly; a step that cannot be done fails on
both sides alike.
"""

import random
import re

import pq
from twins import LEAVE_ALONE, SESSIONS, Difference, Op

# of a round; serial.py is about nothing but serializable transactions
LEVELS = [['READ COMMITTED', 'READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'REPEATABLE READ', 'SERIALIZABLE'],
          ['READ COMMITTED'], ['SERIALIZABLE'], ['REPEATABLE READ', 'SERIALIZABLE']]


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
              'id IN ({n}, {n} + 1, {m})', "f = 'NaN'", '(a > {m} OR id < {m})']

SETTINGS = [('work_mem', ["'64kB'", "'4MB'"]), ('plan_cache_mode', ['auto', 'force_generic_plan']),
            ('enable_hashjoin', ['on', 'off']), ('enable_nestloop', ['on', 'off']), ('retldb.enable_columnar_scan', ['on', 'off']),
            ('retldb.enable_vector_filter', ['on', 'off']), ('retldb.enable_skipping', ['on', 'off'])]
# these change what scans lock
FREE_SETTINGS = [('enable_seqscan', ['on', 'off']), ('enable_indexscan', ['on', 'off']), ('enable_bitmapscan', ['on', 'off']), ('enable_indexonlyscan', ['on', 'off']),
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

    def __init__(self, seed, strict, crashes, subscribed=False):
        self.random = random.Random(seed)
        self.strict = strict
        self.tables = []
        self.next = 1000            # ids that nobody has yet
        self.number = 0
        self.hot = 1
        self.untouched = False      # perhaps: nobody has changed that row yet
        self.focus = None           # a table of which all sessions want the row self.hot
        self.cursors = [[] for _ in range(SESSIONS)]
        self.savepoints = [0] * SESSIONS
        self.statements = [[] for _ in range(SESSIONS)]
        self.gids = []
        self.levels = LEVELS[0] if self.chance(0.5) else self.random.choice(LEVELS)
        self.tiny = self.chance(0.4)    # every row goes to a row group of its command
        self.whole = self.chance(0.3)   # tables whose row groups nobody has touched, to be deleted as a whole
        self.planned = []               # steps that are known already
        # scans that stop early, as foreign keys do, meet other rows on either side
        self.whole_scans = strict and any('SERIALIZABLE' in level for level in self.levels)
        self.subscribed = subscribed    # others replicate the tables, so these stay as they are
        self.crashes = crashes and self.chance(0.5)
        # compaction moves rows that serializable transactions have read, too
        self.moves_read = random.Random('read %s' % seed).random() < 0.7

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
        if self.tiny:
            for name, value in (('row_store_rows', 0), ('row_group_rows', 64), ('vector_rows', 64)):
                sql.append("DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET retldb.%s = %d', current_database()); END $$" % (name, value))
        sql += ['SET default_table_access_method = {am}', 'SET retldb.row_store_rows = %s' % self.choose('0', '0', '1000'),
                'SET retldb.row_group_rows = %s' % self.choose('64', '100', '1000'), 'SET retldb.vector_rows = 64']
        for number in range(1, 4):
            self.setup_table(sql, number)
        self.setup_partitions(sql)
        self.setup_triggers(sql)
        if self.whole:
            self.setup_groups(sql)
        # compaction, which connects afterwards, retires few stubs, or all that nobody needs
        if self.chance(0.6):
            sql.append("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET retldb.retire_stubs = 1', current_database()); END $$")
        if self.moves_read:
            sql.append("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET retldb.compact_read_rows = on', current_database()); END $$")
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
        if number == 2 and self.chance(0.7) and not self.whole_scans:
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

    def setup_groups(self, sql):
        """Tables of which groups can be deleted as a whole; what is loaded together has the same d, of which there is no index."""
        table = Table('w1', ['a', 'b', 'd'])
        sql.append('CREATE TABLE w1 (id int PRIMARY KEY, a int, b text, d date)')
        if self.chance(0.5):
            sql.append(self.create_index(Table('w1', ['a', 'b']), '')[0])
        self.tables.append(table)
        if self.whole_scans:
            return
        # deletions by a foreign key's action
        child = Table('w2', ['a', 'b', 'd'])
        child.child = True
        sql += ['CREATE TABLE wp (id int PRIMARY KEY)',
                'CREATE TABLE w2 (id int PRIMARY KEY, a int, b text, d date, pid int REFERENCES wp ON DELETE CASCADE)']
        self.tables.append(child)

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
        """An id that all sessions like for a while, or another."""
        if self.chance(0.6):
            return self.hot + (0 if self.focus else self.random.randint(0, 2))
        return self.choose(*[self.random.randint(1, most) for most in (8, 60, 300)])

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
        return self.choose('FOR UPDATE', 'FOR NO KEY UPDATE', 'FOR SHARE', 'FOR KEY SHARE', 'FOR KEY SHARE') + self.choose('', '', ' NOWAIT', ' SKIP LOCKED')

    def returning(self):
        return self.choose('', '', ' RETURNING *', ' RETURNING id')

    # ------------------------------------------------------------ steps

    def next_step(self, machine):
        """The next step, for a session that can do something."""
        if machine.draining():
            return self.drain(machine)
        while self.planned:
            op = self.planned.pop(0)
            if op.kind != 'sql' or machine.sessions[op.session].op is None:
                return op
        if self.whole and self.chance(0.2):
            return self.plan_groups(machine)
        if self.chance(0.06):
            return self.choose(self.plan_locks, self.plan_locks, self.plan_moved, self.plan_own_changes)(machine)
        if self.chance(0.08):
            # what they like is a few rows of any table, or one row only
            self.hot = self.random.randint(1, 60)
            self.focus = self.choose(None, self.random.choice(self.tables), self.random.choice(self.tables))
            self.untouched = True
        kind = self.random.random()
        if kind < 0.02:
            return Op(0, 'standby' if self.chance(0.3) else '', kind='check')
        if kind < 0.07:
            return Op(0, "CALL retldb.compact('%s')" % self.choose('t1', 't2', 't3', 'pt0', 'pt2', 'log'), kind='compact')
        if kind < 0.0715 and self.crashes:
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

    def plan_locks(self, machine):
        """Sessions lock a row one beside the other, some let go of it, one changes it, and others ask."""
        tables = [t for t in self.tables if t.key and not t.many]
        sessions = self.some_sessions(machine, 3)
        if not sessions or not tables:
            return None
        one, other, third = sessions
        table, i = self.random.choice(tables), self.random.randint(1, 60)
        weak = lambda: 'SELECT * FROM %s WHERE id = %d FOR %s' % (table.name, i, self.choose('KEY SHARE', 'KEY SHARE', 'SHARE', 'NO KEY UPDATE'))
        steps = [(one, 'BEGIN ISOLATION LEVEL ' + self.random.choice(self.levels)), (other, 'BEGIN'), (one, weak()), (other, weak())]
        if self.chance(0.3):
            steps.append((one, 'SAVEPOINT s1'))
            steps.append((one, weak()))
            if self.chance(0.5):
                steps.append((one, 'ROLLBACK TO s1'))
        if self.chance(0.5):
            steps.append((other, self.choose('COMMIT', 'ROLLBACK')))
        steps.append((one, self.choose('DELETE FROM %s WHERE id = %d' % (table.name, i), 'UPDATE %s SET id = %d WHERE id = %d' % (table.name, self.fresh(1), i),
                                       'UPDATE %s SET a = 1 WHERE id = %d' % (table.name, i), "UPDATE %s SET b = repeat('long', 700) WHERE id = %d" % (table.name, i))))
        if self.chance(0.25):
            # what one's own lock was stays
            steps = steps[:1] + [(one, 'SELECT * FROM %s WHERE id = %d FOR %s' % (table.name, i, self.choose('UPDATE', 'UPDATE', 'SHARE')))] + steps[-1:]
        ask = lambda: 'SELECT * FROM %s WHERE id = %d %s' % (table.name, i, self.lock())
        steps.append((third, ask()))
        steps.append((one, self.choose('COMMIT', 'COMMIT', 'ROLLBACK', 'SAVEPOINT s2')))
        steps.append((third, ask()))
        self.planned += [Op(n, sql, many=sql in ('COMMIT', 'ROLLBACK'), queues=sql.startswith('SELECT')) for n, sql in steps]
        return self.planned.pop(0)

    def some_sessions(self, machine, count):
        """Sessions that do not wait; what they are in is ended.  None if there are not so many."""
        free = [n for n, s in enumerate(machine.sessions) if s.op is None]
        if len(free) < count:
            return None
        sessions = self.random.sample(free, count)
        self.planned = [self.end(n) for n in sessions if machine.sessions[n].connections[0].status != pq.IDLE]
        return sessions

    def plan_own_changes(self, machine):
        """A cursor does not see what its own transaction has changed since."""
        tables = [t for t in self.tables if t.key and not t.many]
        sessions = self.some_sessions(machine, 1)
        if not sessions or not tables:
            return None
        one, table, i = sessions[0], self.random.choice(tables), self.random.randint(1, 60)
        self.number += 1
        cursor = 'c%d' % self.number
        change = lambda: self.choose('DELETE FROM %s WHERE id = %d' % (table.name, i + self.random.randint(0, 4)), 'UPDATE %s SET a = 5 WHERE id BETWEEN %d AND %d' % (table.name, i, i + 3),
                                     'INSERT INTO %s (id, a) VALUES (%d, 5)' % (table.name, i + self.random.randint(0, 4)))
        steps = ['BEGIN ISOLATION LEVEL ' + self.random.choice(self.levels), change(), 'SAVEPOINT s1',
                 'DECLARE %s CURSOR FOR SELECT * FROM %s WHERE id BETWEEN %d AND %d ORDER BY id' % (cursor, table.name, i, i + 5), change(), change(),
                 'FETCH 10 FROM ' + cursor, self.choose('ROLLBACK TO s1', 'RELEASE s1'), 'SELECT * FROM %s WHERE id BETWEEN %d AND %d' % (table.name, i, i + 5), self.choose('COMMIT', 'ROLLBACK')]
        self.planned += [Op(one, sql, many=not sql.startswith('SELECT')) for sql in steps]
        return self.planned.pop(0)

    def plan_moved(self, machine):
        """Rows that a cursor has read are moved before they are changed."""
        tables = [t for t in self.tables if t.key and not t.partitioned]
        sessions = self.some_sessions(machine, 2)
        if not sessions or not tables:
            return None
        one, other = sessions
        table, first = self.random.choice(tables), self.fresh(40)
        self.number += 1
        cursor = 'c%d' % self.number
        compact = Op(0, "CALL retldb.compact('%s')" % table.name, kind='compact')
        # two groups that are too small to stay
        steps = [Op(one, 'SET retldb.row_store_rows = 0')] + [
            Op(one, "INSERT INTO %s (id, a, b) SELECT i, i %% 12, 'v' || i %% 17 FROM generate_series(%d, %d) i" % (table.name, first + n, first + n + 19), many=True) for n in (0, 20)]
        steps += [Op(other, 'BEGIN ISOLATION LEVEL ' + self.random.choice(self.levels)),
                  Op(other, 'DECLARE %s NO SCROLL CURSOR FOR SELECT * FROM %s WHERE id = %d%s' % (cursor, table.name, first, self.choose('', '', ' FOR UPDATE', ' FOR SHARE'))),
                  Op(other, 'FETCH NEXT FROM ' + cursor)]
        if self.chance(0.4):
            steps.append(Op(one, self.choose('UPDATE %s SET %s WHERE id = %d', 'DELETE FROM %s WHERE id = %d').replace('SET %s', 'SET a = 3') % (table.name, first), many=True))
        steps.append(compact)
        steps.append(Op(other, self.choose('UPDATE %s SET %s WHERE CURRENT OF %s RETURNING *' % (table.name, self.assignment(table), cursor),
                                           'DELETE FROM %s WHERE CURRENT OF %s RETURNING *' % (table.name, cursor)), many=table.many))
        steps += [compact, Op(other, 'DELETE FROM %s WHERE CURRENT OF %s RETURNING *' % (table.name, cursor), many=table.many), self.end(other)]
        self.cursors[other].append((cursor, table, False))
        self.planned += steps
        return self.planned.pop(0)

    def plan_groups(self, machine):
        """Groups are loaded and deleted as a whole, beside others who read, lock and change their rows."""
        sessions = self.some_sessions(machine, self.choose(2, 2, 3))
        if not sessions:
            return None
        table = self.random.choice([t for t in self.tables if t.name in ('w1', 'w2')])
        n = self.choose(20, 64, 64, 130, 200)
        first = self.fresh(n)
        one, others = sessions[0], sessions[1:]
        steps = self.load_groups(one, table, first, n)
        if self.chance(0.2):
            steps.append(Op(0, "CALL retldb.compact('%s')" % table.name, kind='compact'))
        if self.chance(0.3):
            steps += self.old_snapshot(others.pop(), table, first, n)
        left = [self.delete_groups(one, table, first, n)]
        left += [self.beside_groups(number, table, first, n) for number in others]
        if self.chance(0.3):
            left.append([self.amid_groups(table)])
        while any(left):
            steps.append(self.random.choice([some for some in left if some]).pop(0))
        self.planned += steps
        return self.planned.pop(0)

    def load_groups(self, number, table, first, n):
        """One command or two, with groups of their own."""
        name, last = table.name, first + n - 1
        steps = [Op(number, 'SET retldb.row_store_rows = 0'), Op(number, 'SET retldb.row_group_rows = 64')]
        parent = name == 'w2'
        if parent:
            steps.append(Op(number, 'INSERT INTO wp VALUES (%d)' % first))
        for low, high in self.choose([(first, last)], [(first, first + n // 2), (first + n // 2 + 1, last)]):
            if not parent and self.chance(0.3):
                sql = "COPY %s (id, a, b, d) FROM PROGRAM $$seq %d %d | awk '{print $1 \"\\t\" $1 %% 12 \"\\tv\" $1 %% 17 \"\\t\" \"%s\"}'$$" % (name, low, high, self.day(first))
            else:
                sql = "INSERT INTO %s (id, a, b, d%s) SELECT i, i %% 12, 'v' || i %% 17, '%s'%s FROM generate_series(%d, %d) i" % (
                    name, ', pid' if parent else '', self.day(first), ', %d' % first if parent else '', low, high)
            steps.append(Op(number, sql, many=True))
        return steps

    @staticmethod
    def day(first):
        return '%04d-%02d-%02d' % (1000 + first // 336, 1 + first // 28 % 12, 1 + first % 28)

    def groups_condition(self, first, n):
        """What is true of all rows that were loaded, or of all but few."""
        return self.choose("d = '%s'" % self.day(first), "d = '%s'" % self.day(first), "d <= '%s'" % self.day(first), "d >= '%s'" % self.day(first), 'id BETWEEN %d AND %d' % (first, first + n - 1),
                           'id >= %d' % (first + self.choose(0, 0, 70)), 'id BETWEEN %d AND %d' % (first, first + self.choose(10, 63, 127)), 'a + 1 < 100', 'true')

    def delete_groups(self, number, table, first, n):
        """A transaction that deletes them, and perhaps takes that back or comes again."""
        name = table.name
        delete = lambda: Op(number, 'DELETE FROM wp WHERE id = %d' % first if name == 'w2' and self.chance(0.3) else
                            'DELETE FROM %s WHERE %s' % (name, self.groups_condition(first, n)), many=True)
        if self.chance(0.2):
            return [delete()]
        steps = [Op(number, 'BEGIN ISOLATION LEVEL ' + self.random.choice(self.levels))]
        if self.chance(0.2):
            steps.append(Op(number, 'DECLARE g%d CURSOR FOR SELECT * FROM %s WHERE id >= %d ORDER BY id' % (first, name, first)))
        if self.chance(0.4):
            steps += [Op(number, 'SAVEPOINT s1'), delete()]
            if self.chance(0.4):
                steps.append(self.of_group(number, table, first, n))
            steps.append(Op(number, self.choose('ROLLBACK TO s1', 'ROLLBACK TO s1', 'RELEASE s1')))
            steps += [delete()] if self.chance(0.6) else []
        else:
            steps.append(delete())
        if 'DECLARE' in steps[1].sql:
            steps.append(Op(number, 'FETCH 5 FROM g%d' % first, ordered=True))
        if self.chance(0.4):
            # what it has deleted itself
            steps.append(self.of_group(number, table, first, n))
        kind = self.random.random()
        if kind < 0.2:
            self.number += 1
            gid = 'g%d_{side}' % self.number
            steps.append(Op(number, "PREPARE TRANSACTION '%s'" % gid, many=True))
            if self.chance(0.5):
                steps.append(Op(number, "%s PREPARED '%s'" % (self.choose('COMMIT', 'ROLLBACK'), gid), many=True))
            else:
                self.gids.append(gid)
        else:
            steps.append(Op(number, self.choose('COMMIT', 'COMMIT', 'ROLLBACK'), many=True))
        return steps

    def of_group(self, number, table, first, n, alone=False):
        """A command about a row or some that were loaded; alone if it is a transaction of its own."""
        name, i = table.name, first + self.random.randrange(n)
        kind = self.random.randrange(11)
        if kind < 2:
            return Op(number, 'SELECT * FROM %s WHERE id = %d %s' % (name, i, self.lock()), queues=True)
        if kind == 2:
            return Op(number, 'UPDATE %s SET a = a + 1 WHERE id = %d%s' % (name, i, self.returning()), queues=True)
        if kind == 3:
            return Op(number, 'DELETE FROM %s WHERE id = %d%s' % (name, i, self.returning()), queues=True)
        if kind == 4:
            return Op(number, 'INSERT INTO %s (id, a) VALUES (%d, 1) ON CONFLICT%s' % (name, i, self.choose(' DO NOTHING', ' (id) DO UPDATE SET a = %s.a + 1' % name)), many=table.many)
        if kind == 5:
            return Op(number, 'INSERT INTO %s (id, a) VALUES (%d, 1)' % (name, i), many=table.many)
        if kind == 6 and not self.whole_scans:
            return Op(number, (LEAVE_ALONE if alone else '') + "INSERT INTO %s (id, a, b) SELECT i, i %% 12, 'v' || i %% 17 FROM generate_series(%d, %d) i "
                      'ON CONFLICT (id) DO UPDATE SET a = EXCLUDED.a' % (name, i, i + 9), many=True)
        if kind == 7:
            return Op(number, 'MERGE INTO %s t USING (VALUES (%d)) s (id) ON t.id = s.id WHEN MATCHED THEN %s WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, 3)' % (
                name, i, self.choose('DELETE', 'UPDATE SET a = 5')), many=True)
        if kind == 8:
            return Op(number, 'DELETE FROM %s WHERE %s' % (name, self.groups_condition(first, n)), many=True)
        if kind == 9:
            return Op(number, 'SELECT count(*), sum(id), sum(a) FROM %s WHERE %s' % (name, self.groups_condition(first, n)))
        return Op(number, 'UPDATE %s SET a = 7 WHERE %s' % (name, self.groups_condition(first, n)), many=True)

    def beside_groups(self, number, table, first, n):
        """Another session's transaction, or commands without one."""
        alone = self.chance(0.6)
        steps = [self.of_group(number, table, first, n, alone) for _ in range(self.choose(1, 2))]
        if alone:
            return steps
        if self.chance(0.3):
            steps = [Op(number, 'SAVEPOINT s1')] + steps + [Op(number, 'ROLLBACK TO s1')]
        return [Op(number, 'BEGIN ISOLATION LEVEL ' + self.random.choice(self.levels))] + steps + [Op(number, self.choose('COMMIT', 'ROLLBACK'), many=True)]

    def old_snapshot(self, number, table, first, n):
        """A transaction goes on that sees what is about to be deleted."""
        if self.chance(0.5):
            return [Op(number, 'BEGIN ISOLATION LEVEL REPEATABLE READ'), Op(number, 'SELECT count(*), sum(a) FROM %s WHERE id >= %d' % (table.name, first))]
        cursor = 'o%d' % first
        self.cursors[number].append((cursor, table, False))
        return [Op(number, 'BEGIN'), Op(number, 'DECLARE %s NO SCROLL CURSOR FOR SELECT * FROM %s WHERE id >= %d ORDER BY id%s' % (cursor, table.name, first, self.choose('', '', ' FOR UPDATE'))),
                Op(number, 'FETCH NEXT FROM ' + cursor, ordered=True)]

    def amid_groups(self, table):
        kind = self.random.random()
        if kind < 0.5:
            return Op(0, "CALL retldb.compact('%s')" % table.name, kind='compact')
        if kind < 0.7 and self.crashes:
            self.cursors = [[] for _ in range(SESSIONS)]
            self.statements = [[] for _ in range(SESSIONS)]
            return Op(0, '', kind='crash')
        return Op(0, self.choose('standby', ''), kind='check')

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
            return Op(number, 'BEGIN ISOLATION LEVEL %s%s' % (self.random.choice(self.levels), self.choose('', '', '', '', '', '', ' READ ONLY')))
        if kind < 0.61:
            return self.maintenance(number)
        if kind < 0.66 and self.gids:
            gid = self.gids.pop(self.random.randrange(len(self.gids)))
            return Op(number, "%s PREPARED '%s'" % (self.choose('COMMIT', 'ROLLBACK'), gid), many=True)
        if kind < 0.72:
            return self.setting(number)
        tables = [t for t in self.tables if t.key]
        if kind < 0.76 and not self.whole_scans:
            op = self.upsert_many(number, self.random.choice(tables))
            return Op(number, LEAVE_ALONE + op.sql, many=True)
        return self.statement(number)

    def inside(self, number):
        kind = self.random.random()
        if self.focus is not None and self.chance(0.6):
            return self.one_row(number, self.focus)
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
        if self.focus is not None and self.chance(0.7):
            return self.one_row(number, self.focus)
        if kind < 0.64:
            return self.one_row(number, table)
        if kind < 0.78:
            return self.many_rows(number, table)
        if kind < 0.95:
            return self.query(number, table)
        return self.ddl(number, table)

    def one_row(self, number, table):
        name, i, many = table.name, self.id(), table.many
        kind = self.random.random()
        if self.untouched and self.focus is table:
            # the others shall find it locked
            self.untouched = False
            if self.chance(0.5):
                return Op(number, 'SELECT * FROM %s WHERE id = %d FOR %s' % (name, self.hot, self.choose('KEY SHARE', 'KEY SHARE', 'SHARE', 'NO KEY UPDATE')), many=not table.key, queues=table.key)
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
        if kind < 0.78 and table.key:
            action = self.choose('NOTHING', 'UPDATE SET a = %s.a + 1' % name, 'UPDATE SET b = EXCLUDED.b', 'UPDATE SET a = EXCLUDED.a WHERE %s.a < 5' % name)
            target = ' (id)' if action != 'NOTHING' or self.chance(0.5) else ''
            return Op(number, 'INSERT INTO %s (%s) VALUES (%s) ON CONFLICT%s DO %s%s' % (
                name, self.names(table), self.values(table, str(self.choose(i, i, self.fresh(1)))), target, action, self.returning()), many=many)
        if kind < 0.83 and not table.partitioned:
            return Op(number, '%s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE id = %d))%s' % (
                self.choose('DELETE FROM ' + name, 'UPDATE %s SET %s' % (name, self.assignment(table))), name, i, self.returning()), many=True)
        if kind < 0.86:
            return Op(number, 'DO $$ BEGIN UPDATE %s SET a = 1 WHERE id = %d; BEGIN UPDATE %s SET a = 2 WHERE id IN (%d, %d); RAISE EXCEPTION USING errcode = \'P0001\'; '
                      'EXCEPTION WHEN raise_exception THEN NULL; END; %s WHERE id = %d; END $$' % (
                          name, i, name, i, self.id(), self.choose('DELETE FROM ' + name, 'UPDATE %s SET a = 3' % name), self.choose(i, self.id())), many=True)
        if kind < 0.93:
            return Op(number, 'MERGE INTO %s t USING (VALUES (%d)) s (id) ON t.id = s.id WHEN MATCHED AND t.a < 6 THEN %s WHEN MATCHED THEN %s WHEN NOT MATCHED THEN %s' % (
                name, i, self.choose('DELETE', 'UPDATE SET a = t.a + 5', 'DO NOTHING'), self.choose('UPDATE SET ' + self.assignment(table).replace('= a ', '= t.a ').replace('= b ', '= t.b ').replace('(id)', '(t.id)'), 'DELETE'),
                self.choose('INSERT (id, a) VALUES (s.id, 3)', 'DO NOTHING')), many=many)
        if kind < 0.95 and not table.partitioned:
            # who takes the next thing to do
            return Op(number, '%s WHERE id = (SELECT id FROM %s WHERE id %s %d ORDER BY id LIMIT 1 FOR UPDATE%s)%s' % (
                self.choose('DELETE FROM ' + name, 'UPDATE %s SET %s' % (name, self.assignment(table))), name, self.choose('>=', '='), i, self.choose('', '', ' SKIP LOCKED', ' NOWAIT'), self.returning()), many=True)
        return self.prepared_statement(number, table)

    def upsert_many(self, number, table):
        """Upserts that may be batched; some rows are there, some are proposed twice."""
        name, n = table.name, self.choose(10, 60, 200)
        first = max(1, self.id() - self.choose(0, n // 2))
        source = 'generate_series(%d, %d) i' % (first, first + n - 1)
        kind = self.random.random()
        if kind < 0.2:
            source += ' ORDER BY md5(i::text)'
        elif kind < 0.3:
            source = '(SELECT i FROM %s UNION ALL SELECT i FROM generate_series(%d, %d) i) s' % (source, first, first + self.choose(0, 3))
        elif kind < 0.4:
            source = '(SELECT id AS i FROM %s WHERE id < %d) s' % (self.random.choice(self.tables).name, first + n)
        others = [c for c in table.columns if c != 'pid'] or ['a']
        action = self.choose('a = EXCLUDED.a', 'b = EXCLUDED.b', 'a = coalesce(%s.a, 0) + 1' % name, 'a = EXCLUDED.a, b = EXCLUDED.b', 'id = EXCLUDED.id, a = EXCLUDED.a',
                             ', '.join('%s = EXCLUDED.%s' % (c, c) for c in others), 'b = %s.b' % name, 'a = %s.a' % name)
        where = self.choose('', '', ' WHERE %s.a IS DISTINCT FROM EXCLUDED.a' % name, ' WHERE %s.a < 6' % name, ' WHERE EXCLUDED.id %% %d > 0' % self.choose(2, 10))
        # values that may be those that are there
        values = {'a': 'i % 12', 'b': "'v' || i % 17"} if self.chance(0.6) else {}
        target = '(id)' if self.chance(0.7) or table.partitioned else 'ON CONSTRAINT %s_pkey' % name
        sql = 'INSERT INTO %s (%s) SELECT i, %s FROM %s ON CONFLICT %s DO %s%s' % (
            name, self.names(table), ', '.join(values.get(c) or self.value(table, c, 'i') for c in table.columns), source, target,
            'NOTHING' if self.chance(0.1) else 'UPDATE SET %s%s' % (action, where), self.choose('', '', '', ' RETURNING id'))
        return Op(number, sql, many=True)

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
        if kind < 0.10 and table.key:
            return self.upsert_many(number, table)
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
        elif kind < 0.75:
            sql = 'DELETE FROM %s WHERE %s%s' % (name, self.some(table), self.returning())
        elif kind < 0.79:
            # whole groups
            sql = 'DELETE FROM %s%s%s' % (name, self.choose('', ' WHERE id > %d' % self.id(), ' WHERE id BETWEEN %d AND %d' % (first, first + 300)), self.returning())
        elif kind < 0.86:
            sql = 'SELECT id, a FROM %s WHERE %s %s' % (name, self.some(table), self.lock())
        else:
            other = self.random.choice(self.tables)
            sql = self.choose(
                'UPDATE %s t SET a = coalesce(t.a, 0) + 1 FROM %s o WHERE o.id = t.id AND o.id < %d' % (name, other.name, first),
                'DELETE FROM %s t USING %s o WHERE o.id = t.id AND o.a = %d' % (name, other.name, self.random.randint(0, 12)),
                'MERGE INTO %s t USING (SELECT DISTINCT id FROM %s WHERE id < 60) o ON o.id = t.id WHEN MATCHED AND t.a > 3 THEN UPDATE SET a = t.a - 1 '
                'WHEN MATCHED AND t.a = 0 THEN DELETE WHEN NOT MATCHED THEN INSERT (id, a) VALUES (o.id, 1)' % (name, other.name),
                'WITH gone AS (DELETE FROM %s WHERE %s RETURNING id, a, b) INSERT INTO %s (id, a, b) SELECT id + %d, a, b FROM gone' % (name, self.some(table), other.name, self.choose(0, self.fresh(2000))),
                'SELECT t.id, o.a FROM %s t JOIN %s o ON o.id = t.id WHERE t.id < %d FOR %s OF %s' % (name, other.name, first, self.choose('UPDATE', 'SHARE', 'NO KEY UPDATE'), self.choose('t', 'o', 't, o')))
        return Op(number, sql, many=True)

    def query(self, number, table):
        name = table.name
        other = self.random.choice(self.tables).name
        condition = self.condition(table)
        kind = self.random.randrange(11)
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
        if kind == 5 and not self.whole_scans:
            return Op(number, 'SELECT id, a FROM %s t WHERE %s EXISTS (SELECT FROM %s o WHERE o.a = t.a AND o.id < %d) ORDER BY 1, 2' % (name, self.choose('', 'NOT'), other, self.id()), ordered=True)
        if kind == 6:
            return Op(number, 'SELECT min(id), max(id), count(*), count(a), sum(a) FROM %s' % name)
        if kind == 7:
            return Op(number, 'SELECT id, sum(a) OVER (ORDER BY id, a, b COLLATE "C") FROM %s WHERE %s' % (name, condition))
        if kind == 8:
            return Op(number, 'SELECT id FROM %s WHERE id %s %d' % (name, self.choose('<', '>', '='), self.id()))
        if kind == 9:
            return Op(number, 'SELECT count(*), sum(a) FROM %s WHERE %s AND %s' % (name, condition, self.condition(table)))
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
                return Op(number, 'DECLARE %s NO SCROLL CURSOR FOR SELECT * FROM %s WHERE id = %d' % (name, table.name, self.id()))
            if changes:
                return Op(number, 'DECLARE %s NO SCROLL CURSOR FOR SELECT * FROM %s WHERE %s ORDER BY id %s' % (
                    name, table.name, self.some(table), self.choose('FOR UPDATE', 'FOR NO KEY UPDATE', 'FOR SHARE', 'FOR UPDATE NOWAIT')))
            return Op(number, 'DECLARE %s %sCURSOR %sFOR SELECT * FROM %s WHERE %s ORDER BY id' % (
                name, self.choose('NO SCROLL ', 'SCROLL '), 'WITH HOLD ' if hold else '', table.name, self.some(table)))
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
        kind = self.random.random() if not self.subscribed else self.choose(0.3, 0.45, 0.5, 0.55, 0.7, 0.78, 0.99)
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
        if kind < 0.97:
            return Op(number, 'CREATE TABLE copy%d AS SELECT * FROM %s WHERE %s' % (self.number, name, self.some(table)), many=True)
        return Op(number, 'ANALYZE ' + name, many=True)

    def maintenance(self, number):
        table = self.random.choice(self.tables)
        kind = self.random.random()
        if kind < 0.6:
            option = self.choose('', '', 'FREEZE', 'INDEX_CLEANUP ON', 'DISABLE_PAGE_SKIPPING', 'ANALYZE')
            if option in ('FREEZE', 'DISABLE_PAGE_SKIPPING') and any(self.cursors):
                # these wait for pages that a cursor has pinned, which nobody sees
                option = ''
            # to cut the file off it would wait five seconds for those who use the table
            return Op(number, 'VACUUM (%s) %s' % (', '.join(filter(None, [option, 'TRUNCATE %s' % self.chance(0.1)])), self.choose(table.name, table.name, 'log')), many=True)
        if kind < 0.7:
            return Op(number, 'VACUUM FULL ' + table.name, many=True)
        if kind < 0.8:
            return Op(number, self.create_index(table, 'CONCURRENTLY ')[0], many=True)
        if kind < 0.9:
            return Op(number, 'REINDEX TABLE CONCURRENTLY ' + table.name, many=True)
        return Op(number, 'CHECKPOINT')
