# Databases that are copies of a template have its tables, whichever way they are
# copied, after a crash and on a standby, and lead a life of their own.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = int(($ENV{RETLDB_CRASH_ROUNDS} || 8) / 2) || 1;
seed_random();

my $primary = new_server('template', allows_streaming => 1, conf => q(
allow_in_place_tablespaces = on
autovacuum = off
retldb.row_store_rows = 100
retldb.row_group_rows = 3000
retldb.vector_rows = 128
));
$primary->start;
$primary->safe_psql('postgres', q(SELECT pg_create_physical_replication_slot('standby', true)));
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('template_standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "primary_slot_name = 'standby'");
$standby->start;

# rows of every kind: in row groups, touched, dead, in the row store, aborted
$primary->safe_psql('postgres', 'CREATE DATABASE source');
$primary->safe_psql('source', q(
CREATE EXTENSION retldb;
CREATE TABLE t (i int, v text, large text) USING retldb;
INSERT INTO t SELECT i, md5(i::text), CASE WHEN i % 4000 = 0 THEN repeat(md5(i::text), 2000) END FROM generate_series(1, 20000) i;
BEGIN;
INSERT INTO t SELECT i, 'undone' FROM generate_series(1, 5000) i;
ROLLBACK;
UPDATE t SET v = 'updated' WHERE i % 100 = 0;
DELETE FROM t WHERE i % 77 = 0;
SELECT count(*) FROM (SELECT FROM t WHERE i % 500 = 1 FOR SHARE) l;
ALTER TABLE t ADD COLUMN later int DEFAULT 4;
CREATE UNLOGGED TABLE u (i int, v text) USING retldb;
INSERT INTO u SELECT i, 'u' || i FROM generate_series(1, 7000) i;
CREATE MATERIALIZED VIEW m USING retldb AS SELECT i % 100 AS k, count(*) AS n FROM t GROUP BY 1;
));
my $contents = q(SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY i, v)) FROM t);
my $sums = 'SELECT (SELECT count(*) FROM u), (SELECT sum(n) FROM m)';
my $sound = q(SELECT count(*) FROM retldb.tables, retldb.verify(name));
my %expected = map { $_ => $primary->safe_psql('source', $_) } ($contents, $sums, $sound);

# Does a database have what the template has?  Unlogged tables are empty after a
# crash, and cannot be read on a standby.
sub check
{
	my ($node, $database, $what, %state) = @_;

	is($node->safe_psql($database, $contents), $expected{$contents}, "$what: rows");
	is($node->safe_psql($database, $sums), $state{crashed} ? '0|' . (split /\|/, $expected{$sums})[1] : $expected{$sums}, "$what: other tables")
	  if $node == $primary;
	is($node->safe_psql($database, $sound), '0', "$what: sound");
}

check($primary, 'source', 'template');
for my $strategy ('wal_log', 'file_copy')
{
	my $copy = "copy_$strategy";

	# (crashes empty it)
	$primary->safe_psql('source', q(TRUNCATE u; INSERT INTO u SELECT i, 'u' || i FROM generate_series(1, 7000) i));
	$primary->safe_psql('postgres', "CREATE DATABASE $copy TEMPLATE source STRATEGY $strategy");
	check($primary, $copy, $copy);
	$primary->wait_for_catchup($standby);
	check($standby, $copy, "$copy, standby");

	# a life of its own
	$primary->safe_psql($copy, q(
UPDATE t SET v = 'own' WHERE i % 13 = 0;
DELETE FROM t WHERE i < 500;
INSERT INTO t SELECT i, 'own' FROM generate_series(1, 4000) i;
CALL retldb.compact('t');
VACUUM t;
TRUNCATE u;
REFRESH MATERIALIZED VIEW m;));
	my $own = $primary->safe_psql($copy, $contents);
	isnt($own, $expected{$contents}, "$copy: changed");
	is($primary->safe_psql($copy, $sound), '0', "$copy: sound when changed");
	check($primary, 'source', "$copy: template");
	crash_and_restart($primary);
	is($primary->safe_psql($copy, $contents), $own, "$copy: changes survive a crash");
	is($primary->safe_psql($copy, $sound), '0', "$copy: sound after the crash");
	$primary->wait_for_catchup($standby);
	is($standby->safe_psql($copy, $contents), $own, "$copy: and are on the standby");
	is($standby->safe_psql($copy, $sound), '0', "$copy: sound on the standby");

	# killed right after it, and in the middle
	my $crashed = "crashed_$strategy";
	$primary->safe_psql('postgres', "CREATE DATABASE $crashed TEMPLATE source STRATEGY $strategy");
	crash_and_restart($primary);
	check($primary, $crashed, $crashed, crashed => 1);
	$primary->wait_for_catchup($standby);
	check($standby, $crashed, "$crashed, standby");
	for my $round (1 .. $rounds)
	{
		my $script = start_script($primary, join '', map { "CREATE DATABASE \"round_${strategy}_${round}_$_\" TEMPLATE source STRATEGY $strategy;\n" } 1 .. 20);

		select(undef, undef, undef, 0.1 + rand 0.6);
		crash_and_restart($primary, sub { finish_script($script) });
		check($primary, $_, "$strategy, killed in round $round: $_", crashed => 1)
		  for split /\n/, $primary->safe_psql('postgres', "SELECT datname FROM pg_database WHERE datname LIKE 'round\\_${strategy}\\_${round}\\_%' ORDER BY 1 DESC LIMIT 2");
		$primary->safe_psql('postgres', qq(DROP DATABASE "$_"))
		  for split /\n/, $primary->safe_psql('postgres', "SELECT datname FROM pg_database WHERE datname LIKE 'round%'");
	}
}

# moved to another tablespace, and copied from there
$primary->safe_psql('postgres', q(CREATE TABLESPACE elsewhere LOCATION ''));
$primary->safe_psql('postgres', 'ALTER DATABASE source SET TABLESPACE elsewhere');
check($primary, 'source', 'moved', crashed => 1);
$primary->safe_psql('postgres', 'CREATE DATABASE back TEMPLATE source TABLESPACE pg_default');
check($primary, 'back', 'copied from another tablespace', crashed => 1);
$primary->wait_for_catchup($standby);
check($standby, 'source', 'moved, standby');
check($standby, 'back', 'copied from another tablespace, standby');

# the standby as the new primary
$standby->promote;
check($standby, 'source', 'promoted');
is($standby->safe_psql('source', 'INSERT INTO t SELECT i FROM generate_series(1, 4000) i; ' . $sound), '0', 'promoted: written');
is($standby->safe_psql('source', 'INSERT INTO u VALUES (1); SELECT count(*) FROM u'), '1', 'promoted: unlogged tables begin anew');
is(log_complaints($_), '', 'nothing bad in the log') for $primary, $standby;

done_testing();
