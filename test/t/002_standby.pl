# Queries on a standby, while the primary is loaded, truncated and vacuumed,
# see what the primary had at the same position of the WAL.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

seed_random();

my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = all
autovacuum_naptime = 1s
retldb.row_store_rows = 100
retldb.row_group_rows = 2000
));
$primary->start;
create_batches($primary);
my $standby = start_standby('standby', $primary, "hot_standby_feedback = on\nmax_standby_streaming_delay = -1");

# a snapshot of the standby, while loads and vacuum go on
my @scripts;
for my $client (1 .. 2)
{
	my $sql = '';
	$sql .= batch_sql($client, $_, n => (5, 800, 4000)[ int rand 3 ]) for 1 .. 40;
	push @scripts, start_script($primary, $sql);
}
push @scripts, start_script($primary, "VACUUM (FREEZE) batches;\nSELECT pg_sleep(0.2);\n" x 20);
for my $look (1 .. 8)
{
	select(undef, undef, undef, 0.4);
	batches_agree($standby, "look $look");
	verify_clean($standby, 'batches', "look $look");
}
finish_script($_) for @scripts;
is(join('', map { $_->{err} } @scripts), '', 'loads raised no error');

# the same answer from both when the standby has caught up, whatever happened
sub compare
{
	my ($what) = @_;
	my $query = q(SELECT count(*), sum(i), md5(string_agg(payload, '' ORDER BY client, batch, i)) FROM batches WHERE day > '2020-02-01');

	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	for my $columnar ('on', 'off')
	{
		my $set = "SET retldb.enable_columnar_scan = $columnar;";
		is($standby->safe_psql('postgres', "$set $query"), $primary->safe_psql('postgres', "$set $query"),
			"$what: same answer, columnar scan $columnar");
	}
	verify_clean($standby, 'batches', $what);
}

compare('after loading');
$primary->safe_psql('postgres', 'BEGIN; TRUNCATE batches; INSERT INTO batches SELECT 1, 1, i FROM generate_series(1, 5000) i; ROLLBACK');
compare('rolled back truncation');
$primary->safe_psql('postgres', 'ALTER TABLE batches ADD COLUMN extra int DEFAULT 5; VACUUM (FREEZE) batches');
compare('added column');
$primary->safe_psql('postgres', q(ALTER TABLE batches DROP COLUMN extra; TRUNCATE batches;
INSERT INTO batches SELECT 1, 1, i, 'x', i, '2021-01-01' FROM generate_series(1, 5000) i));
compare('truncation');
$primary->safe_psql('postgres', 'CREATE UNLOGGED TABLE fleeting (a int) USING retldb; INSERT INTO fleeting SELECT generate_series(1, 3000)');
compare('unlogged table');
my ($state) = sqlstate($standby, 'SELECT count(*) FROM fleeting');
is($state, '0A000', 'unlogged tables cannot be read on a standby');
($state) = sqlstate($standby, q(INSERT INTO batches VALUES (1, 1, 1)));
is($state, '25006', 'a standby cannot be written');

# promotion: the standby goes on as a primary
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT count(*) FROM fleeting'), '0', 'the unlogged table is empty and usable after promotion');
$standby->safe_psql('postgres', 'INSERT INTO fleeting SELECT generate_series(1, 3000)');
is(rows($standby, 'fleeting'), '3000', 'unlogged table loaded after promotion');
verify_clean($standby, 'fleeting', 'promoted');
create_batches($standby);
my $sql = '';
$sql .= batch_sql(1, $_) for 1 .. 10;
finish_script(start_script($standby, $sql));
is(batches_agree($standby, 'promoted'), 10, 'promoted server takes loads');
verify_clean($standby, 'batches', 'promoted');

is(log_complaints($standby), '', 'no complaint in the log of the standby');
done_testing();
