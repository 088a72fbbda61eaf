# What cannot be done is refused as on heap, by name, and harms nothing: without
# memory, on a standby, in read-only transactions, with a library that is too
# old, when row numbers are used up.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('limits', allows_streaming => 1, conf => q(
autovacuum = off
restart_after_crash = off
retldb.row_store_rows = 50
retldb.row_group_rows = 3000
));
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE r (id int, v text, n int) USING retldb;
CREATE TABLE h (id int, v text, n int) USING heap;
INSERT INTO r SELECT i, md5(i::text), i % 7 FROM generate_series(1, 10000) i;
UPDATE r SET n = 8 WHERE id % 50 = 0;
INSERT INTO h SELECT * FROM r;
CREATE TABLE source (id int, v text, n int) USING heap;
INSERT INTO source SELECT * FROM r;
));
my $contents = q(SELECT count(*), sum(n), md5(string_agg(v, '' ORDER BY id)) FROM r);
my $before = $node->safe_psql('postgres', $contents);

# --- writing where nothing may be written: heap's errors ---
my @refused = (
	'INSERT INTO {t} VALUES (1)',
	'INSERT INTO {t} SELECT * FROM source',
	'UPDATE {t} SET n = 1 WHERE id = 7',
	'DELETE FROM {t} WHERE id = 7',
	'MERGE INTO {t} USING source s ON {t}.id = s.id WHEN MATCHED THEN DELETE',
	'COPY {t} FROM PROGRAM $$echo 1$$',
	'SELECT * FROM {t} WHERE id = 7 FOR UPDATE',
	'SELECT * FROM {t} WHERE id = 7 FOR KEY SHARE',
	'TRUNCATE {t}',
	'ALTER TABLE {t} ADD COLUMN x int',
	'ALTER TABLE {t} SET (fillfactor = 50)',
	'ALTER TABLE {t} SET ACCESS METHOD heap',
	'CREATE INDEX ON {t} (id)',
	'REINDEX TABLE {t}',
	'CREATE TABLE another AS SELECT * FROM {t}',
	'DROP TABLE {t}',
	'COMMENT ON TABLE {t} IS $$x$$');
my @refused_on_standby = ('VACUUM {t}', 'VACUUM FULL {t}', 'ANALYZE {t}', 'CLUSTER {t}', 'BEGIN; LOCK TABLE {t} IN SHARE MODE', 'CREATE TEMP TABLE tmp AS SELECT * FROM {t}');
my @ours = (q(CALL retldb.compact('r')), 'CALL retldb.compact()', q(CALL retldb.convert('r', 'heap')),
	q(ALTER TABLE r SET (compression = zstd)), 'CREATE TABLE o (a int) USING retldb WITH (compression = zstd)');
my @allowed = ('SELECT count(*) FROM r', 'SELECT count(*) FROM r TABLESAMPLE SYSTEM (50)', 'COPY r TO PROGRAM $$cat >/dev/null$$',
	q(SELECT * FROM retldb.verify('r')), q(SELECT * FROM retldb.row_groups('r')), q(SELECT * FROM retldb.columns('r')), q(SELECT retldb.storage_report('r')),
	'SELECT * FROM retldb.tables', 'SELECT * FROM retldb.compaction', 'SELECT * FROM retldb.progress_convert', 'BEGIN; LOCK TABLE r IN ACCESS SHARE MODE; COMMIT',
	'EXPLAIN (ANALYZE) SELECT * FROM r WHERE id < 5');

sub same_refusals
{
	my ($server, $set, $what, @commands) = @_;

	for my $command (@commands)
	{
		my ($on_heap, $on_ours) = map {
			(my $sql = $command) =~ s/\{t\}/$_/g;
			my $answer = join ' ', sqlstate($server, "$set $sql");
			$answer =~ s/"$_"/"t"/g;
			$answer;
		} 'h', 'r';
		is($on_ours, $on_heap, "$what: $command");
	}
}

my $read_only = "SET default_transaction_read_only = on;\n";
same_refusals($node, $read_only, 'read-only', @refused);
is((sqlstate($node, "$read_only$_"))[0], '25006', "read-only: $_") for @ours;
is((sqlstate($node, "$read_only$_"))[0], '', "read-only: $_ is allowed") for @allowed;
# as on heap, temporary tables may be written
is((sqlstate($node, "CREATE TEMP TABLE tmp USING retldb AS SELECT * FROM r;\n${read_only}UPDATE tmp SET n = 1; DELETE FROM tmp WHERE id < 100; INSERT INTO tmp SELECT * FROM r"))[0],
	'', 'read-only: temporary tables');

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('limits_standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
same_refusals($standby, '', 'standby', @refused, @refused_on_standby);
is((sqlstate($standby, $_))[0], '25006', "standby: $_") for @ours;
is((sqlstate($standby, $_))[0], '', "standby: $_ is allowed") for grep { $_ !~ /progress/ } @allowed;
is($standby->safe_psql('postgres', $contents), $before, 'standby: nothing has changed');
$standby->stop;

# --- a library that is older than the catalog ---
{
	my $future = q(CREATE FUNCTION future() RETURNS int LANGUAGE C AS '$libdir/retldb', 'retldb_of_the_future');
	my ($state, $message) = sqlstate($node, $future);

	is($state, '42883', 'older library: its functions cannot be made');
	like($message, qr/could not find function "retldb_of_the_future" in file/, 'and the message says which');
	is((sqlstate($node, "SET check_function_bodies = off; $future; SELECT future()"))[0], '42883', 'nor called');
	is($node->safe_psql('postgres', $contents), $before, 'older library: tables can be read');
}

# --- little memory ---
my %work = (
	load => 'INSERT INTO r SELECT id, v || repeat(v, 20), n FROM source, generate_series(1, 20)',
	copy => q(COPY r FROM PROGRAM $$perl -e 'printf(qq(%d\t%s\t1\n), $_, qq($_ ) x 100) for 1 .. 100000'$$),
	large => q(INSERT INTO r SELECT i, repeat('large', 2000000 * i), 1 FROM generate_series(1, 10) i),
	update => 'UPDATE r SET v = repeat(v, 50)',
	delete => 'DELETE FROM r',
	read => 'SELECT count(*), max(v), md5(string_agg(v, $$$$ ORDER BY id)) FROM r',
	rewrite => 'ALTER TABLE r ALTER n TYPE bigint',
	index => 'CREATE INDEX ON r (v, id)',
	verify => q(SELECT count(*) FROM retldb.verify('r')),
	report => q(SELECT retldb.storage_report('r')),
	sort => q(ALTER TABLE r SET (order_by = 'v'); INSERT INTO r SELECT id, v, n FROM source, generate_series(1, 20)),
	convert => q(CALL retldb.convert('r', 'heap')),
);
my %outside = (
	vacuum => 'VACUUM r',
	vacuum_full => 'VACUUM FULL r',
	compact => q(CALL retldb.compact('r')),
	analyze => 'ANALYZE r',
);

# What a session raises whose address space can grow by so many megabytes only.
# It must live on, and be able to go on with other commands.
sub with_little_memory
{
	my ($megabytes, $command) = @_;
	my $script = start_script($node, qq(
\\set VERBOSITY sqlstate
SELECT count(*), max(v) FROM r;
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! prlimit --pid \$PID --as=\$(awk '/^VmSize/ { print (\$2 + $megabytes * 1024) * 1024 }' /proc/\$PID/status)
\\set ON_ERROR_STOP off
\\o /dev/null
$command
\\o
\\set ON_ERROR_STOP on
INSERT INTO r VALUES (-1);
DELETE FROM r WHERE id = -1;
\\echo alive
));
	my $out = finish_script($script);

	like($out, qr/^alive$/m, "$megabytes MB: the session goes on") or diag("$command: $script->{err}");
	return join ' ', sort $script->{err} =~ /(?:ERROR|FATAL|PANIC):\s+(\w+)/g;
}

SKIP:
{
	skip 'prlimit is not there', 1 if system('prlimit --version >/dev/null 2>&1') != 0;
	my %seen;

	for my $megabytes (3, 8, 16, 40)
	{
		for my $name (sort keys %work)
		{
			my $errors = with_little_memory($megabytes, "BEGIN;\n$work{$name};\nROLLBACK;");
			like($errors, qr/^(53200)?$/, "$megabytes MB: $name: no other error than that of memory");
			$seen{$name}++ if $errors ne '';
		}
		for my $name (sort keys %outside)
		{
			my $errors = with_little_memory($megabytes, "$outside{$name};");
			like($errors, qr/^(53200)?$/, "$megabytes MB: $name: no other error than that of memory");
		}
		is($node->safe_psql('postgres', $contents), $before, "$megabytes MB: nothing has changed");
		verify_clean($node, 'r', "$megabytes MB");
	}
	ok($seen{$_}, "$_ has lacked memory at least once") for 'load', 'copy', 'large', 'sort';
	note('lacked memory: ' . join(', ', map { "$_ $seen{$_}" } sort keys %seen));
}

# --- more than a tuple in memory can have ---
{
	$node->safe_psql('postgres', 'CREATE TABLE huge (a text, b text, c text) USING retldb');
	my ($state, $message) = sqlstate($node, 'SET retldb.row_store_rows = 0; INSERT INTO huge SELECT v, v, v FROM repeat($$x$$, 370000000) v');
	is($state, '54000', 'a row of more than 1 GB');
	like($message, qr/row is too big: size 1110000012, maximum size/, 'the message says how large');
	is($node->safe_psql('postgres', q(SET retldb.row_store_rows = 0; INSERT INTO huge VALUES (repeat('x', 300000000)); SELECT length(a) FROM huge; DROP TABLE huge)), '300000000', 'of less');
}

# --- row numbers are used up ---
{
	my $last = 2**31 * 256 - 2 * 256;
	my $file = $node->data_dir . '/' . $node->safe_psql('postgres', q(TRUNCATE r; INSERT INTO r SELECT * FROM source; SELECT pg_relation_filepath('r')));

	$node->stop;
	without_checksums($node);
	set_header_field($file, 80, 'Q<', $last - 14 * 256);
	$node->start;
	# room for one row group of 12 * 256 rows
	$node->safe_psql('postgres', q(INSERT INTO r SELECT 100000 + i, 'last', 9 FROM generate_series(1, 3050) i));
	my ($state, $message) = sqlstate($node, 'INSERT INTO r SELECT * FROM source');
	is($state, '54000', 'used up row numbers');
	like($message, qr/table "r" has used up its row numbers/, 'by name');
	is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE n = 9) FROM r'), '13050|3050', 'nothing of the load is there');
	is($node->safe_psql('postgres', q(INSERT INTO r SELECT 0, 'few', 9 FROM generate_series(1, 50); SELECT count(*) FROM r)), '13100', 'rows of the row store need none');
	# the last rows are rows as others
	is($node->safe_psql('postgres', q(
SELECT count(*) FROM r WHERE ctid >= '(4294967000,1)';
UPDATE r SET v = 'updated' WHERE id = 103050;
DELETE FROM r WHERE id = 103049;
SELECT v FROM r WHERE id = 103050;
SELECT count(*), max(ctid) > '(4294967270,0)' FROM r;)), "3000\nupdated\n13099|t", 'the last rows can be read and changed');
	verify_clean($node, 'r', 'used up row numbers');
	is((sqlstate($node, q(CALL retldb.compact('r'))))[0], '54000', 'compaction says it, too');
	$node->safe_psql('postgres', 'VACUUM FULL r');
	is($node->safe_psql('postgres', 'INSERT INTO r SELECT * FROM source; SELECT count(*) FROM r'), '23099', 'VACUUM FULL numbers them anew');
	verify_clean($node, 'r', 'numbered anew');
}
is(log_complaints($node), '', 'nothing bad in the log');

done_testing();
