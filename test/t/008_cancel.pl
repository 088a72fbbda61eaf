# Loads, queries and maintenance that are cancelled, time out or lose their
# session leave nothing behind.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

seed_random();

my $node = new_server('cancelled', conf => q(
autovacuum = off
retldb.row_store_rows = 50
retldb.row_group_rows = 3000
restart_after_crash = on
));
$node->start;
$node->safe_psql('postgres', q(CREATE EXTENSION retldb;
CREATE TABLE t (a int, b text) USING retldb;
INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 10000) i;));
my $sum = 'SELECT count(*), sum(a), min(b), max(b) FROM t';
my $before = $node->safe_psql('postgres', $sum);

my %work = (
	insert => 'INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 10000000) i',
	# (the signal is sent to the program, too, which must not end before the command does)
	copy => q(COPY t FROM PROGRAM $$trap '' INT; exec perl -e 'printf(qq(%d\t%d\n), $_, $_) for 1 .. 10000000'$$),
	create => 'CREATE TABLE u USING retldb AS SELECT i, md5(i::text) FROM generate_series(1, 10000000) i',
	query => 'SELECT count(*) FROM t x, t y WHERE x.b < y.b',
	verify => q(SELECT retldb.verify('t') FROM generate_series(1, 1000000)),
);

for my $name (sort keys %work)
{
	# statement_timeout
	for my $round (1 .. 3)
	{
		# the program must have had time to protect itself from the signal
		my $ms = ($name eq 'copy' ? 500 : 20) + int rand 400;
		my $state;
		for (1 .. 6)
		{
			($state) = sqlstate($node, "SET statement_timeout = $ms; $work{$name}");
			last unless $name eq 'copy' && $state eq '38000';
			$ms *= 3;
		}
		is($state, '57014', "$name: timeout after $ms ms");
	}

	# a cancel request, then a termination, of another session
	for my $function ('pg_cancel_backend', 'pg_terminate_backend')
	{
		my $script = start_script($node, "SET application_name = 'victim';\n$work{$name};\n");
		$node->poll_query_until('postgres',
			q(SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active' AND query NOT LIKE 'SET%'));
		# rows of the program come when it has protected itself
		$node->poll_query_until('postgres', 'SELECT tuples_processed > 0 FROM pg_stat_progress_copy') if $name eq 'copy';
		select(undef, undef, undef, rand 0.4);
		$node->safe_psql('postgres', "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
		finish_script($script);
		like($script->{err}, qr/canceling statement|terminating connection/, "$name: $function");
	}
	is($node->safe_psql('postgres', $sum), $before, "$name: nothing has changed");
	verify_clean($node, 't', $name);
}

# the session that was cancelled goes on
$node->safe_psql('postgres', "BEGIN; SAVEPOINT s; SET statement_timeout = 100;\n\\set ON_ERROR_STOP off\n$work{insert};\n\\set ON_ERROR_STOP on\n"
	  . 'ROLLBACK TO s; SET statement_timeout = 0; INSERT INTO t SELECT 1, \'after\' FROM generate_series(1, 5000); COMMIT');
is($node->safe_psql('postgres', q(SELECT count(*), count(*) FILTER (WHERE b = 'after') FROM t)), '15000|5000', 'the same session loads');
verify_clean($node, 't', 'same session');

# a session that is killed takes all others with it, but no data
my $checkpointer = $node->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'));
my $script = start_script($node, "SET application_name = 'victim';\n$work{insert};\n");
$node->poll_query_until('postgres', q(SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'));
select(undef, undef, undef, 0.3);
kill 'KILL', $node->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE application_name = 'victim'));
finish_script($script);
# until the others are gone as well
$node->poll_query_until('postgres', "SELECT pid <> $checkpointer FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
is(rows($node, 't'), '15000', 'after a killed session');
verify_clean($node, 't', 'killed session');

# vacuum takes up what the failed loads left, also when cancelled itself
for my $round (1 .. 5)
{
	sqlstate($node, "SET statement_timeout = 200; $work{insert}");
	sqlstate($node, 'SET statement_timeout = ' . (1 + int rand 5) . '; VACUUM (FREEZE) t');
}
$node->safe_psql('postgres', 'VACUUM t');
my $size = $node->safe_psql('postgres', q(SELECT pg_relation_size('t')));
for my $round (1 .. 5)
{
	sqlstate($node, "SET statement_timeout = 200; $work{insert}");
	$node->safe_psql('postgres', 'VACUUM t');
}
cmp_ok($node->safe_psql('postgres', q(SELECT pg_relation_size('t'))), '<=', $size * 4 + 1_000_000, 'the table does not grow from failed loads');
is(rows($node, 't'), '15000', 'after vacuum');
verify_clean($node, 't', 'after vacuum');
# vacuum that is cancelled while it gives pages of the row store to groups loses none of
# them: pages without a tuple first, then a directory, so that there is a slot for them
$node->safe_psql('postgres', $_) foreach
	'CREATE TABLE bare (a int, b text) USING retldb WITH (row_store_rows = 1000000)',
	q(INSERT INTO bare SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 100000) i),
	q(INSERT INTO bare SELECT -i, 'last rows' FROM generate_series(1, 10) i),
	'DELETE FROM bare WHERE a > 0', 'VACUUM (TRUNCATE off) bare',
	'ALTER TABLE bare SET (row_store_rows = 50)',
	q(INSERT INTO bare SELECT i, 'a group' FROM generate_series(1, 3000) i);
my $row_store = q(SELECT row_store_pages FROM retldb.table_info('bare'));
cmp_ok($node->safe_psql('postgres', $row_store), '>', 8000, 'bare pages belong to the row store');
my $cancelled = 0;
for my $ms (map { 2 * $_ } 1 .. 500)
{
	my ($state) = sqlstate($node, "SET statement_timeout = $ms; VACUUM (TRUNCATE off) bare");
	last unless $state;
	$cancelled++;
}
note("cancelled $cancelled times");
my $free = $node->safe_psql('postgres', q(SELECT free_pages FROM retldb.table_info('bare')));
cmp_ok($free, '>', 0, 'groups have free pages');
# what they did not get has room for rows; a page holds twelve
my $rows = 12 * ($node->safe_psql('postgres', $row_store) - 300);
my $pages = q(SELECT pages FROM retldb.table_info('bare'));
my $all = $node->safe_psql('postgres', $pages);
note("$free pages are free, $rows rows for the others");
$node->safe_psql('postgres', 'ALTER TABLE bare SET (row_store_rows = 1000000)');
$node->safe_psql('postgres', "INSERT INTO bare SELECT -i, repeat(md5(i::text), 20) FROM generate_series(1, $rows) i") if $rows > 0;
cmp_ok($node->safe_psql('postgres', $pages), '<=', $all, 'no page is lost');
$node->safe_psql('postgres', q(DELETE FROM bare WHERE length(b) > 100));
is(rows($node, 'bare'), '3010', 'bare: rows');
verify_clean($node, 'bare', 'cancelled vacuums');
is(log_complaints($node), '', 'no complaint in the log');

done_testing();
