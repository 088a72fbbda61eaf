# Rows that serializable transactions have read by an index stay where they are when the
# table is compacted: of whoever may still fail, in the row store and in groups, also if
# they are read while the step is at work; unless that takes too long, or is asked for.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use RetldbTest;

my $node = new_server('main', conf => "autovacuum = off\nretldb.autocompact_naptime = 1\nretldb.autocompact_threshold = 10\nretldb.autocompact_scale_factor = 0\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION retldb');
my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET retldb.enable_columnar_scan = off';
my $locks = q(SELECT string_agg(DISTINCT locktype, ' ') FROM pg_locks WHERE mode = 'SIReadLock' AND relation = 't'::regclass);
# which of some rows, one of each group and two of the row store, are where they were; and how many there are
my $where = q(SELECT (SELECT string_agg(id::text, ' ' ORDER BY id) FROM t JOIN places USING (id) WHERE t.ctid = place), (SELECT count(*) FROM t));
$node->safe_psql('postgres', q(
CREATE TABLE t (id int PRIMARY KEY, v int) USING retldb WITH (autovacuum_enabled = off);
CREATE TABLE places (id int, place tid)));

# three groups and rows of the row store
sub fill
{
	$node->safe_psql('postgres', q(
TRUNCATE t, places;
SET retldb.row_store_rows = 0;
INSERT INTO t SELECT i, 0 FROM generate_series(1, 30) i;
INSERT INTO t SELECT i, 0 FROM generate_series(31, 60) i;
INSERT INTO t SELECT i, 0 FROM generate_series(61, 100) i;
SET retldb.row_store_rows = 1000;
INSERT INTO t SELECT i, 0 FROM generate_series(101, 120) i;
INSERT INTO places SELECT id, ctid FROM t WHERE id IN (7, 50, 80, 110, 115)));
	return;
}
sub reader
{
	my (@ids) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe("$by_index; BEGIN ISOLATION LEVEL SERIALIZABLE");
	is(answer($session, "SELECT v FROM t WHERE id = $_"), '0', "row $_ is read") for @ids;
	return $session;
}
sub compact
{
	$node->safe_psql('postgres', "CALL retldb.compact('t'); VACUUM (TRUNCATE off) t");
	return;
}
sub where_is
{
	my ($expected, $what) = @_;
	is($node->safe_psql('postgres', $where), $expected, $what);
	return;
}

# of the row store
fill();
my $reader = reader(110);
compact();
where_is('110|120', 'the row that was read stays');
is($node->safe_psql('postgres', $locks), 'tuple', 'so does the lock');
compact();
where_is('110|120', 'compacted again');
$reader->query_safe('COMMIT');
compact();
where_is('|120', 'nobody depends on it any more');
$reader->quit;

# of groups
fill();
$reader = reader(50, 7);
compact();
where_is('7 50|120', 'two groups of which rows were read stay');
is($node->safe_psql('postgres', $locks), 'tuple', 'so do the locks');
$reader->query_safe('ROLLBACK');
compact();
where_is('|120', 'all are merged');
$reader->quit;

# read by whoever is prepared, and after a crash
fill();
$reader = reader(50, 110);
$reader->query_safe(q(INSERT INTO t VALUES (1000, 0); PREPARE TRANSACTION 'p'));
$reader->quit;
compact();
where_is('50 110|120', 'a transaction is prepared');
$node->stop('immediate');
$node->start;
compact();
where_is('50 110|120', 'and the server was killed');
$node->safe_psql('postgres', q(COMMIT PREPARED 'p'));
compact();
where_is('|121', 'the transaction is decided');

# moved at once if that is asked for
fill();
$reader = reader(50, 110);
$node->safe_psql('postgres', q(SET retldb.compact_read_rows = on; CALL retldb.compact('t')));
where_is('|120', 'they move if they are to');
is($node->safe_psql('postgres', $locks), 'relation', 'and the table is locked');
$reader->query_safe('COMMIT');
$reader->quit;

# read while compaction writes them: it stops where it makes index entries
$node->safe_psql('postgres', q(
CREATE FUNCTION gate(id int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF id = 115 THEN PERFORM pg_advisory_xact_lock_shared(9); END IF;
	RETURN id;
END $$;
CREATE INDEX t_gate ON t (gate(id))));
my $gate = $node->background_psql('postgres');
my @cases = ([110, 'a row of the row store'], [50, 'a row of a group']);
for my $case (@cases)
{
	my ($id, $what) = @$case;
	fill();
	$gate->query_safe('BEGIN; SELECT pg_advisory_xact_lock(9)');
	my $compaction = start_script($node, "CALL retldb.compact('t');\n");
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory')), 'compaction is at it');
	$reader = reader($id);
	$gate->query_safe('COMMIT');
	finish_script($compaction);
	is($compaction->{err}, '', "$what: compaction is done");
	is($node->safe_psql('postgres', $locks), 'tuple', "$what: its lock stays");
	$node->safe_psql('postgres', 'VACUUM (TRUNCATE off) t');
	where_is("$id|120", "$what: it stays");
	is($node->safe_psql('postgres', "$by_index; SELECT count(*), min(v) FROM t WHERE id = $id"), '1|0', "$what: it is there once");
	verify_clean($node, 't', $what);
	$reader->query_safe('COMMIT');
	$reader->quit;
	compact();
	where_is('|120', "$what: it moves afterwards");
	verify_clean($node, 't', "$what, compacted again");
}
$gate->quit;

# compaction that runs by itself loses its patience
$node->safe_psql('postgres', 'DROP INDEX t_gate');
fill();
$reader = reader(110);
$node->append_conf('postgresql.conf', 'retldb.autocompact = on');
$node->reload;
my $moved = q(SELECT count(*) = 0 FROM t JOIN places USING (id) WHERE t.ctid = place AND id = );
ok($node->poll_query_until('postgres', $moved . 115), 'automatic compaction moves the others');
is($node->safe_psql('postgres', $moved . 110), 'f', 'but not the row that was read');
is($node->safe_psql('postgres', $locks), 'tuple', 'nor its lock');
$node->safe_psql('postgres', 'ALTER TABLE t SET (autocompact_threshold = 1)');
ok($node->poll_query_until('postgres', $moved . 110), 'after a while it moves it, too');
is($node->safe_psql('postgres', $locks), 'relation', 'and locks the table');
$reader->query_safe('COMMIT');
$reader->quit;

# the table as at the beginning, of which automatic compaction knows nothing
sub fill_anew
{
	$node->append_conf('postgresql.conf', 'retldb.autocompact = off');
	# (a worker may be on its way)
	$node->restart;
	$node->safe_psql('postgres', q(
DROP TABLE t;
CREATE TABLE t (id int PRIMARY KEY, v int) USING retldb WITH (autovacuum_enabled = off, autocompact_threshold = 1)));
	fill();
	return;
}
sub begin_automatic
{
	$node->append_conf('postgresql.conf', 'retldb.autocompact = on');
	$node->reload;
	return;
}
my $began;
sub took_ten_naptimes
{
	my ($what) = @_;

	cmp_ok(time - $began, '>=', 9, "$what: after ten naptimes");
	verify_clean($node, 't', $what);
	return;
}

# rows are read each time automatic compaction writes them, and at no other time, until row
# 115 is moved
sub read_each_time
{
	my ($what, @ids) = @_;
	my $readings = 0;
	my $left = 1;
	my $all;

	$node->safe_psql('postgres', 'CREATE INDEX t_gate ON t (gate(id))');
	$gate = $node->background_psql('postgres');
	$gate->query_safe('BEGIN; SELECT pg_advisory_xact_lock(9)');
	begin_automatic();
	$began = time;
	while ($left && time - $began < 180)
	{
		ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory')), 'automatic compaction is at it');
		# a step that was planned when the last reader was still there would leave what he has
		# read, and move the others at once
		my ($worker, $rows) = split /\|/, $node->safe_psql('postgres', q(SELECT pid, step_rows FROM retldb.progress_compact WHERE relid = 't'::regclass));
		$all //= $rows;
		if ($rows < $all)
		{
			$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
			$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $worker");
			next;
		}
		$reader = reader(@ids);
		# it goes on, and is waited for until it has given the step up; the next time it must stop
		# again, so the reader is there until then
		$gate->query_safe('COMMIT');
		$gate->query_safe('BEGIN; SELECT pg_advisory_xact_lock(9)');
		$left = $node->safe_psql('postgres', $moved . 115) eq 'f';
		$reader->query_safe('COMMIT');
		$reader->quit;
		$readings++;
	}
	ok(!$left, "$what: moved in the end");
	cmp_ok($readings, '>', 1, "$what: not the first time, but after $readings");
	$gate->quit;
	took_ten_naptimes($what);
	return;
}

# rows that nobody has read are not held up for ever by a group that is read
fill_anew();
read_each_time('a group is read', 50);

# nor are rows of the row store, of which most are read
fill_anew();
$node->safe_psql('postgres', 'DELETE FROM t WHERE id <= 100');
read_each_time('most rows are read', 105 .. 117);

# patience goes on while there is other work to do: a row that the first step of each run
# leaves, for there always is somebody who has read it, and rows that come after it
fill_anew();
my @readers = map { $node->background_psql('postgres') } 0 .. 1;
my $rounds = 0;
my $left = 1;
$_->query_safe($by_index) for @readers;
while ($left && ($rounds == 0 || time - $began < 180))
{
	# the next one begins before the one before ends, so rows become old enough to be moved
	$readers[ $rounds % 2 ]->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT v FROM t WHERE id = 110');
	if ($rounds == 0)
	{
		begin_automatic();
		$began = time;
	}
	else
	{
		$readers[ ($rounds + 1) % 2 ]->query_safe('COMMIT');
	}
	$node->safe_psql('postgres', "INSERT INTO t SELECT i, 0 FROM generate_series($rounds * 20 + 1001, $rounds * 20 + 1020) i");
	$left = $node->safe_psql('postgres', $moved . 110) eq 'f';
	$rounds++;
	usleep(300_000);
}
ok(!$left, 'a row is moved in the end although others come');
$_->quit for @readers;
took_ten_naptimes('others come');
$node->stop;
done_testing();
