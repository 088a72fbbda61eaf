# Backups of every kind: pg_basebackup during loads, point-in-time recovery,
# pg_rewind, pg_dump and pg_restore, template databases.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

seed_random();

my $primary = new_server('primary', allows_streaming => 1, has_archiving => 1,
	extra => ['--data-checksums'], conf => q(
retldb.row_store_rows = 100
retldb.row_group_rows = 2000
wal_keep_size = 512MB
));
$primary->start;
create_batches($primary);

sub batches
{
	my ($client, $from, $to) = @_;
	my $sql = '';

	$sql .= batch_sql($client, $_) for $from .. $to;
	return $sql;
}

# pg_basebackup during loads
my @scripts = map { start_script($primary, batches($_, 1, 40)) } 1, 2;
select(undef, undef, undef, 0.3);
$primary->backup('loaded', backup_options => ['--checkpoint=fast']);
command_ok([ 'pg_verifybackup', $primary->backup_dir . '/loaded' ], 'backup is verified');
finish_script($_) for @scripts;

my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($primary, 'loaded');
$copy->start;
batches_agree($copy, 'base backup');
verify_clean($copy, 'batches', 'base backup');
$copy->stop;
command_ok([ 'pg_checksums', '--check', '-D', $copy->data_dir ], 'page checksums of the backup are right');

# point-in-time recovery: to a named point between loads
finish_script(start_script($primary, batches(3, 1, 5)));
my $before = $primary->safe_psql('postgres', 'SELECT count(*), sum(i) FROM batches');
$primary->safe_psql('postgres', q(SELECT pg_create_restore_point('here')));
finish_script(start_script($primary, batches(3, 6, 10)));
$primary->safe_psql('postgres', 'TRUNCATE batches, batch_log');
my $needed = $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
ok($primary->poll_query_until('postgres', "SELECT last_archived_wal >= '$needed' FROM pg_stat_archiver"), 'the restore point is archived');

my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($primary, 'loaded', has_restoring => 1, standby => 0);
$restored->append_conf('postgresql.conf', "recovery_target_name = 'here'\nrecovery_target_action = 'promote'");
$restored->start;
$restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or BAIL_OUT('no promotion');
is($restored->safe_psql('postgres', 'SELECT count(*), sum(i) FROM batches'), $before, 'contents of the restore point');
batches_agree($restored, 'restored');
verify_clean($restored, 'batches', 'restored');
finish_script(start_script($restored, batches(4, 1, 5)));
batches_agree($restored, 'restored and loaded');
$restored->stop;

# pg_rewind: the standby is promoted, the old primary goes on, then follows
create_batches($primary);
finish_script(start_script($primary, batches(1, 1, 8)));
$primary->backup('again');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'again', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'archive_mode = off');
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$standby->promote;
$standby->safe_psql('postgres', 'CHECKPOINT');
finish_script(start_script($standby, batches(5, 1, 6)));
finish_script(start_script($primary, batches(6, 1, 9)));
$primary->safe_psql('postgres', 'VACUUM batches');
$primary->stop;
command_ok([ 'pg_rewind', '--debug', '--source-server', $standby->connstr('postgres'), '--target-pgdata', $primary->data_dir ],
	'pg_rewind');
$primary->append_conf('postgresql.conf', 'port = ' . $primary->port . "\nunix_socket_directories = '" . $primary->host
	  . "'\narchive_mode = off\nprimary_conninfo = '" . $standby->connstr . "'");
$primary->set_standby_mode;
$primary->start;
$primary->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '" . $standby->lsn('insert') . "'::pg_lsn");
batches_agree($primary, 'rewound');
verify_clean($primary, 'batches', 'rewound');
is($primary->safe_psql('postgres', 'SELECT DISTINCT client FROM batches ORDER BY 1'), "1\n5", 'rewound: batches of the new primary only');
$primary->stop;

# logical dumps keep contents and access method
my $node = $standby;
my $sum = q(SELECT count(*), md5(string_agg(b::text, ' ' ORDER BY client, batch, i)) FROM batches b);
my $expected = $node->safe_psql('postgres', $sum);
my $dir = PostgreSQL::Test::Utils::tempdir();
for my $format ('custom', 'directory', 'plain')
{
	my $database = "restored_$format";
	$node->command_ok([ 'pg_dump', '-F', $format, '-f', "$dir/$format", '-d', $node->connstr('postgres') ], "pg_dump, $format");
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$node->command_ok($format eq 'plain'
		? [ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/$format", '-d', $node->connstr($database) ]
		: [ 'pg_restore', '-j', '2', '-e', '-d', $node->connstr($database), "$dir/$format" ], "restore, $format");
	is($node->safe_psql($database, $sum), $expected, "contents, $format");
	is($node->safe_psql($database, q(SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'batches')),
		'retldb', "access method, $format");
	is($node->safe_psql($database, q(SELECT count(*) FROM retldb.verify('batches'))), '0', "verification, $format");
}

# template databases
for my $strategy ('wal_log', 'file_copy')
{
	$node->safe_psql('postgres', "CREATE DATABASE copy_$strategy TEMPLATE restored_custom STRATEGY $strategy");
	is($node->safe_psql("copy_$strategy", $sum), $expected, "contents, $strategy");
	is($node->safe_psql("copy_$strategy", q(SELECT count(*) FROM retldb.verify('batches'))), '0', "verification, $strategy");
	$node->safe_psql("copy_$strategy", q(INSERT INTO batches SELECT 7, 7, i FROM generate_series(1, 3000) i));
}
crash_and_restart($node);
for my $strategy ('wal_log', 'file_copy')
{
	is($node->safe_psql("copy_$strategy", 'SELECT count(*) FROM batches WHERE client = 7'), '3000', "loaded, $strategy");
	is($node->safe_psql("copy_$strategy", q(SELECT count(*) FROM retldb.verify('batches'))), '0', "verification after a crash, $strategy");
}
$node->stop;

done_testing();
