# Row groups are not decoded.  Where the server did not know of a slot whose plugin may
# need their rows, decoding fails instead of passing over them; and it knows of slots of
# standbys that tell it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $primary = new_server('primary', allows_streaming => 'logical', conf => q(
autovacuum = off
retldb.row_store_rows = 100
));
$primary->start;
$primary->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE t (id int) USING retldb;
CREATE TABLE h (id int) USING heap;
CREATE PUBLICATION p FOR TABLE h));

my $load = 'INSERT INTO t SELECT generate_series(1, 3000)';

# Load the table: do the rows go to row groups?
sub loads_into_groups
{
	my ($what, $want) = @_;
	my $before = $primary->safe_psql('postgres', "SELECT count(*) FROM retldb.row_groups('t')");

	$primary->safe_psql('postgres', $load);
	is($primary->safe_psql('postgres', "SELECT count(*) > $before FROM retldb.row_groups('t')"), $want, $what);
}

# What a slot gets: insertions by table, and others.  Options are test_decoding's, settings come before.
sub changes
{
	my ($node, $slot, $options, $settings) = @_;
	my ($code, $out, $err) = $node->psql('postgres', ($settings // '') . qq(;
SELECT string_agg(format('%s %s', name, count), ', ' ORDER BY name) FROM (
    SELECT coalesce(substring(data, 'public.(\\w+): INSERT'), 'other') AS name, count(*)
      FROM pg_logical_slot_get_changes('$slot', NULL, NULL, 'include-xids', 'off' $options) WHERE data !~ '^(BEGIN|COMMIT)' GROUP BY 1) c));

	return $err || $out;
}

my $missing = qr/ERROR:  rows of table public\.t are missing in the changes of transaction \d+ for replication slot "\w+"/;

# a copy of a slot gets another plugin
$primary->safe_psql('postgres', qq(
SELECT pg_create_logical_replication_slot('publication', 'pgoutput');
SELECT pg_create_logical_replication_slot('source', 'pgoutput');
BEGIN; $load; ROLLBACK;
BEGIN; INSERT INTO h VALUES (1); SAVEPOINT a; $load; ROLLBACK TO a; COMMIT;
VACUUM FULL t;
SELECT pg_copy_logical_replication_slot('source', 'copy', false, 'test_decoding')));
is(changes($primary, 'copy', ''), 'h 1', 'loads that are rolled back are not missing');
$primary->safe_psql('postgres', "SELECT pg_drop_replication_slot('copy')");
loads_into_groups('the slots that are left keep nothing in the row store', 't');
$primary->safe_psql('postgres', "INSERT INTO h VALUES (2); SELECT pg_logical_emit_message(true, 'mine', 'said')");
$primary->safe_psql('postgres', "SELECT pg_copy_logical_replication_slot('source', 'copy', false, 'test_decoding')");
my $error = changes($primary, 'copy', '');
like($error, $missing, 'those that are not are: an error');
like($error, qr/HINT: .*at [0-9A-F]+\/[0-9A-F]+ /, 'it says where to go on');
my ($behind) = $error =~ m{at (\w+/\w+) };
$primary->safe_psql('postgres', "SELECT pg_replication_slot_advance('copy', '$behind')");
is(changes($primary, 'copy', q(, 'skip-empty-xacts', 'on')), 'h 1, other 1', 'there, the changes go on, messages of others included');

# a transaction that is streamed while it is in progress
$primary->safe_psql('postgres', qq(
SELECT pg_drop_replication_slot('copy');
BEGIN; $load; INSERT INTO h SELECT 3 FROM generate_series(1, 5000); COMMIT;
SELECT pg_copy_logical_replication_slot('source', 'copy', false, 'test_decoding');
SELECT pg_replication_slot_advance('copy', '$behind')));
like(changes($primary, 'copy', q(, 'stream-changes', 'on'), q(SET logical_decoding_work_mem = '64kB')), $missing, 'an error also while a transaction is streamed');
$primary->safe_psql('postgres', "SELECT pg_drop_replication_slot('copy')");

# a publication knows what it does not have, and messages are none of its business
is($primary->safe_psql('postgres', q(
SELECT string_agg(kind || ' ' || count, ', ' ORDER BY kind) FROM (
    SELECT chr(get_byte(data, 0)) AS kind, count(*)
      FROM pg_logical_slot_get_binary_changes('publication', NULL, NULL, 'proto_version', '1', 'publication_names', 'p', 'messages', 'true')
     WHERE get_byte(data, 0) IN (ascii('I'), ascii('M')) GROUP BY 1) c)), 'I 5002, M 1', 'a publication gets what it has');
$primary->safe_psql('postgres', "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");

SKIP:
{
	skip 'logical decoding on a standby came with version 16', 16 if $primary->pg_version < 16;

	$primary->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('standby')");
	my $standby = start_standby('standby', $primary, q(
primary_slot_name = 'standby'
hot_standby_feedback = on
wal_receiver_status_interval = 1
));
	$standby->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('cascaded')");

	my $wait = sub { $primary->wait_for_catchup($_[0] // $standby, 'replay', $primary->lsn('insert')) };
	my $told = sub {
		my ($want) = @_;
		$primary->poll_query_until('postgres', "SELECT (catalog_xmin IS NOT NULL) = $want FROM pg_replication_slots WHERE slot_name = 'standby'")
		  or die 'no feedback';
	};

	loads_into_groups('a standby without logical slots keeps nothing in the row store', 't');
	$wait->();
	$standby->create_logical_slot_on_standby($primary, 'logical', 'postgres');
	$told->('true');
	loads_into_groups('one with a logical slot does', 'f');
	$wait->();
	is(changes($standby, 'logical', ''), 't 3000', 'and all rows are decoded there');

	# a standby of the standby
	my $cascaded = PostgreSQL::Test::Cluster->new('cascaded');
	$standby->safe_psql('postgres', "SELECT pg_drop_replication_slot('logical')");
	$told->('false');
	$cascaded->init_from_backup($primary, 'backup', has_streaming => 1);
	$cascaded->enable_streaming($standby);
	$cascaded->append_conf('postgresql.conf', "primary_slot_name = 'cascaded'\nhot_standby_feedback = on\nwal_receiver_status_interval = 1");
	$cascaded->start;
	$cascaded->create_logical_slot_on_standby($primary, 'far', 'postgres');
	$told->('true');
	loads_into_groups('so does one of a standby of the standby', 'f');
	$wait->();
	$standby->wait_for_catchup($cascaded, 'replay', $primary->lsn('flush'));
	is(changes($cascaded, 'far', ''), 't 3000', 'which decodes all rows, too');
	$cascaded->safe_psql('postgres', "SELECT pg_drop_replication_slot('far')");
	$told->('false');
	$cascaded->stop;
	loads_into_groups('when the slots are gone, rows go to row groups again', 't');

	# a standby that says nothing
	$standby->append_conf('postgresql.conf', 'hot_standby_feedback = off');
	$standby->reload;
	$wait->();
	$standby->create_logical_slot_on_standby($primary, 'unknown', 'postgres');
	loads_into_groups('the primary does not know of a slot', 't');
	$wait->();
	$error = changes($standby, 'unknown', '');
	like($error, $missing, 'whose changes lack rows: an error on the standby');
	($behind) = $error =~ m{at (\w+/\w+) };
	$standby->safe_psql('postgres', "SELECT pg_replication_slot_advance('unknown', '$behind')");

	$primary->safe_psql('postgres', "ALTER SYSTEM SET retldb.standby_decoding = 'on'");
	$primary->reload;
	$primary->poll_query_until('postgres', "SELECT current_setting('retldb.standby_decoding') = 'on'") or die 'not reloaded';
	loads_into_groups('unless it is told', 'f');
	$wait->();
	is(changes($standby, 'unknown', ''), 't 3000', 'then all rows are decoded');

	$primary->safe_psql('postgres', "ALTER SYSTEM SET retldb.standby_decoding = 'off'");
	$primary->reload;
	$primary->poll_query_until('postgres', "SELECT current_setting('retldb.standby_decoding') = 'off'") or die 'not reloaded';
	loads_into_groups('or told that nobody needs them', 't');
	$primary->safe_psql('postgres', 'INSERT INTO h VALUES (4)');
	$wait->();
	is(changes($standby, 'unknown', q(, 'skip-empty-xacts', 'on')), 'h 1, t 100', 'then they are not missed, but for the first ones');
	is(log_complaints($standby), '', 'no complaint in the log of the standby');
}
is(log_complaints($primary), '', 'no complaint in the log');

done_testing();
