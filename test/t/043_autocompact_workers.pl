# Workers of automatic compaction side by side: a table that one does not come to an end
# with keeps no others waiting, no two are at one table, and there are no more than there
# may be, whatever ends them or their launcher.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('primary', conf => q(
max_worker_processes = 20
retldb.autocompact = on
retldb.autocompact_max_workers = 1
retldb.autocompact_naptime = 1
retldb.autocompact_threshold = 100
retldb.autocompact_scale_factor = 0
retldb.autocompact_delay = 0
retldb.log_autocompact_min_duration = 0
log_min_messages = debug1
autovacuum = off
));
$node->start;

my $workers = "backend_type = 'retldb compaction worker'";

# Change a setting of the server, and of workers that begin from now on.
sub configure
{
	my ($name, $value) = @_;

	$node->append_conf('postgresql.conf', "$name = $value\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT setting = '$value' FROM pg_settings WHERE name = '$name'") or die "$name is not $value";
	return;
}

# The same, when no worker can have another value any more.
sub configure_all
{
	configure(@_);
	my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE $workers AND backend_start < '$now'") or die 'workers do not end';
	return;
}

# May tables be compacted?
sub allow
{
	my ($database, $allowed, @tables) = @_;

	$node->safe_psql($database, join('', map { "ALTER TABLE $_ SET (autocompact = $allowed);\n" } @tables));
	return;
}

# Wait until so many workers are held up in one of the tables' indexes.
sub held_up
{
	my ($count, $what) = @_;

	ok($node->poll_query_until('postgres', "SELECT count(*) = $count FROM pg_stat_activity WHERE $workers AND wait_event_type = 'Lock' AND query LIKE 'retldb: compact postgres.public.held__'"), $what);
	return;
}

# Wait until a table is compacted.
sub compacted
{
	my ($database, $table, $what) = @_;

	ok($node->poll_query_until($database, "SELECT count(*) > 0 FROM retldb.compaction WHERE relname = '$table' AND autocompactions > 0"), $what);
	return;
}

# It is not, in any of the databases, for a while.
sub not_compacted
{
	my ($table, $what) = @_;

	select(undef, undef, undef, 2.5);
	is($node->safe_psql($_, "SELECT count(*) FROM retldb.compaction WHERE relname = '$table' AND autocompactions > 0"), '0', "$what: a table of database $_ is not compacted")
	  for 'postgres', 'second';
	return;
}

# Pids of workers at a table, or at any.
sub workers_at
{
	my ($table) = @_;
	my $condition = defined $table ? "AND query = 'retldb: compact $table'" : '';

	return split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $workers $condition");
}

# Tables whose indexes ask for a lock; and some that nothing holds up.  Rows must be older
# than the step that is held up, or it would keep them where they are, as any snapshot.
my @others = map { "other_$_" } 1 .. 4;
$node->safe_psql('postgres', 'CREATE DATABASE second');
for my $database ('postgres', 'second')
{
	$node->safe_psql($database, join('', q(
CREATE EXTENSION retldb;
CREATE FUNCTION hold(value int, lock int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(lock); RETURN value; END $$;),
		map { "CREATE TABLE $_ (a int) USING retldb WITH (autocompact = off); INSERT INTO $_ SELECT generate_series(1, 300);\n" } 'held_1', 'held_2', @others));
	$node->safe_psql($database, "CREATE INDEX ON held_$_ (hold(a, $_))") for 1 .. 2;
}
# (a prepared transaction holds them, which no session has to wait for)
$node->safe_psql('postgres', "BEGIN; SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock(2); PREPARE TRANSACTION 'holder'");

# one worker
allow('postgres', 'on', 'held_1');
held_up(1, 'a worker is held up');
allow($_, 'on', 'other_1') for 'postgres', 'second';
not_compacted('other_1', 'there may be one only');
is(scalar workers_at(), 1, 'there is one worker');

# another one
configure('retldb.autocompact_max_workers', 2);
compacted($_, 'other_1', "with two, a table of database $_ is") for 'postgres', 'second';

# which is held up, too
allow('postgres', 'on', 'held_2');
held_up(2, 'two workers are held up');
is(scalar workers_at("postgres.public.held_$_"), 1, "one by table held_$_") for 1, 2;
allow($_, 'on', 'other_2') for 'postgres', 'second';
not_compacted('other_2', 'two are held up');
is(scalar workers_at(), 2, 'there are two workers');

# launchers come and go, workers stay
my $launcher = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'retldb compaction launcher'";
my $pid = $node->safe_psql('postgres', $launcher);
my @before = sort(workers_at());
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($launcher) l WHERE pid <> $pid"), 'there is another launcher');
not_compacted('other_2', 'two were left behind');
is_deeply([ sort(workers_at()) ], \@before, 'and the workers are the same two');
configure('retldb.autocompact_max_workers', 3);
compacted($_, 'other_2', "with three, a table of database $_ is") for 'postgres', 'second';
held_up(2, 'next to those two');

# whoever wants a table's lock ends what a worker does there; it goes on with others
configure('retldb.autocompact_max_workers', 2);
allow($_, 'on', 'other_3') for 'postgres', 'second';
allow('postgres', 'off', 'held_2');
compacted($_, 'other_3', "when a table's options are changed, a table of database $_ is compacted") for 'postgres', 'second';
held_up(1, 'next to the other one');

# a worker is ended, and another one comes to its table
my ($ended) = workers_at('postgres.public.held_1');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($ended)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE $workers AND wait_event_type = 'Lock' AND query = 'retldb: compact postgres.public.held_1' AND pid <> $ended"),
	'after a worker was ended another one is held up');
is($node->safe_psql('postgres', "SELECT count(*) FROM retldb.compaction WHERE relname LIKE 'held%' AND autocompactions > 0"), '0', 'tables that held workers up are as they were');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'holder'");
compacted('postgres', 'held_1', 'until nothing holds them any more');

# a worker that has no lock, between two steps: others do not go on there
drop_database($node, 'second');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE $workers AND datname IS DISTINCT FROM 'postgres'"), 'no other database has a worker');
$node->safe_psql('postgres', q(
CREATE TABLE steps (a int) USING retldb WITH (row_group_rows = 64, autocompact = off);
INSERT INTO steps SELECT generate_series(1, 1920)));
configure_all('retldb.autocompact_delay', 10000);
allow('postgres', 'on', 'steps');
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM retldb.progress_compact WHERE relid = 'steps'::regclass AND steps > 0"), 'a worker pauses');
my ($first) = workers_at('postgres.public.steps');
my $offset = -s $node->logfile;
my $second = '';
for (1 .. 1800)
{
	my @ended = grep { $_ != $first } slurp_file($node->logfile, $offset) =~ /"retldb compaction worker" \(PID (\d+)\) exited with exit code 0/g;

	# one that had begun may have passed the table before
	$second = $ended[1] // '';
	last if $second ne '';
	select(undef, undef, undef, 0.1);
}
isnt($second, '', 'others come and go meanwhile');
unlike(slurp_file($node->logfile), qr/automatic compaction of table "postgres\.public\.steps": rows/, 'and pass over its table');
configure('retldb.autocompact_delay', 0);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($first)");
compacted('postgres', 'steps', 'once it was ended, others are at it');
is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM steps'), '1920|1844160', 'all rows are there');
verify_clean($node, 'steps', 'ended and begun again');

# a database with two workers is dropped
configure_all('retldb.autocompact_delay', 10000);
$node->safe_psql('postgres', 'CREATE DATABASE dropped');
$node->safe_psql('dropped', 'CREATE EXTENSION retldb;' .
	join('', map { "CREATE TABLE steps_$_ (a int) USING retldb WITH (row_group_rows = 64); INSERT INTO steps_$_ SELECT generate_series(1, 1920);\n" } 1 .. 2));
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM retldb.progress_compact WHERE datname = 'dropped'"), 'two workers are in a database');
drop_database($node, 'dropped');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE $workers"), 'which is dropped, and they end');
configure('retldb.autocompact_delay', 0);
allow('postgres', 'on', 'other_4');
compacted('postgres', 'other_4', 'others go on');

my @errors = grep { /ERROR|FATAL|PANIC/ && !/canceling statement due to user request|terminating background worker|database \d+ does not exist|is being accessed by other users/ } split /\n/, slurp_file($node->logfile);
is("@errors", '', 'the log has no other errors');
$node->stop;
unlike(slurp_file($node->logfile), qr/FATAL:.*launcher/, 'the launcher ends without one');

# where one background worker is free only, two databases take turns; that there is none for
# the other one is told once, though it is so each time that both are to have one
my $busy = new_server('busy', conf => q(
max_worker_processes = 3
retldb.autocompact_max_workers = 2
retldb.autocompact_naptime = 1
retldb.autocompact_threshold = 100
retldb.autocompact_scale_factor = 0
));
$busy->start;
$busy->safe_psql('postgres', 'CREATE DATABASE second');
$busy->safe_psql($_, 'CREATE EXTENSION retldb; CREATE TABLE t (a int) USING retldb') for 'postgres', 'second';
for my $round (1 .. 3)
{
	$busy->safe_psql($_, 'INSERT INTO t SELECT generate_series(1, 300)') for 'postgres', 'second';
	select(undef, undef, undef, 1.5);
	$busy->append_conf('postgresql.conf', 'retldb.autocompact = on');
	$busy->reload;
	ok($busy->poll_query_until($_, "SELECT count(*) > 0 FROM retldb.compaction WHERE relname = 't' AND autocompactions >= $round"), "round $round: a table of database $_ is compacted")
	  for 'postgres', 'second';
	$busy->append_conf('postgresql.conf', 'retldb.autocompact = off');
	$busy->reload;
	$busy->poll_query_until('postgres', "SELECT setting = 'off' FROM pg_settings WHERE name = 'retldb.autocompact'");
	$busy->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE $workers");
}
my $told = () = slurp_file($busy->logfile) =~ /LOG:  no background worker is free for automatic compaction/g;
is($told, 1, 'a lack is told of once');

# a worker that is killed takes shared memory with it, its claim included
$busy->append_conf('postgresql.conf', "restart_after_crash = on\nretldb.autocompact_delay = 10000\nretldb.autocompact = on");
$busy->reload;
$busy->safe_psql('postgres', q(
CREATE TABLE steps (a int) USING retldb WITH (row_group_rows = 64);
INSERT INTO steps SELECT generate_series(1, 1920)));
ok($busy->poll_query_until('postgres', "SELECT count(*) = 1 FROM retldb.progress_compact WHERE relid = 'steps'::regclass"), 'a worker is at a table');
my $killed = $busy->safe_psql('postgres', "SELECT pid FROM retldb.progress_compact WHERE relid = 'steps'::regclass");
$busy->append_conf('postgresql.conf', 'retldb.autocompact_delay = 0');
$busy->reload;
kill 'KILL', $killed;
ok($busy->poll_query_until('postgres', "SELECT count(*) > 0 FROM retldb.compaction WHERE relname = 'steps' AND autocompactions > 0"), 'another one is at it when the first one was killed');
is($busy->safe_psql('postgres', 'SELECT count(*), sum(a) FROM steps'), '1920|1844160', 'all rows are there');
verify_clean($busy, 'steps', 'killed and begun again');
$busy->stop;

done_testing();
