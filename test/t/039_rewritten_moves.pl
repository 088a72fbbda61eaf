# VACUUM FULL and CLUSTER of a table of which rows were moved while transactions keep
# older snapshots: these see, and change, what a heap twin has; it is so on a standby,
# after a crash, and with wal_level = minimal, which logs nothing of the new file.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $contents = 'SELECT count(*), sum(a), sum(n), md5(string_agg(a || v, \',\' ORDER BY a)) FROM ';

# A command of a session for both tables.
sub on_both
{
	my ($session, $sql) = @_;
	for my $table ('r', 'h')
	{
		(my $text = $sql) =~ s/\{t\}/$table/g;
		$session->query_safe($text);
	}
	return;
}

sub same
{
	my ($session, $what) = @_;
	is($session->query_safe($contents . 'r'), $session->query_safe($contents . 'h'), $what);
	is($session->query_safe('SET enable_seqscan = off; SET retldb.enable_columnar_scan = off; SELECT count(*), sum(n) FROM r WHERE a BETWEEN 1 AND 100000; RESET enable_seqscan; RESET retldb.enable_columnar_scan'),
		$session->query_safe('SELECT count(*), sum(n) FROM h WHERE a BETWEEN 1 AND 100000'), "$what, by an index");
	return;
}

# Two tables of which rows were moved out of the row store and out of groups, changed there,
# and copied, while two sessions have older snapshots.
sub move_and_copy
{
	my ($node, $copy) = @_;

	$node->safe_psql('postgres', q(
		DROP TABLE IF EXISTS r, h;
		CREATE TABLE r (a int PRIMARY KEY, v text, n int) USING retldb WITH (row_group_rows = 2000, row_store_rows = 1000, order_by = 'n');
		CREATE TABLE h (a int PRIMARY KEY, v text, n int) USING heap;
		ALTER TABLE r ALTER v SET STORAGE EXTERNAL;
		CREATE INDEX r_n ON r (n);
		INSERT INTO h SELECT i, repeat('v' || i, CASE WHEN i % 50 = 0 THEN 800 ELSE 1 END), i * 7919::bigint % 10007 FROM generate_series(1, 6500) i));
	# to groups, one of them small, and to the row store
	$node->safe_psql('postgres', "INSERT INTO r SELECT * FROM h WHERE a BETWEEN $_") for '1 AND 2900', '2901 AND 4300', '4301 AND 5600', '5601 AND 6500';
	my @old = map { $node->background_psql('postgres') } 1 .. 2;
	$_->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class') for @old;
	my $other = $node->background_psql('postgres');
	on_both($other, 'DELETE FROM {t} WHERE a % 7 = 3');
	$node->safe_psql('postgres', 'VACUUM r');
	$node->safe_psql('postgres', "CALL retldb.compact('r')");
	cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM retldb.row_groups('r') WHERE NOT visible"), '>', 0, "$copy: rows were moved");
	on_both($other, "UPDATE {t} SET v = v || ' changed' WHERE a % 11 = 4");
	on_both($other, 'UPDATE {t} SET a = a + 50000 WHERE a % 13 = 5');
	on_both($other, 'DELETE FROM {t} WHERE n BETWEEN 3000 AND 3300');
	$node->safe_psql('postgres', $copy);
	verify_clean($node, 'r', $copy);
	same($_, "$copy: an older snapshot sees the same") for @old;
	same($other, "$copy: and so does a new one");
	$other->quit;
	return @old;
}

# The sessions with older snapshots change rows that nobody else has changed.
sub change_and_end
{
	my ($node, $what, @old) = @_;
	my @untouched = map { "a % 7 <> 3 AND a % 11 <> 4 AND a % 13 <> 5 AND n NOT BETWEEN 3000 AND 3300 AND a % 4 = $_" } 0 .. 3;

	on_both($old[0], "UPDATE {t} SET v = v || ' old' WHERE $untouched[0]");
	on_both($old[0], "DELETE FROM {t} WHERE $untouched[1]");
	on_both($old[1], "INSERT INTO {t} SELECT a, 'upserted', 1 FROM {t} WHERE $untouched[2] ON CONFLICT (a) DO UPDATE SET v = {t}.v || excluded.v");
	same($old[0], "$what: changes are seen");
	same($old[1], "$what: also those of an upsert");
	$old[0]->query_safe('COMMIT');
	on_both($old[1], "UPDATE {t} SET n = n + 1 WHERE $untouched[2]");
	same($old[1], "$what: others' changes are not");
	$old[1]->query_safe('COMMIT');
	$_->quit for @old;
	is($node->safe_psql('postgres', $contents . 'r'), $node->safe_psql('postgres', $contents . 'h'), "$what: committed");
	verify_clean($node, 'r', "$what: committed");
	return;
}

my $primary = new_server('primary', allows_streaming => 1, conf => "autovacuum = off\nwal_keep_size = 2GB\nwal_consistency_checking = all");
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION retldb; CREATE EXTENSION amcheck');
my $standby = start_standby('standby', $primary);

for my $copy ('VACUUM FULL r', 'CLUSTER r USING r_n')
{
	my @old = move_and_copy($primary, $copy);
	is($primary->safe_psql('postgres', "SELECT bt_index_parent_check(c, true) FROM unnest(ARRAY['r_pkey', 'r_n']::regclass[]) c"), "\n", "$copy: amcheck finds nothing");
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	is($standby->safe_psql('postgres', $contents . 'r'), $primary->safe_psql('postgres', $contents . 'h'), "$copy: the standby has the same");
	verify_clean($standby, 'r', "$copy: standby");
	change_and_end($primary, $copy, @old);
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	is($standby->safe_psql('postgres', $contents . 'r'), $primary->safe_psql('postgres', $contents . 'h'), "$copy: changed, on the standby");
	$primary->safe_psql('postgres', "CALL retldb.compact('r'); VACUUM r");
	is($primary->safe_psql('postgres', $contents . 'r'), $primary->safe_psql('postgres', $contents . 'h'), "$copy: compacted again");
	verify_clean($primary, 'r', "$copy: compacted again");
}

# a crash after it
my @lost = move_and_copy($primary, 'VACUUM FULL r');
$primary->stop('immediate');
$primary->start;
is($primary->safe_psql('postgres', $contents . 'r'), $primary->safe_psql('postgres', $contents . 'h'), 'after a crash');
verify_clean($primary, 'r', 'after a crash');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
verify_clean($standby, 'r', 'after a crash, standby');
$standby->promote;
is($standby->safe_psql('postgres', "UPDATE r SET v = v || '!' WHERE a % 3 = 0; UPDATE h SET v = v || '!' WHERE a % 3 = 0; CALL retldb.compact('r'); VACUUM r; " . $contents . 'r'),
	$standby->safe_psql('postgres', $contents . 'h'), 'the standby goes on with it');
verify_clean($standby, 'r', 'promoted');
is(log_complaints($standby), '', 'no complaint in the log of the standby');
is(log_complaints($primary), '', 'no complaint in the log of the primary');
$standby->stop;
$primary->stop;

my $minimal = new_server('minimal', conf => "autovacuum = off\nwal_level = minimal\nmax_wal_senders = 0");
$minimal->start;
$minimal->safe_psql('postgres', 'CREATE EXTENSION retldb');
change_and_end($minimal, 'minimal', move_and_copy($minimal, 'VACUUM FULL r'));
@lost = move_and_copy($minimal, 'CLUSTER r USING r_n');
$minimal->stop('immediate');
$minimal->start;
is($minimal->safe_psql('postgres', $contents . 'r'), $minimal->safe_psql('postgres', $contents . 'h'), 'minimal: after a crash');
verify_clean($minimal, 'r', 'minimal: after a crash');
$minimal->stop;

done_testing();
