#!/usr/bin/env python3
"""Differential test: random work on a retldb table and a heap twin.

Both tables get the same commands in the same transactions: loads of every
kind, updates, upserts, deletions and locks of rows, savepoints, rollbacks, added and
dropped columns, indexes and keys of all kinds, truncation, vacuum, under random settings.  After each step random
queries must have the same answer, by whatever scan, and now and then the whole contents, retldb.verify and amcheck
are looked at.

A run is a function of its seed: --seed N --seconds S.  Each round has a seed
of its own, printed when it fails, for --round to run it alone.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

# type -> SQL expressions of its values, with {i} the row's number
TYPES = {
    'int2': ['({i} % 100)::int2', '(-{i} % 30000)::int2', '7::int2'],
    'int4': ['{i}', '-{i} * 1000', '{i} % 5', "('x' || substr(md5({i}::text), 1, 8))::bit(32)::int4"],
    'int8': ['{i}::int8 * 10000000000', '{i} / 100', "'-9223372036854775808'::int8 + {i}"],
    'float4': ['{i} / 3.0', "'NaN'", "'-0'", '({i} % 4) / 2.0'],
    'float8': ['{i} / 7.0', 'sqrt({i})', "(ARRAY['NaN', 'Infinity', '-Infinity', '-0', '0', '1.5'])[1 + {i} % 6]::float8"],
    'bool': ['{i} % 2 = 0', '{i} % 1000 < 500', 'true'],
    'numeric': ['{i} / 7.0', '({i} % 10)::numeric(10,2)', "(ARRAY['NaN', 'Infinity', '1.0', '1.00', '-5', '1e30'])[1 + {i} % 6]::numeric", '{i}'],
    'numeric(12,3)': ['{i} / 8.0', '({i} % 50) * 1.25'],
    'text': ["CASE WHEN {i} % 50 = 3 THEN repeat(md5({i}::text), 300 + {i} % 700) ELSE 'short ' || {i} % 10 END", "'text ' || {i}", "'text ' || {i} % 10", "repeat(md5({i}::text), {i} % 30)", "''", "chr(192 + {i} % 400) || {i}"],
    'text COLLATE "C"': ["md5({i}::text)", "'value ' || {i} % 100"],
    'varchar(20)': ["left(md5({i}::text), {i} % 20)"],
    'char(8)': ["left('ab      cd', {i} % 9)"],
    '"char"': ["chr(65 + {i} % 20)::\"char\""],
    'bytea': ["decode(md5({i}::text), 'hex')", "'\\x00'::bytea"],
    'date': ["date '2000-01-01' + {i}", "date '1990-05-05' + {i} % 30", "'infinity'"],
    'time': ["time '00:00' + {i} * interval '1 second'"],
    'timetz': ["('12:00:00+' || {i} % 12)::timetz"],
    'timestamp': ["timestamp '2001-01-01' + {i} * interval '1 hour'"],
    'timestamptz': ["timestamptz '2001-01-01' + {i} % 77 * interval '1 minute'", "'-infinity'"],
    'interval': ["{i} * interval '1 minute 3 days'"],
    'uuid': ['md5({i}::text)::uuid', 'md5(({i} % 3)::text)::uuid'],
    'inet': ["('10.0.' || {i} % 256 || '.1')::inet"],
    'macaddr': ["'08:00:2b:01:02:03'::macaddr"],
    'money': ['({i} % 1000)::money'],
    'bit(7)': ['({i} % 128)::bit(7)'],
    'jsonb': ["jsonb_build_object('a', {i}, 'b', {i} % 3)"],
    'json': ["json_build_array({i}, 'x')"],
    'int4[]': ['ARRAY[{i}, NULL, {i} % 3]', "'{}'::int4[]"],
    'text[]': ["ARRAY['a' || {i} % 9, NULL]"],
    'int4range': ['int4range({i}, {i} + 5)'],
    'point': ['point({i}, 1)'],
    'diff_mood': ["(ARRAY['sad', 'ok', 'happy'])[1 + {i} % 3]::diff_mood"],
    'diff_pair': ["ROW({i}, 'x')::diff_pair"],
    'diff_short': ["({i} % 9)::diff_short"],
    'name': ["('text ' || {i} % 40)::name"],
    'oid': ['({i} + 3000000000)::oid'],
    'tsvector': ["to_tsvector('simple', 'w' || {i} % 9)"],
}
ORDERED = ['int2', 'int4', 'int8', 'float4', 'float8', 'bool', 'numeric', 'numeric(12,3)', 'text', 'text COLLATE "C"',
           'varchar(20)', 'char(8)', '"char"', 'bytea', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval',
           'uuid', 'inet', 'money', 'diff_mood', 'diff_short', 'oid', 'name']

TEXTS = ['text', 'text COLLATE "C"', 'varchar(20)', 'char(8)', 'name']

# index methods other than btree and hash, and the types they are for
OTHER_METHODS = {'gin': ['int4[]', 'text[]', 'jsonb', 'tsvector'], 'gist': ['int4range', 'point', 'tsvector'],
                 'spgist': ['int4range', 'point', 'inet', 'text']}
NOT_HASHED = ['bit(7)', 'json', 'point', 'money', 'tsvector']

# conditions that indexes of these methods answer
INDEX_TERMS = {'int4[]': ["{c} @> ARRAY[{i} % 3]", "{c} && ARRAY[{i}, {j}]", "{c} = '{{}}'"], 'text[]': ["{c} @> ARRAY['a' || {i} % 9]"],
               'jsonb': ["{c} @> jsonb_build_object('b', {i} % 3)", "{c} ? 'a'"], 'tsvector': ["{c} @@ to_tsquery('simple', 'w' || {i} % 9)"],
               'int4range': ["{c} @> {i}", "{c} && int4range({i}, {i} + 100)"], 'point': ["{c} <@ box(point({i}, 0), point({j}, 2))"],
               'inet': ["{c} << '10.0.0.0/9'"]}

# types with operators across them
OTHER_TYPES = [['int2', 'int4', 'int8', 'diff_short'], ['float4', 'float8'], ['date', 'timestamp', 'timestamptz'],
               ['text', 'varchar(20)']]

SETUP = """
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS retldb;
DROP TYPE IF EXISTS diff_mood, diff_pair CASCADE;
DROP DOMAIN IF EXISTS diff_short CASCADE;
CREATE TYPE diff_mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE diff_pair AS (a int, b text);
CREATE DOMAIN diff_short AS int2 CHECK (VALUE < 100);
DROP COLLATION IF EXISTS diff_blind;
CREATE COLLATION diff_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
DROP TABLE IF EXISTS columnar, twin;
DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS amcheck; EXCEPTION WHEN OTHERS THEN NULL; END $$;
"""


class Failure(Exception):
    pass


class Psql:
    """A psql session that is fed line by line."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=0', '-v', 'VERBOSITY=verbose'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.log = []

    def run(self, sql):
        """Run SQL; returns its output lines, errors among them."""
        self.log.append(sql)
        try:
            self.process.stdin.write(sql + ';\n\\echo --end--\n')
            self.process.stdin.flush()
            lines = []
            for line in self.process.stdout:
                if line == '--end--\n':
                    return lines
                lines.append(line.rstrip('\n'))
        except BrokenPipeError:
            pass
        raise Failure('the session was lost')

    def must(self, sql):
        """Run SQL that has no reason to fail."""
        errors = [line for line in self.run(sql) if line.startswith(('ERROR', 'FATAL', 'PANIC', 'psql:'))]
        if errors:
            raise Failure('%s: %s' % (sql[:500], errors))

    def both(self, sql):
        """Run SQL on {t} = each table; errors must be the same ones."""
        states = []
        for table in ('columnar', 'twin'):
            lines = self.run(sql.replace('{t}', table))
            states.append([line.split()[1].rstrip(':') for line in lines if line.startswith(('ERROR', 'FATAL', 'PANIC', 'server closed'))])
        if states[0] != states[1]:
            raise Failure('errors differ: %s and %s after\n%s' % (states[0], states[1], sql))
        return states[0]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Round:
    def __init__(self, psql, seed, directory):
        self.random = random.Random(seed)
        self.psql = psql
        self.file = os.path.join(directory, 'rows')
        self.columns = []       # (name, type)
        self.count = 0          # columns ever
        self.next = 1           # numbers of rows
        self.indexes = []       # numbers of indexes
        self.key = None         # what kind of key "id" is
        self.steps = 0

    # ------------------------------------------------------------ pieces of SQL

    def expression(self, column_type, number):
        return self.random.choice(TYPES[column_type]).replace('{i}', number)

    def value(self, column_type):
        """An expression over generate_series(...) i, null now and then."""
        base = self.expression(column_type, 'i')
        kind = self.random.random()
        if kind < 0.05:
            return 'NULL'
        if kind < 0.35:
            return 'CASE WHEN i %% %d <> 0 THEN %s END' % (self.random.randint(2, 9), base)
        if kind < 0.5:
            run = str(self.random.choice([10, 100, 1000]))
            return self.expression(column_type, '(i / %s)' % run)
        return base

    def rows(self, n):
        """A SELECT of n new rows for all columns."""
        first = self.next
        self.next += n
        values = ', '.join('(%s)::%s' % (self.value(t), t.split(' COLLATE')[0]) for _, t in self.columns)
        return 'SELECT %s FROM generate_series(%d, %d) i' % (values, first, first + n - 1)

    def size(self):
        return self.random.choice([1, 3, 15, 90, 400, 1100, 2500, 6000])

    def settings(self):
        choose = self.random.choice
        return '; '.join([
            'SET retldb.row_store_rows = %d' % choose([0, 10, 1000]),
            'SET retldb.row_group_rows = %d' % choose([64, 300, 1000, 4000, 100000]),
            'SET retldb.row_group_size = %d' % choose([64, 1024, 65536]),
            'SET retldb.vector_rows = %d' % choose([64, 128, 1024, 2048]),
            'SET retldb.suppress_noop = %s' % choose(['on', 'off']),
            'SET retldb.enable_upsert_batches = %s' % choose(['on', 'on', 'on', 'off']),
            'SET work_mem = %s' % choose(["'64kB'", "'4MB'"]),
            'SET retldb.compression = %s' % choose(['none', 'lz4', 'snappy', 'zstd']),
            'SET retldb.compression_level = %d' % choose([0, 0, 1, 7]),
            'SET retldb.write_memory = %s' % choose(["'1MB'", "'256MB'"]),
            'SET retldb.force_encoding = %s' % choose(['auto', 'auto', 'plain', 'constant', 'rle', 'bitpack', 'dict', 'delta']),
        ])

    # ------------------------------------------------------------ steps

    def add_key(self):
        """Make "id" a key; that may fail for both."""
        if self.key is not None:
            if not self.psql.both('ALTER TABLE {t} DROP CONSTRAINT {t}_key'):
                self.key = None
            return
        key = self.random.choice(['PRIMARY KEY (id)', 'PRIMARY KEY (id)', 'UNIQUE (id)', 'UNIQUE (id) DEFERRABLE',
                                  'EXCLUDE USING btree (id WITH =)', 'EXCLUDE USING hash (id WITH =)'])
        if not self.psql.both('ALTER TABLE {t} ADD CONSTRAINT {t}_key %s' % key):
            self.key = key

    def add_index(self, inside=False):
        """Make an index of some kind, or drop one."""
        if len(self.indexes) > 5 or (self.indexes and self.random.random() < 0.2):
            number = self.random.choice(self.indexes)
            self.psql.both('DROP INDEX IF EXISTS {t}_i%d' % number)
            self.indexes.remove(number)
            return
        self.count += 1
        name, column_type = self.random.choice(self.columns)
        method = 'btree'
        others = [other for other, types in OTHER_METHODS.items() if column_type in types]
        if others:
            method = self.random.choice(others)
        elif column_type not in NOT_HASHED and self.random.random() < 0.25:
            method = 'hash'
        what = name
        kind = self.random.random()
        if method == 'btree' and kind < 0.3:
            what = ', '.join(c for c, _ in self.random.sample(self.columns, min(3, len(self.columns))))
        elif method == 'btree' and kind < 0.4:
            what = '(id %% %d), %s DESC NULLS LAST' % (self.random.randint(2, 100), name)
        elif method == 'btree' and kind < 0.5:
            what = '%s) INCLUDE (%s' % (name, self.random.choice(self.columns)[0])
        where = ' WHERE %s' % self.random.choice(['id % 3 = 0', '%s IS NOT NULL' % name, 'id < %d' % self.next]) if self.random.random() < 0.2 else ''
        concurrently = 'CONCURRENTLY ' if not inside and self.random.random() < 0.2 else ''
        if not self.psql.both('CREATE INDEX %s{t}_i%d ON {t} USING %s (%s)%s' % (concurrently, self.count, method, what, where)):
            self.indexes.append(self.count)
        elif concurrently:
            self.psql.both('DROP INDEX IF EXISTS {t}_i%d' % self.count)

    def reindex(self):
        kind = self.random.random()
        if kind < 0.7 or not self.indexes:
            self.psql.both('REINDEX TABLE %s{t}' % self.random.choice(['', 'CONCURRENTLY ']))
        else:
            self.psql.both('CLUSTER {t} USING {t}_i%d' % self.random.choice(self.indexes))

    def upsert_again(self):
        """Rows that are there already, most of them as they are, in no order."""
        names = [name for name, _ in self.columns if name != 'id']
        if not names:
            return
        changed, changed_type = self.random.choice([column for column in self.columns if column[0] != 'id'])
        value = 'CASE WHEN id %% %d = 0 THEN (%s)::%s ELSE %s END' % (
            self.random.choice([2, 10, 100]), self.expression(changed_type, 'id'), changed_type.split(' COLLATE')[0], changed)
        rows = 'SELECT %s FROM {t} WHERE %s ORDER BY md5(id::text)' % (
            ', '.join(value if name == changed else name for name, _ in self.columns), self.predicate())
        sets = self.random.sample(names, self.random.randint(1, len(names)))
        where = self.random.choice(['', '', ' WHERE m.id % 3 > 0', ' WHERE m.id <> EXCLUDED.id', ' WHERE EXCLUDED.%s IS NOT NULL' % changed])
        self.psql.both('INSERT INTO {t} AS m %s ON CONFLICT (id) DO UPDATE SET %s%s'
                       % (rows, ', '.join('%s = EXCLUDED.%s' % (name, name) for name in sets), where))

    def upsert(self):
        """Rows that are new, and others that are there already."""
        if self.random.random() < 0.5:
            self.upsert_again()
            return
        n = self.size()
        first = max(1, self.next - self.random.randint(0, 2 * n))
        self.next = max(self.next, first)
        reserved = self.next
        self.next = first
        rows = self.rows(n)
        self.next = max(self.next, reserved)
        action = 'NOTHING'
        if self.random.random() < 0.7:
            name = self.random.choice(self.columns)[0]
            action = 'UPDATE SET %s = EXCLUDED.%s' % (name, name)
            if self.random.random() < 0.3:
                action += ' WHERE m.id % 3 > 0'
        target = self.random.choice(['(id) ', '(id) ', '' if action == 'NOTHING' else '(id) '])
        self.psql.both('INSERT INTO {t} AS m %s ON CONFLICT %sDO %s' % (rows, target, action))

    def create(self):
        self.indexes = []
        self.key = None
        self.psql.must('DROP TABLE IF EXISTS columnar, twin')
        types = list(TYPES)
        self.columns = [('id', 'int4')]
        for _ in range(self.random.choice([0, 1, 4, 10, 30])):
            self.count += 1
            self.columns.append(('c%d' % self.count, self.random.choice(types)))
        definition = ', '.join('%s %s' % column for column in self.columns)
        if self.random.random() < 0.2:
            rows = self.rows(self.size())
            names = ', '.join(name for name, _ in self.columns)
            self.psql.must('CREATE TEMP TABLE made (%s) AS %s' % (names, rows))
            self.psql.must('CREATE TABLE columnar USING retldb AS TABLE made')
            self.psql.must('CREATE TABLE twin USING heap AS TABLE made')
            self.psql.must('DROP TABLE made')
        else:
            kind = self.random.choice(['', '', '', 'TEMP ', 'UNLOGGED '])
            self.psql.must('CREATE %sTABLE columnar (%s) USING retldb' % (kind, definition))
            self.psql.must('CREATE %sTABLE twin (%s) USING heap' % (kind, definition))
        if self.random.random() < 0.6:
            self.add_key()
            for _ in range(self.random.choice([0, 1, 3])):
                self.add_index()

    def load(self):
        n = self.size()
        way = self.random.choice(['select', 'select', 'values', 'text', 'csv', 'binary', 'self', 'where'])
        if way == 'self':
            where = self.predicate()
            self.psql.both('INSERT INTO {t} SELECT * FROM {t} WHERE (%s) AND random() >= 0 AND id < %d' % (where, self.next // 4))
            return
        rows = self.rows(min(n, 20) if way == 'values' else n)
        # random values of functions like random() do not occur: the same rows twice
        if way == 'values':
            self.psql.both('INSERT INTO {t} %s' % rows)
        elif way in ('text', 'csv', 'binary'):
            self.psql.must('\\copy (%s) TO %s (FORMAT %s)\n' % (rows, self.file, way))
            self.psql.both('\\copy {t} FROM %s (FORMAT %s)\n' % (self.file, way))
        elif way == 'where':
            self.psql.both('INSERT INTO {t} SELECT * FROM (%s) x (%s) WHERE %s'
                           % (rows, ', '.join(name for name, _ in self.columns), self.predicate()))
        else:
            self.psql.both('INSERT INTO {t} %s' % rows)

    def change(self):
        """Rows are updated, deleted, locked."""
        where = self.predicate()
        name, column_type = self.random.choice(self.columns)
        plain = column_type.split(' COLLATE')[0]
        value = '(%s)::%s' % (self.expression(column_type, '(id %% 1000 + %d)' % self.random.randint(1, 50)), plain)
        if name == 'id':
            # a key that is checked at once depends on the order in which rows are changed
            value = 'id + %d' % self.random.choice([0, 1, 1000] if self.key in (None, 'UNIQUE (id) DEFERRABLE') else [0])
        kind = self.random.random()
        if self.key is not None and self.random.random() < 0.4:
            self.upsert()
        elif kind < 0.3:
            self.psql.both('DELETE FROM {t} WHERE (%s) AND id %% %d = 0' % (where, self.random.choice([1, 2, 7, 50])))
        elif kind < 0.55:
            if self.random.random() < 0.2:
                value = name        # nothing changes
            self.psql.both('UPDATE {t} SET %s = %s WHERE (%s) AND id %% %d = 0' % (name, value, where, self.random.choice([1, 2, 7, 50])))
        elif kind < 0.65:
            text = self.columns_as_text(self.columns)
            self.same('WITH d AS (%s RETURNING %s AS x) SELECT count(*), md5(string_agg(x, \'\' ORDER BY x COLLATE "C")) FROM d'
                      % (self.random.choice(['DELETE FROM {t} WHERE %s' % where, 'UPDATE {t} SET %s = %s WHERE %s' % (name, value, where)]), text))
        elif kind < 0.75:
            self.same('SELECT count(*), sum(id::numeric) FROM (SELECT id FROM {t} WHERE %s FOR %s) q'
                      % (where, self.random.choice(['UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE'])))
        elif kind < 0.85:
            first = self.random.randint(0, self.next)
            self.psql.both('MERGE INTO {t} m USING generate_series(%d, %d) i ON m.id = i WHEN MATCHED AND i %% 3 = 0 THEN DELETE '
                           'WHEN MATCHED AND i %% 3 = 1 THEN UPDATE SET %s = %s WHEN NOT MATCHED AND i %% 5 = 0 THEN INSERT (id) VALUES (i)'
                           % (first, first + self.random.choice([5, 100, 1500]), name, value.replace('id ', 'm.id ')))
        elif kind < 0.95:
            # one that fails in its middle
            self.psql.both('%s WHERE 1 / (%d - id) < 5'
                           % (self.random.choice(['DELETE FROM {t}', 'UPDATE {t} SET %s = %s' % (name, value)]),
                              self.random.randint(1, self.next)))
        else:
            self.psql.both('DELETE FROM {t} WHERE id < %d' % self.random.randint(0, self.next))

    def fail(self):
        """A load that fails in its middle."""
        n = self.size()
        rows = self.rows(n)
        self.psql.both('INSERT INTO {t} SELECT * FROM (%s) x (%s) WHERE 1 / (%d - id) < 5'
                       % (rows, ', '.join(name for name, _ in self.columns), self.next - max(1, n // 2)))

    def add_column(self):
        self.count += 1
        column_type = self.random.choice(list(TYPES))
        name = 'c%d' % self.count
        default = ''
        if self.random.random() < 0.6:
            default = ' DEFAULT (%s)::%s' % (self.expression(column_type, str(self.random.randint(1, 99))), column_type.split(' COLLATE')[0])
        if not self.psql.both('ALTER TABLE {t} ADD COLUMN %s %s%s' % (name, column_type, default)):
            self.columns.append((name, column_type))

    def drop_column(self):
        if len(self.columns) < 2:
            return
        column = self.random.choice(self.columns[1:])
        self.psql.both('ALTER TABLE {t} DROP COLUMN %s' % column[0])
        self.columns.remove(column)

    def change_type(self):
        candidates = [c for c in self.columns[1:] if c[1] in ('int2', 'int4', 'varchar(20)', 'numeric(12,3)', 'date')]
        if not candidates:
            return
        column = self.random.choice(candidates)
        new = {'int2': 'int4', 'int4': 'int8', 'varchar(20)': 'text', 'numeric(12,3)': 'numeric', 'date': 'timestamp'}[column[1]]
        if not self.psql.both('ALTER TABLE {t} ALTER COLUMN %s TYPE %s' % (column[0], new)):
            self.columns[self.columns.index(column)] = (column[0], new)

    def truncate(self):
        self.psql.both('TRUNCATE {t}')

    def compact(self):
        """Rows move; nothing is to be seen of it."""
        if self.random.random() < 0.4:
            name = self.random.choice([c for c in self.columns if c[1] in ORDERED])[0]
            self.psql.must("ALTER TABLE columnar SET (order_by = '%s%s')"
                           % (name, self.random.choice(['', ' DESC', ' NULLS FIRST'])))
        self.psql.must("CALL retldb.compact('columnar')")

    def step(self):
        self.steps += 1
        self.psql.must(self.settings())
        kind = self.random.random()
        if kind < 0.22:
            self.load()
        elif kind < 0.40:
            self.change()
        elif kind < 0.62:
            self.transaction()
        elif kind < 0.68:
            self.add_column()
        elif kind < 0.74:
            self.drop_column()
        elif kind < 0.78:
            self.psql.both(self.random.choice(['VACUUM {t}', 'VACUUM (FREEZE) {t}', 'VACUUM ANALYZE {t}', 'ANALYZE {t}', 'VACUUM FULL {t}',
                                               'VACUUM (INDEX_CLEANUP ON) {t}', 'VACUUM (INDEX_CLEANUP OFF) {t}']))
        elif kind < 0.80:
            self.truncate()
        elif kind < 0.82:
            self.change_type()
        elif kind < 0.87:
            self.fail()
        elif kind < 0.93:
            self.compact()
        elif kind < 0.97:
            self.add_index()
        elif kind < 0.98:
            self.add_key()
        else:
            self.reindex()

    def transaction(self):
        """Steps in a transaction, with savepoints; both tables side by side.

        An error (of a predicate, say) does not end it: psql sets a savepoint
        around each command.
        """
        before = list(self.columns), list(self.indexes), self.key
        self.psql.must('BEGIN')
        for _ in range(self.random.randint(1, 4)):
            action = self.random.random()
            if action < 0.3:
                self.load()
            elif action < 0.5:
                self.change()
            elif action < 0.75:
                inside = list(self.columns), list(self.indexes), self.key
                self.psql.must('SAVEPOINT s')
                self.random.choice([self.load, self.change, self.change, self.truncate, self.add_column, self.add_key,
                                    lambda: self.add_index(True)])()
                if self.random.random() < 0.6:
                    self.psql.must('ROLLBACK TO s')
                    self.columns, self.indexes, self.key = inside
                elif self.random.random() < 0.5:
                    self.psql.must('RELEASE s')
            elif action < 0.85:
                self.truncate()
            else:
                self.compare()
        if self.random.random() < 0.35:
            self.psql.must('ROLLBACK')
            self.columns, self.indexes, self.key = before
        else:
            self.psql.must('COMMIT')

    # ------------------------------------------------------------ questions

    def constant(self, column_type):
        """A constant, or something that is computed once for a scan."""
        plain = column_type.split(' COLLATE')[0]
        value = '(%s)::%s' % (self.expression(column_type, str(self.random.randint(0, self.next + 5))), plain)
        kind = self.random.random()
        if kind < 0.75:
            return value
        if kind < 0.8:
            return 'NULL::%s' % plain
        if kind < 0.9:
            return '(SELECT %s)' % value
        return '(SELECT %s FROM pg_class LIMIT 1)' % value

    def other_type(self, column_type):
        """A constant of another type that compares with this one, or None."""
        for types in OTHER_TYPES:
            if column_type in types:
                return self.constant(self.random.choice(types))
        return None

    def array_term(self, name, column_type):
        elements = [self.constant(column_type) for _ in range(self.random.choice([0, 1, 2, 3, 20, 80]))]
        if self.random.random() < 0.85:
            elements = [element for element in elements if not element.startswith('NULL')]
        plain = column_type.split(' COLLATE')[0]
        array = 'ARRAY[%s]::%s[]' % (', '.join(elements), plain)
        if plain == 'numeric(12,3)':
            array = 'ARRAY[%s]::numeric[]' % ', '.join(elements)
        if self.random.random() < 0.2:
            array = '(SELECT %s)::%s[]' % (array, 'numeric' if plain.startswith('numeric') else plain)
        operator = self.random.choice(['= ANY', '= ANY', '= ANY', '<> ALL', '<> ALL', '< ANY', '>= ALL', '<> ANY', '= ALL', '<= ALL', '> ANY'])
        return '%s %s (%s)' % (name, operator, array)

    def text_term(self, name, column_type):
        if self.random.random() < 0.25:
            constant = "'%s'" % self.random.choice(['', 'text 1', 'TEXT 5', 'ab', 'ab      c', 'a', 'value 5', '8', 'zz'])
            collation = self.random.choice(['"C"', '"und-x-icu"', 'diff_blind', '"default"', '"POSIX"'])
            return '%s COLLATE %s %s %s' % (name, collation, self.random.choice(['=', '<', '<=', '>', '>=', '<>']), constant)
        operator = self.random.choice(['LIKE', 'LIKE', 'NOT LIKE', 'ILIKE', '~', '~', '!~', '~*', 'LIKE ANY', 'NOT LIKE ALL', '^@'])
        if operator in ('~', '!~', '~*'):
            pattern = self.random.choice(['^text 1', '^(text|a)', '1$', '^a', '^value [0-4]', '^ab +c', '^$', '^[0-9a-f]{3}', '^c'])
            return "%s %s '%s'" % (name, operator, pattern)
        patterns = ["'%s'" % p for p in ('text 1%', 'te%', '%9%', '_ext 5', '', '%', 'ab%', 'ab      %', 'a\\b%', 'value 1_', 'value 7', '4%', 'A%', 'TEXT%')]
        if operator in ('LIKE ANY', 'NOT LIKE ALL'):
            return '%s %s (ARRAY[%s])' % (name, operator, ', '.join(self.random.sample(patterns, 3)))
        if operator == '^@':
            if column_type == 'char(8)':
                return "starts_with(%s, 'ab')" % name
            return '%s ^@ %s' % (name, self.random.choice(["'text'", "'val'", "''", "'a'", "'text 12345'"]))
        return '%s %s %s' % (name, operator, self.random.choice(patterns))

    def term(self):
        """A condition on a random column with constants that occur in it."""
        name, column_type = self.random.choice(self.columns)
        kind = self.random.random()
        if column_type in INDEX_TERMS and kind < 0.7:
            first = self.random.randint(0, self.next)
            return (self.random.choice(INDEX_TERMS[column_type]).replace('{c}', name).replace('{i}', str(first))
                    .replace('{j}', str(first + self.random.randint(1, 500))).replace('{{}}', '{}'))
        if kind < 0.12 or column_type not in ORDERED:
            return '%s IS %sNULL' % (name, self.random.choice(['', 'NOT ']))
        if column_type == 'bool' and kind < 0.7:
            return self.random.choice(['%s', 'NOT %s', '%s IS TRUE', '%s IS NOT TRUE', '%s IS FALSE', '%s IS NOT FALSE',
                                       '%s IS UNKNOWN', '%s IS NOT UNKNOWN', '%s = true', '%s <> true']) % name
        if column_type in TEXTS and kind < 0.5:
            return self.text_term(name, column_type)
        operator = self.random.choice(['=', '<', '<=', '>', '>=', '<>'])
        constant = self.constant(column_type)
        if kind < 0.65:
            other = self.other_type(column_type) if self.random.random() < 0.4 else None
            if other is not None:
                constant = other
            if self.random.random() < 0.15:
                return '%s %s %s' % (constant, operator, name)
            return '%s %s %s' % (name, operator, constant)
        if kind < 0.72:
            return '%s IS %sDISTINCT FROM %s' % (name, self.random.choice(['', 'NOT ']), constant)
        if kind < 0.82:
            return '%s BETWEEN %s AND %s' % (name, constant, self.constant(column_type))
        if kind < 0.95:
            return self.array_term(name, column_type)
        return '%s::text >= %s::text' % (name, constant)

    def predicate(self, depth=0):
        """Conditions, nested."""
        if depth > 2 or self.random.random() < [0.3, 0.5, 0.7][depth]:
            return self.term()
        arguments = [self.predicate(depth + 1) for _ in range(self.random.choice([2, 2, 3]))]
        text = '(%s)' % self.random.choice([' AND ', ' AND ', ' OR ']).join(arguments)
        return 'NOT ' + text if self.random.random() < 0.15 else text

    def columns_as_text(self, columns):
        return ' || \'|\' || '.join("coalesce(%s::text, 'null')" % name for name, _ in columns)

    def query(self):
        kind = self.random.random()
        where = ' WHERE ' + self.predicate() if self.random.random() < 0.8 else ''
        columns = self.random.sample(self.columns, self.random.randint(1, len(self.columns)))
        text = self.columns_as_text(columns)
        if kind < 0.6:
            return 'SELECT count(*), md5(string_agg(x, \'\' ORDER BY x COLLATE "C")) FROM (SELECT %s AS x FROM {t}%s) q' % (text, where)
        if kind < 0.8:
            return 'SELECT count(*), %s FROM {t}%s' % (', '.join('count(%s)' % name for name, _ in columns), where)
        return 'SELECT min(id), max(id), sum(id::numeric), count(DISTINCT id) FROM {t}%s' % where

    def same(self, sql):
        answers = []
        for table in ('columnar', 'twin'):
            answers.append([line.split(':')[0:2] if line.startswith('ERROR') else line
                            for line in self.psql.run(sql.replace('{t}', table))
                            if not line.startswith(('LOCATION', 'LINE', ' ', 'DETAIL', 'HINT'))])
        # twins carry different names: only the state of an error counts
        if answers[0] != answers[1]:
            raise Failure('answers differ: %s and %s for\n%s' % (answers[0], answers[1], sql))

    def compare(self):
        """Whole contents."""
        self.same('SELECT count(*), md5(string_agg(x, \'\' ORDER BY x COLLATE "C")) FROM (SELECT %s AS x FROM {t}) q'
                  % self.columns_as_text(self.columns))

    def rescans(self):
        """The same scan again and again, with other constants."""
        name, column_type = self.random.choice([c for c in self.columns if c[1] in ORDERED])
        plain = column_type.split(' COLLATE')[0]
        numbers = ', '.join('(%d)' % self.random.randint(0, self.next + 5) for _ in range(self.random.choice([2, 5, 30])))
        condition = 't.%s %s k.v' % (name, self.random.choice(['=', '=', '=', '<', '>=', '<>']))
        if self.random.random() < 0.4:
            condition += self.random.choice([' OR t.%s IS NULL', ' AND t.%s IS NOT NULL']) % self.random.choice(self.columns)[0]
        self.same('SELECT k.i, (SELECT count(*) || \'/\' || coalesce(sum(t.id::numeric), 0) FROM {t} t WHERE %s) '
                  'FROM (SELECT i, (%s)::%s AS v FROM (VALUES %s) n(i)) k ORDER BY 1, 2'
                  % (condition, self.expression(column_type, 'i'), plain, numbers))

    def joins(self):
        """Joins by hash with some of the twin's values, whose keys scans get to know."""
        name, column_type = self.random.choice([c for c in self.columns if c[1] in ORDERED])
        types = next((types for types in OTHER_TYPES if column_type in types), [column_type])
        other = self.random.choice([c for c in self.columns if c[1] in types])[0]
        keys = ('(SELECT DISTINCT %s AS k FROM twin WHERE %s ORDER BY 1 LIMIT %d)'
                % (other, self.predicate(), self.random.choice([0, 1, 3, 20, 100, 3000])))
        where = ' WHERE ' + self.predicate() if self.random.random() < 0.5 else ''
        self.psql.must('SET enable_nestloop = off; SET enable_mergejoin = off; SET work_mem = %s; SET retldb.enable_runtime_filters = %s'
                       % (self.random.choice(["'64kB'", "'4MB'", "'4MB'"]), self.random.choice(['on', 'on', 'on', 'off'])))
        for kind in self.random.sample(['JOIN', 'JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'EXISTS', 'NOT EXISTS', 'IN', 'partners', 'each'], 3):
            source = '{t} x %s %s y ON x.%s = y.k%s' % (kind, keys, name, where)
            if kind in ('EXISTS', 'NOT EXISTS'):
                source = '{t} x WHERE %s (SELECT FROM %s y WHERE x.%s = y.k)' % (kind, keys, name)
            elif kind == 'IN':
                source = '{t} x WHERE %s IN %s' % (name, keys)
            elif kind == 'partners':
                source = '(SELECT x.* FROM {t} x LEFT JOIN {t} z USING (id)) x JOIN %s y ON x.%s = y.k%s' % (keys, name, where)
            elif kind == 'each':
                source = ('generate_series(1, 4) g, LATERAL (SELECT x.* FROM {t} x JOIN (SELECT k FROM %s y OFFSET g) y ON x.%s = y.k) x%s'
                          % (keys, name, where))
            self.same('SELECT count(*), md5(string_agg(x, \'\' ORDER BY x COLLATE "C")) FROM (SELECT %s AS x FROM %s) q'
                      % (self.columns_as_text(self.random.sample(self.columns, min(3, len(self.columns)))), source))
        self.psql.must('RESET enable_nestloop; RESET enable_mergejoin; RESET work_mem')

    def scroll(self):
        """A cursor there and back, and turned round on the way."""
        def fetch(how):
            lines = self.psql.run('FETCH %s FROM there' % how)
            if any(line.startswith('ERROR') for line in lines):
                raise Failure('a cursor fails: %s' % lines)
            return lines

        self.psql.must('BEGIN')
        self.psql.run('DECLARE there SCROLL CURSOR FOR SELECT id, %s FROM columnar WHERE %s'
                      % (self.random.choice(self.columns)[0] + ' IS NULL', self.predicate()))
        if not self.psql.run("SELECT 1 FROM pg_cursors WHERE name = 'there'"):
            self.psql.must('ROLLBACK')
            return
        some = self.random.choice([1, 10, 1000])
        rows = fetch('FORWARD %d' % some)
        again = fetch('BACKWARD %d' % some)
        again.reverse()
        if again != rows[:-1] and again != rows:    # the cursor stood on the last row, or past it
            raise Failure('a cursor turned round gives %s after %s' % (again[:5], rows[:5]))
        self.psql.must('MOVE ABSOLUTE 0 FROM there')
        rows = fetch('ALL')
        again = fetch('BACKWARD ALL')
        again.reverse()
        if rows != again:
            raise Failure('backward a cursor gives %d rows, not %d' % (len(again), len(rows)))
        self.psql.must('ROLLBACK')

    def ask(self):
        self.psql.must('SET retldb.cache_size = %s' % self.random.choice(['0', "'64kB'", "'1MB'", "'32MB'", "'32MB'"]))
        self.psql.must('SET retldb.enable_columnar_scan = %s; SET retldb.enable_skipping = %s; SET retldb.enable_vector_filter = %s; SET TimeZone = %s; SET max_parallel_workers_per_gather = %d;'
                      'SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = %d; SET parallel_tuple_cost = 0; SET plan_cache_mode = force_generic_plan'
                      % (self.random.choice(['on', 'on', 'on', 'off']), self.random.choice(['on', 'on', 'off']),
                         self.random.choice(['on', 'on', 'on', 'off']), self.random.choice(["'UTC'", "'Europe/Berlin'", "'Pacific/Apia'"]),
                         self.random.choice([0, 0, 2]), self.random.choice([0, 1000])))
        for _ in range(8):
            self.psql.must('; '.join('SET enable_%s = %s' % (scan, 'off' if self.random.random() < share else 'on')
                                     for scan, share in (('seqscan', 0.6), ('indexscan', 0.4), ('indexonlyscan', 0.4), ('bitmapscan', 0.3))))
            self.same(self.query())
        kind = self.random.random()
        if kind < 0.3:
            self.rescans()
        elif kind < 0.5:
            self.scroll()
        elif kind < 0.9:
            self.joins()

    def verify(self):
        faults = self.psql.run("SELECT * FROM retldb.verify('columnar')")
        if faults:
            raise Failure('verification finds faults: %s' % faults[:5])
        faults = [line for line in self.psql.run(
            "SELECT bt_index_parent_check(indexrelid, true) FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam "
            "WHERE indrelid = 'columnar'::regclass AND amname = 'btree' AND indisvalid "
            "AND EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck')") if line]
        if faults:
            raise Failure('amcheck finds faults: %s' % faults[:5])

    def run(self):
        self.create()
        for _ in range(self.random.randint(5, 25)):
            self.step()
            self.ask()
            if self.random.random() < 0.2:
                self.compare()
                self.verify()
        self.compare()
        self.verify()
        self.psql.must('DROP TABLE columnar, twin')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--psql', default='psql', help='program; connection by the PG* variables')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--round', help='run one round with this seed')
    options = parser.parse_args()

    started = time.monotonic()
    rounds = steps = 0
    with tempfile.TemporaryDirectory() as directory:
        while True:
            seed = options.round or '%d-%d' % (options.seed, rounds)
            psql = Psql(options.psql)
            psql.must('\\set ON_ERROR_ROLLBACK on\n')
            psql.must(SETUP)
            current = Round(psql, seed, directory)
            try:
                current.run()
            except Failure as failure:
                log = os.path.join(tempfile.gettempdir(), 'differential-%s.sql' % seed)
                with open(log, 'w') as script:
                    script.write('\\set ON_ERROR_ROLLBACK on\n' + SETUP + ';\n'.join(psql.log[2:]) + ';\n')
                print('FAILED in round %s, step %d (its commands: %s)\n%s' % (seed, current.steps, log, failure))
                return 1
            psql.close()
            rounds += 1
            steps += current.steps
            if options.round or time.monotonic() - started > options.seconds:
                break
    print('%d rounds, %d steps, seed %d: all answers equal' % (rounds, steps, options.seed))
    return 0


if __name__ == '__main__':
    sys.exit(main())
