# Kill the server at random moments of concurrent loads, again and again: what
# was acknowledged is there, what was not is there completely or not at all,
# and a standby has the same in the end.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 12;
my $clients = 3;
seed_random();

my $primary = new_server('primary', allows_streaming => 1, conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum_naptime = 1s
autovacuum_vacuum_insert_threshold = 1000
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.row_store_rows = 100
retldb.row_group_rows = 2000
retldb.vector_rows = 128
));
$primary->start;
$primary->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('standby')");
create_batches($primary);
my $standby = start_standby('standby', $primary, "primary_slot_name = 'standby'");

my %acknowledged;
my $next = 1;

for my $round (1 .. $rounds)
{
	# not for ever the same table
	if ($round % 20 == 0)
	{
		create_batches($primary);
		%acknowledged = ();
	}
	my @scripts;
	for my $client (1 .. $clients)
	{
		my $sql = '';
		$sql .= batch_sql($client, $next++) for 1 .. 60;
		push @scripts, start_script($primary, $sql);
	}
	push @scripts, start_script($primary, "VACUUM batches;\nSELECT pg_sleep(0.05);\nCHECKPOINT;\n" x 50);
	select(undef, undef, undef, 0.1 + rand 1.2);
	crash_and_restart($primary, sub {
		for my $script (@scripts)
		{
			my $out = finish_script($script);
			$acknowledged{"$1|$2"} = 1 while $out =~ /^done (\d+) (\d+)$/mg;
		}
	});
	$primary->safe_psql('postgres', "COMMIT PREPARED '$_'")
	  for split /\n/, $primary->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');

	batches_agree($primary, "round $round");
	my %there = map { $_ => 1 } split /\n/, $primary->safe_psql('postgres', 'SELECT client, batch FROM batch_log');
	my @lost = grep { !$there{$_} } keys %acknowledged;
	is("@lost", '', "round $round: all " . keys(%acknowledged) . ' acknowledged batches are there');
	verify_clean($primary, 'batches', "round $round");
}

# the standby has replayed all of it, each page compared with its image
$primary->safe_psql('postgres', 'VACUUM batches');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
batches_agree($standby, 'standby');
my $checksum = q(SELECT count(*), md5(string_agg(b::text, ' ' ORDER BY client, batch, i)) FROM batches b);
is($standby->safe_psql('postgres', $checksum), $primary->safe_psql('postgres', $checksum), 'standby equals primary');
verify_clean($standby, 'batches', 'standby');
is(log_complaints($standby), '', 'no complaint in the log of the standby');
is(log_complaints($primary), '', 'no complaint in the log of the primary');

done_testing();
