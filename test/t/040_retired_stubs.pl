# Stubs that are just being retired: servers stop replaying WAL between the record that
# marks stubs and the one that tells the map, or before that of the commit.  What reads
# there is a standby; promoted, it has what a crash or an error at that moment leaves.
#
# - readers, with a snapshot from before the marks or not, see all rows,
# - whatever locks and changes rows of a heap table does the same with these,
# - so they do with rows that were moved with the marks of their stubs,
# - the rest is retired, vacuumed and compacted as if nothing had happened.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rows = 6000;
my $group = 3000;    # rows of each of two groups
my $primary = new_server('primary', allows_streaming => 'logical', conf => q(
autovacuum = off
wal_consistency_checking = all
max_standby_streaming_delay = -1
));
$primary->start;
my $difference = make_twins($primary, 'marked', 'marked_heap');
$primary->safe_psql('postgres', qq(
CREATE EXTENSION retldb;
CREATE EXTENSION amcheck;
CREATE TABLE marked (id int PRIMARY KEY, v text, n int) USING retldb WITH (row_store_rows = 0, row_group_rows = $group);
CREATE TABLE marked_heap (id int PRIMARY KEY, v text, n int) USING heap;
CREATE TABLE marked_child (id int REFERENCES marked) USING heap;
CREATE TABLE marked_heap_child (id int REFERENCES marked_heap) USING heap;
CALL on_both('INSERT INTO {t} SELECT i, ''v'' || i, 0 FROM generate_series(1, $rows) i');
-- rows that nobody deletes are referenced
CALL on_both('INSERT INTO {t}_child SELECT i FROM generate_series(1, 200) i');
-- locks of one and of several, and changes that were rolled back
BEGIN;
SELECT count(*) FROM (SELECT FROM marked WHERE id <= $rows - 100 FOR KEY SHARE) x;
SAVEPOINT s;
UPDATE marked SET v = 'undone' WHERE id % 5 = 0 AND id < 1000;
DELETE FROM marked WHERE id % 5 = 1 AND id BETWEEN 201 AND 1000;
ROLLBACK TO s;
COMMIT));
my $locker = $primary->background_psql('postgres');
$locker->query_safe('BEGIN; SELECT count(*) FROM (SELECT FROM marked WHERE id % 3 = 0 FOR KEY SHARE) x');
$primary->safe_psql('postgres', 'SELECT count(*) FROM (SELECT FROM marked WHERE id % 6 = 0 FOR SHARE) x');
$locker->query_safe('COMMIT');
$locker->quit;
# some entries are dead, and some stubs of rows that are
$primary->safe_psql('postgres', "CALL on_both('DELETE FROM {t} WHERE id BETWEEN 2001 AND 2010'); VACUUM marked; CALL on_both('DELETE FROM {t} WHERE id BETWEEN 2011 AND 2020')");

$primary->backup('before');
my $start = $primary->lsn('insert');
$primary->safe_psql('postgres', "SET retldb.retire_stubs = 1; CALL retldb.compact('marked')");
my ($relation) = $primary->safe_psql('postgres', "SELECT '1663/' || oid || '/' || pg_relation_filenode('marked') FROM pg_database WHERE datname = current_database()");
my ($dump) = run_command([ 'pg_waldump', '-p', $primary->data_dir . '/pg_wal', '-s', $start, '-e', $primary->lsn('insert') ]);
# the first step: stubs marked on their pages; the map changed on its own; commit
my (@marks, @maps, $commit);
for my $line (split /\n/, $dump)
{
	next unless $line =~ m{rmgr: (\w+) .* lsn: ([0-9A-F/]+),.*(COMMIT|$relation)};
	push @marks, $2 if $1 eq 'Heap2';
	push @maps, $2 if $1 eq 'Generic' && @marks;
	$commit = $2 if $1 eq 'Transaction' && @maps;
	last if $commit;
}
cmp_ok(@marks, '>', 5, 'stubs are marked on ' . @marks . ' pages');
cmp_ok(@maps, '>', 1, 'which is told on ' . @maps . ' pages of the map');
ok($commit, 'and committed');

# A standby that stops before a record, with a session whose snapshot is from before all.
sub stop_before
{
	my ($name, $lsn) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init_from_backup($primary, 'before');
	$node->set_standby_mode;
	$node->append_conf('postgresql.conf', "recovery_target_lsn = '$lsn'\nrecovery_target_inclusive = off\nrecovery_target_action = pause\nhot_standby = on");
	$node->start;
	my $old = $node->background_psql('postgres');
	my $seen = answer($old, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*), sum(id), sum(n), count(DISTINCT v) FROM marked');
	# WAL of the backup only; now for the rest
	$node->append_conf('postgresql.conf', "primary_conninfo = '" . $primary->connstr . "'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused' AND pg_last_wal_replay_lsn() > '$start'") or die "no pause before $lsn";
	return ($node, $old, $seen);
}

my $sums = 'SELECT count(*), sum(id), sum(n), count(DISTINCT v) FROM marked';
my $by_index = 'SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; ';

# What readers see.
sub readers_see
{
	my ($node, $old, $seen, $what) = @_;

	is($node->safe_psql('postgres', $difference), '0', "$what: the rows are those of the heap table");
	is($node->safe_psql('postgres', $by_index . 'SELECT count(*) FROM generate_series(1, 3000) i WHERE EXISTS (SELECT FROM marked WHERE id = i) <> EXISTS (SELECT FROM marked_heap WHERE id = i)'),
		'0', "$what: by an index as well");
	is(answer($old, $sums), $seen, "$what: and by an older snapshot");
	is(answer($old, $by_index . 'SELECT count(v) FROM marked WHERE id IN (3, 6, 10, 11, 12, 300, 2000, 2021, 2999)'), '9', "$what: by an index, too");
	answer($old, 'RESET enable_seqscan; RESET retldb.enable_columnar_scan');
	verify_clean($node, 'marked', $what);
}

# Rows of row groups as the reader without the library finds them.
sub external_rows
{
	my ($node) = @_;

	$node->safe_psql('postgres', 'CHECKPOINT');
	my $file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('marked')");
	my ($out, $err) = run_command([ 'python3', "$FindBin::RealBin/../reader/read_table.py", '--columns', 'id:int4,v:text,n:int4', $file ]);
	return $err eq '' ? scalar(my @lines = split /\n/, $out) : $err;
}

# The same command on both tables; what comes of it must be equal.
sub same
{
	my ($node, $what, $command) = @_;
	my @results;

	for my $table ('marked', 'marked_heap')
	{
		(my $sql = $command) =~ s/\{t\}/$table/g;
		my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql", extra_params => ['-q']);
		$err =~ s/^psql:.*?: //mg;
		push @results, "$out$err";
	}
	is($results[0], $results[1], "$what: $command");
	isnt($results[0], '', 'which says something') if $command =~ /^SELECT|RETURNING/;
}

# What others do while a transaction has touched rows.
sub same_beside
{
	my ($node, $what, $first, $end, @others) = @_;
	my @sessions = map {
		(my $sql = $first) =~ s/\{t\}/$_/g;
		my $session = $node->background_psql('postgres');
		$session->query_safe($sql);
		$session;
	} 'marked', 'marked_heap';

	same($node, "$what, beside $first", $_) for @others;
	$_->query_safe($end) for @sessions;
	$_->quit for @sessions;
}

# Everything that locks and changes rows, each of which nobody has touched yet.
sub touch_all
{
	my ($node, $what) = @_;
	my @commands = (
		"UPDATE {t} SET n = n + 1 WHERE id = 3 RETURNING *",
		"UPDATE {t} SET id = 10000 + id WHERE id = 203 RETURNING *",
		"UPDATE {t} SET id = 10000 + id WHERE id = 103 RETURNING *",
		"DELETE FROM {t} WHERE id = 204 RETURNING *",
		"DELETE FROM {t} WHERE id = 104 RETURNING *",
		"DELETE FROM {t} WHERE id = 2015",
		"INSERT INTO {t} VALUES (5, 'twice', 0)",
		"INSERT INTO {t} VALUES (205, 'up', 0) ON CONFLICT (id) DO UPDATE SET v = {t}.v || excluded.v RETURNING *",
		"INSERT INTO {t} VALUES (206, 'up', 0) ON CONFLICT DO NOTHING",
		"INSERT INTO {t} SELECT i, 'up', 0 FROM generate_series(210, 260) i ON CONFLICT (id) DO UPDATE SET n = {t}.n + 1 RETURNING *",
		"MERGE INTO {t} USING generate_series(270, 290) s ON id = s WHEN MATCHED AND s % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'merged'",
		"INSERT INTO {t}_child VALUES (207), (208), (2015)",
		"INSERT INTO {t}_child VALUES (207), (208)",
		"DELETE FROM {t} WHERE id = 208 RETURNING *",
		"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {t} WHERE id IN (301, 302, 303) ORDER BY id FOR UPDATE; FETCH 1 FROM c; UPDATE {t} SET v = 'current' WHERE CURRENT OF c RETURNING *; FETCH 1 FROM c; DELETE FROM {t} WHERE CURRENT OF c RETURNING *; COMMIT",
		"BEGIN; SAVEPOINT s; DELETE FROM {t} WHERE id BETWEEN 310 AND 330; ROLLBACK TO s; UPDATE {t} SET v = 'after all' WHERE id BETWEEN 320 AND 340 RETURNING *; COMMIT",
		"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM {t}; UPDATE {t} SET n = 7 WHERE id BETWEEN 350 AND 360 RETURNING *; SELECT sum(n) FROM {t}; COMMIT",
		"BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM {t} WHERE id < 1000; DELETE FROM {t} WHERE id BETWEEN 361 AND 370 RETURNING *; SELECT sum(n) FROM {t}; COMMIT",
		"SELECT count(*) FROM (SELECT FROM {t} WHERE id BETWEEN 400 AND 500 FOR UPDATE SKIP LOCKED) x",
		"SELECT id FROM {t} WHERE id IN (501, 502) ORDER BY id FOR NO KEY UPDATE NOWAIT",
		"BEGIN; DELETE FROM {t} WHERE id <= $group AND id > 200; SELECT count(*), sum(id) FROM {t}; ROLLBACK",
		"BEGIN; UPDATE {t} SET n = n + 1 WHERE id % 2 = 0 AND id BETWEEN 1000 AND 2200; SELECT count(*), sum(n) FROM {t}; COMMIT");

	same($node, $what, $_) for @commands;
	# rows that are locked, or changed, by a transaction that goes on
	same_beside($node, $what, 'BEGIN; SELECT FROM {t} WHERE id IN (601, 602, 603) FOR KEY SHARE; SELECT FROM {t} WHERE id IN (611, 612) FOR UPDATE; UPDATE {t} SET v = v WHERE id = 613; DELETE FROM {t} WHERE id = 614', 'COMMIT',
		'SELECT id FROM {t} WHERE id BETWEEN 600 AND 620 ORDER BY id FOR UPDATE SKIP LOCKED',
		'SELECT id FROM {t} WHERE id BETWEEN 600 AND 620 ORDER BY id FOR KEY SHARE SKIP LOCKED',
		'SELECT id FROM {t} WHERE id = 602 FOR NO KEY UPDATE NOWAIT',
		'SELECT id FROM {t} WHERE id = 602 FOR UPDATE NOWAIT',
		'SELECT id FROM {t} WHERE id = 611 FOR KEY SHARE NOWAIT',
		'SELECT id FROM {t} WHERE id = 613 FOR KEY SHARE NOWAIT',
		'SELECT id FROM {t} WHERE id = 614 FOR KEY SHARE NOWAIT',
		"SET lock_timeout = '20ms'; DELETE FROM {t} WHERE id = 601 RETURNING *",
		"SET lock_timeout = '20ms'; INSERT INTO {t}_child VALUES (611)",
		"INSERT INTO {t}_child VALUES (602), (603)");
	# prepared transactions, and older snapshots
	same_beside($node, $what, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM {t}', 'ROLLBACK',
		"BEGIN; SELECT FROM {t} WHERE id = 701 FOR UPDATE; SELECT FROM {t} WHERE id = 702 FOR KEY SHARE; DELETE FROM {t} WHERE id = 703; PREPARE TRANSACTION '{t}'",
		'SELECT id FROM {t} WHERE id BETWEEN 700 AND 705 ORDER BY id FOR UPDATE SKIP LOCKED',
		'SELECT id FROM {t} WHERE id = 702 FOR SHARE NOWAIT',
		"COMMIT PREPARED '{t}'",
		'SELECT id FROM {t} WHERE id BETWEEN 700 AND 705 ORDER BY id FOR UPDATE SKIP LOCKED');
	my @sessions = map {
		my $session = $node->background_psql('postgres', on_error_stop => 0);
		$session->query("\\set VERBOSITY sqlstate\nBEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*), sum(n) FROM $_");
		$session;
	} 'marked', 'marked_heap';
	same($node, $what, "UPDATE {t} SET v = 'newer' WHERE id BETWEEN 801 AND 810 RETURNING *");
	is(answer($sessions[0], "SELECT id, v FROM marked WHERE id BETWEEN 799 AND 812 ORDER BY id"), answer($sessions[1], "SELECT id, v FROM marked_heap WHERE id BETWEEN 799 AND 812 ORDER BY id"), "$what: an older snapshot sees them as before");
	for my $i (0, 1)
	{
		my $table = ('marked', 'marked_heap')[$i];
		$sessions[$i]->query("UPDATE $table SET v = 'fails' WHERE id = 801");
		like($sessions[$i]->{stderr}, qr/40001/, "$what: and cannot change them ($table)");
		$sessions[$i]->quit;
	}
}

# A group is written anew with its stubs as they are, while somebody has an older snapshot.
sub touch_moved
{
	my ($node, $old, $what) = @_;
	my @before = map { answer($old, $_) } 'BEGIN ISOLATION LEVEL REPEATABLE READ', $sums;
	my $first = 'SELECT min(row_group) FROM retldb.row_groups(\'marked\') WHERE visible';
	my $moved = $node->safe_psql('postgres', $first);

	$node->safe_psql('postgres', "SET retldb.retire_stubs = 1000000; CALL retldb.compact('marked')");
	cmp_ok($node->safe_psql('postgres', $first), '>', $moved, "$what: the group was written anew");
	is($node->safe_psql('postgres', $difference), '0', "$what, moved: the same rows");
	is(answer($old, $sums), $before[1], "$what, moved: and by an older snapshot");
	same($node, "$what, moved", $_) for
	  'UPDATE {t} SET n = n + 1 WHERE id IN (2201, 2203) RETURNING *',
	  'UPDATE {t} SET id = 10000 + id WHERE id = 2205 RETURNING *',
	  'DELETE FROM {t} WHERE id BETWEEN 2211 AND 2220 RETURNING *',
	  "INSERT INTO {t} VALUES (2223, 'up', 0) ON CONFLICT (id) DO UPDATE SET v = {t}.v || excluded.v RETURNING *",
	  'INSERT INTO {t}_child VALUES (2225), (2226)',
	  'DELETE FROM {t} WHERE id = 2225 RETURNING *',
	  'BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE {t} SET n = 9 WHERE id BETWEEN 2231 AND 2240 RETURNING *; SELECT sum(n) FROM {t}; COMMIT';
	same_beside($node, "$what, moved", 'BEGIN; SELECT FROM {t} WHERE id = 2251 FOR KEY SHARE; SELECT FROM {t} WHERE id = 2252 FOR UPDATE; DELETE FROM {t} WHERE id = 2253', 'COMMIT',
		'SELECT id FROM {t} WHERE id BETWEEN 2250 AND 2255 ORDER BY id FOR UPDATE SKIP LOCKED',
		'SELECT id FROM {t} WHERE id = 2251 FOR NO KEY UPDATE NOWAIT',
		'SELECT id FROM {t} WHERE id = 2253 FOR KEY SHARE NOWAIT');
	# from the place where it finds them the older one goes to where they are
	is(answer($old, "UPDATE marked SET v = 'old' WHERE id IN (2260, 2261) RETURNING id, v"), "2260|old\n2261|old", "$what, moved: an older snapshot changes rows");
	is(answer($old, "SELECT count(*), sum(id), count(DISTINCT v) FROM marked WHERE id BETWEEN 2256 AND 2265"), '10|22605|9', "$what, moved: and sees that");
	is($node->safe_psql('postgres', $difference), '0', "$what, moved: others do not");
	answer($old, 'ROLLBACK');
	is($node->safe_psql('postgres', $difference), '0', "$what, moved: rolled back");
	verify_clean($node, 'marked', "$what, moved");
	$node->safe_psql('postgres', 'VACUUM marked');
	is($node->safe_psql('postgres', $difference), '0', "$what, moved: vacuumed");
	verify_clean($node, 'marked', "$what, moved and vacuumed");
}

my %stops = (
	'some pages marked' => $marks[ @marks / 2 ],
	'all pages marked' => $maps[0],
	'a part of the map told' => $maps[-1],
	'not committed' => $commit);
my $n = 0;
for my $what (sort keys %stops)
{
	my ($node, $old, $seen) = stop_before('stop' . ++$n, $stops{$what});
	my $moves = $what =~ /all pages|a part/;

	is($seen, $node->safe_psql('postgres', 'SELECT count(*), sum(id), sum(n), count(DISTINCT v) FROM marked_heap'), "$what: the snapshot is good");
	readers_see($node, $old, $seen, "$what, on a standby");
	$node->promote;
	readers_see($node, $old, $seen, "$what, promoted");
	is(external_rows($node), $rows - 20, "$what: the independent reader finds all rows");

	my $decodes = $node->psql('postgres', "SELECT pg_create_logical_replication_slot('slot', 'test_decoding')") == 0;
	my $from = $node->lsn('insert');
	touch_all($node, $what);
	is($node->safe_psql('postgres', $difference), '0', "$what: the same was changed");
	is(answer($old, $sums), $seen, "$what: the old snapshot does not see it");
	verify_clean($node, 'marked', "$what, changed");
  SKIP:
	{
		skip('no test_decoding', 1) unless $decodes;
		my @decoded = map {
			$node->safe_psql('postgres', "SELECT regexp_replace(data, 'marked_heap|marked', 't') FROM pg_logical_slot_peek_changes('slot', NULL, NULL, 'include-xids', 'off') WHERE data ~ '^table public.$_:'")
		} 'marked', 'marked_heap';
		is($decoded[0], $decoded[1], "$what: the same is decoded");
		$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('slot')");
	}
	$node->safe_psql('postgres', 'VACUUM marked');
	$node->safe_psql('postgres', "SET retldb.retire_stubs = 1; CALL retldb.compact('marked'); VACUUM marked") unless $moves;
	is(answer($old, $sums), $seen, "$what: compacted and vacuumed, it still sees what it saw");
	$old->query_safe('COMMIT');
	touch_moved($node, $old, $what) if $moves;
	$old->quit;

	crash_and_restart($node);
	is($node->safe_psql('postgres', $difference), '0', "$what: after a crash");
	for my $again (1, 2)
	{
		$node->safe_psql('postgres', "SET retldb.retire_stubs = 1; CALL retldb.compact('marked')");
		is($node->safe_psql('postgres', $difference), '0', "$what: compacted");
		$node->safe_psql('postgres', 'VACUUM (FREEZE) marked');
		is($node->safe_psql('postgres', $difference), '0', "$what: vacuumed");
		verify_clean($node, 'marked', $what);
	}
	is($node->safe_psql('postgres', q(SELECT age(relfrozenxid) < 10 AND mxid_age(relminmxid) < 10 FROM pg_class WHERE oid = 'marked'::regclass)), 't', "$what: everything is frozen");
	is($node->psql('postgres', "SELECT bt_index_parent_check('marked_pkey', true)"), 0, "$what: amcheck finds nothing");
	same($node, $what, 'DELETE FROM {t} WHERE id > 2100 AND id NOT IN (SELECT id FROM {t}_child)');
	is($node->safe_psql('postgres', $difference), '0', "$what: deleted");
	is(log_complaints($node), '', "$what: no complaint in the log");
	$node->stop;
}
$primary->stop;

done_testing();
