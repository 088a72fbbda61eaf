# Transaction ids are used up, by steps of two thousand millions, until they have
# gone round: rows in row groups, touched ones and those of the row store are
# frozen in time by autovacuum, and stay what they are.  A heap twin says what is
# right.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $round_trip = 2**32;
my $step = 2_000_000_000;

my $node = new_server('wraparound', conf => q(
autovacuum = off
autovacuum_naptime = 1s
autovacuum_vacuum_cost_delay = 0
retldb.row_store_rows = 50
retldb.row_group_rows = 2000
retldb.vector_rows = 128
));
$node->start;
$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE r (id int, v text, n int) USING retldb;
CREATE TABLE h (id int, v text, n int) USING heap;
CREATE TABLE quiet (id int, v text) USING retldb;
INSERT INTO quiet SELECT i, 'quiet ' || i FROM generate_series(1, 5000) i;
DELETE FROM quiet WHERE id % 100 = 0;
CREATE TABLE locked (id int, v text) USING retldb;
INSERT INTO locked SELECT i, 'locked ' || i FROM generate_series(1, 4000) i;
));
my $difference = make_twins($node, 'r', 'h');
my $quiet = 'SELECT count(*), sum(id), min(v), max(v) FROM quiet';
my $expected = $node->safe_psql('postgres', $quiet);
my $locked = 'SELECT count(*), sum(id), min(v), max(v) FROM locked';
my $locked_expected = $node->safe_psql('postgres', $locked);

# Rows with every kind of history: committed, aborted, touched, locked by
# several (multixacts), in subtransactions, dead.
sub history
{
	my ($number) = @_;
	my $base = $number * 10000;

	$node->safe_psql('postgres', qq(
CALL on_both('INSERT INTO {t} SELECT i, ''round $number'', 0 FROM generate_series($base, $base + 5999) i');
BEGIN;
CALL on_both('INSERT INTO {t} SELECT i, ''undone'', 0 FROM generate_series(1, 4000) i');
CALL on_both('DELETE FROM {t} WHERE id % 5 = 0');
ROLLBACK;
BEGIN;
CALL on_both('DELETE FROM {t} WHERE id % 53 = 0');
SAVEPOINT s;
CALL on_both('UPDATE {t} SET n = n + 1 WHERE id % 31 = 0');
SAVEPOINT t;
CALL on_both('DELETE FROM {t} WHERE id % 3 = 0');
ROLLBACK TO t;
RELEASE s;
COMMIT;
BEGIN;
SELECT count(*) FROM (SELECT FROM r WHERE id % 41 = 0 FOR KEY SHARE) l;
SAVEPOINT s;
CALL on_both('UPDATE {t} SET v = v || ''+'' WHERE id % 41 = 0');
COMMIT;
BEGIN;
SELECT count(*) FROM (SELECT FROM r WHERE id % 43 = 0 FOR KEY SHARE) l;
SAVEPOINT s;
SELECT count(*) FROM (SELECT FROM r WHERE id % 43 = 0 FOR SHARE) l;
CALL on_both('UPDATE {t} SET v = v || ''-'' WHERE id % 43 = 0');
ROLLBACK TO s;
COMMIT;
));
	# stubs that are retired, and left there, of rows that were locked by one or several
	my $other = $node->background_psql('postgres');
	$other->query_safe("BEGIN; SELECT count(*) FROM (SELECT FROM locked WHERE id % 4 = $number % 4 FOR KEY SHARE) l");
	$node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT FROM locked WHERE id % 3 = 0 FOR SHARE) l');
	$other->query_safe('COMMIT');
	$other->quit;
	$node->safe_psql('postgres', "SET retldb.retire_stubs = 1; CALL retldb.compact('locked')");
	$node->safe_psql('postgres', "SELECT count(*) FROM (SELECT FROM locked WHERE id % 7 = $number % 7 FOR UPDATE) l");
}

# What is right is right in every way of reading, and sound.
sub check
{
	my ($what) = @_;

	is($node->safe_psql('postgres', $difference), '0', "$what: equal");
	is($node->safe_psql('postgres', "SET retldb.enable_columnar_scan = off; $difference"), '0', "$what: equal, without columnar scans");
	is($node->safe_psql('postgres', $quiet), $expected, "$what: the table that nobody changes");
	is($node->safe_psql('postgres', $locked), $locked_expected, "$what: the table of which rows are only locked");
	verify_clean($node, $_, $what) for 'r', 'quiet', 'locked';
}

# A file of pages of zeroes, where PostgreSQL looks up a transaction or multixact.
sub make_segment
{
	my ($file) = @_;

	return if -e $file;
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle "\0" x (32 * 8192);
	close $handle or die "$file: $!";
}

# Go on with another transaction id (of 64 bits) and multixact id.
sub set_next_ids
{
	my ($xid, $multi) = @_;
	my ($age, $multi_age, $next, $next_multi) = split /\|/, $node->safe_psql('postgres', q(
SELECT max(age(datfrozenxid)), max(mxid_age(datminmxid)), pg_snapshot_xmax(pg_current_snapshot()),
       (SELECT next_multixact_id FROM pg_control_checkpoint()) FROM pg_database));
	my $data = $node->data_dir;
	my $low = $xid % $round_trip;

	# the control file has the multixact id as of the last checkpoint
	$node->stop;
	my ($control) = run_command([ 'pg_controldata', $data ]);
	($next_multi) = $control =~ /NextMultiXactId:\s+(\d+)/;
	my ($oldest_multi) = $control =~ /oldestMultiXid:\s+(\d+)/;
	make_segment(sprintf '%s/pg_xact/%04X', $data, $low / (8192 * 4 * 32));
	make_segment(sprintf '%s/pg_multixact/offsets/%04X', $data, $multi / (2048 * 32));
	system_or_bail('pg_resetwal', '-D', $data, '-x', $low, '-e', int($xid / $round_trip), '-u', ($next - $age) % $round_trip,
		'-m', "$multi,$oldest_multi");
	$node->start;
}

# Wait until autovacuum has frozen everything, template0 included.
sub wait_for_autovacuum
{
	my ($what) = @_;

	$node->append_conf('postgresql.conf', 'autovacuum = on');
	$node->reload;
	ok($node->poll_query_until('postgres', q(SELECT max(age(datfrozenxid)) < 1000000000 AND max(mxid_age(datminmxid)) < 1000000000 FROM pg_database)),
		"$what: autovacuum has frozen all databases");
	is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_class WHERE relname IN ('r', 'quiet', 'locked')
		AND age(relfrozenxid) < 100000000 AND mxid_age(relminmxid) < 100000000)), '3', "$what: tables too");
	$node->append_conf('postgresql.conf', 'autovacuum = off');
	$node->reload;
}

my $xid = $node->safe_psql('postgres', 'SELECT pg_current_xact_id()');
my $first = $node->safe_psql('postgres', 'SELECT min(writer_xid::text::bigint) FROM retldb.row_groups($$quiet$$)');
my $multi = 1;
for my $round (1 .. 3)
{
	history($round);
	check("round $round");
	$xid += $step;
	$multi = ($multi + $step) % $round_trip;
	my $log = -s $node->logfile;
	set_next_ids($xid, $multi);
	check("round $round, $xid");
	# before anything is frozen: old and new ids side by side
	history($round + 10);
	check("round $round, $xid, more changes");
	wait_for_autovacuum("round $round");
	check("round $round, frozen");
	like(slurp_file($node->logfile, $log), qr/bypassing nonessential maintenance of table "postgres\.public\.$_"/,
		"round $round: the failsafe was taken for $_") for 'r', 'quiet';
}
cmp_ok($node->safe_psql('postgres', 'SELECT pg_current_xact_id()'), '>', $round_trip, 'ids have gone round');
cmp_ok($node->safe_psql('postgres', 'SELECT max(writer_xid::text::bigint) FROM retldb.row_groups($$r$$)'), '>', $round_trip, 'row groups know that');
is($node->safe_psql('postgres', 'SELECT min(writer_xid::text::bigint) FROM retldb.row_groups($$quiet$$)'), $first, 'and the old ones their age');

# Transactions that have the ids of those that wrote the frozen row groups, one
# round later.
$node->safe_psql('postgres', "VACUUM FREEZE $_") for 'r', 'quiet', 'locked';
$node->safe_psql('postgres', 'VACUUM FREEZE');
$node->safe_psql($_, 'VACUUM FREEZE') for 'template1';
set_next_ids($first + 2 * $round_trip, ($multi + 1000) % $round_trip);
my $same = start_script($node, "BEGIN;\nINSERT INTO quiet VALUES (0, 'of the same id');\nSELECT pg_current_xact_id();\nSELECT pg_sleep(2);\nROLLBACK;\n");
$node->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')));
check('same id in progress');
is($node->safe_psql('postgres', q(SET lock_timeout = '1s'; DELETE FROM quiet WHERE id = 5; UPDATE quiet SET v = 'x' WHERE id = 6; SELECT count(*) FROM quiet WHERE id < 8)), '6', 'and not in the way');
is(finish_script($same) =~ /^(\d+)$/m && $1 % $round_trip >= $first % $round_trip && $1 % $round_trip < $first % $round_trip + 10, 1, 'ids are the same again');
is($node->safe_psql('postgres', q(SELECT count(*) FROM quiet WHERE id < 8)), '6', 'same id rolled back');
$node->safe_psql('postgres', "INSERT INTO quiet VALUES (5, 'quiet 5'); DELETE FROM quiet WHERE id = 6; INSERT INTO quiet VALUES (6, 'quiet 6')");
check('same id rolled back');

# what rewrites or moves rows
history(20);
$node->safe_psql('postgres', 'CALL retldb.compact()');
check('compacted');
$node->safe_psql('postgres', 'VACUUM FULL r; VACUUM FULL quiet');
check('VACUUM FULL');
$node->safe_psql('postgres', q(CALL retldb.convert('quiet', 'heap'); CALL retldb.convert('quiet')));
check('converted');
crash_and_restart($node);
check('after a crash');
is(log_complaints($node), '', 'nothing bad in the log');

done_testing();
