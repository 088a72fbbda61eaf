# RetldbTest.pm
#     What the TAP tests share: servers with the extension, a table that is
#     loaded in batches together with a heap table that logs them, and checks.
#
# The batch protocol: a batch (client, batch, n) is n rows in retldb table
# "batches" and one row in heap table "batch_log", written by one transaction.
# Whatever happens, the two must agree, and every row's payload follows from
# its key.

package RetldbTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  new_server start_standby seed_random patient_standby without_autovacuum drop_database make_twins random_range random_rows random_change give_up_moves pause_commits resume_commits create_batches batch_sql batches_agree verify_clean
  crash_and_restart start_script finish_script errors_of answer sqlstate log_complaints rows without_checksums set_page_field set_header_field
);

# A server with the library loaded, not yet started.  Options are those of
# init(), and conf => lines of postgresql.conf.  It keeps WAL for standbys that are
# slow or down, for the checkpoint after a crash would remove it.
sub new_server
{
	my ($name, %options) = @_;
	my $conf = delete $options{conf} // '';
	my $node = PostgreSQL::Test::Cluster->new($name);

	my $keep = $options{allows_streaming} ? 'wal_keep_size = 2GB' : '';

	$node->init(%options);
	$node->append_conf('postgresql.conf', qq(
$keep
shared_preload_libraries = 'retldb'
max_prepared_transactions = 10
max_connections = 30
log_min_messages = warning
log_statement = none
retldb.autocompact = off
$conf
));
	return $node;
}

# Two tables that are to have the same rows, one of them heap's.  Makes procedure
# on_both, which runs a command with the name of either in place of {t}; returns a
# query for the number of rows that only one of them has.
sub make_twins
{
	my ($node, $table, $twin) = @_;

	$node->safe_psql('postgres', qq(
CREATE PROCEDURE on_both(command text) LANGUAGE plpgsql AS \$\$
BEGIN
	EXECUTE replace(command, '{t}', '$table');
	EXECUTE replace(command, '{t}', '$twin');
END \$\$));
	return "SELECT (SELECT count(*) FROM (TABLE $table EXCEPT ALL TABLE $twin) a) + (SELECT count(*) FROM (TABLE $twin EXCEPT ALL TABLE $table) b)";
}

# A condition on ids below $keys: so many, from a random one on.
sub random_range
{
	my ($keys, $length) = @_;
	my $first = int rand $keys;

	return "id BETWEEN $first AND " . ($first + $length);
}

# A command that gives a client new rows of such ids, of twins (client, id, v, n).
sub random_rows
{
	my ($client, $keys, $length) = @_;
	my $first = int rand $keys;

	return "INSERT INTO {t} SELECT $client, i, ''new'', 0 FROM generate_series($first, " . ($first + $length) . ') i';
}

# A random change of some of a client's rows in both of such twins: two updates, or one of
# the given commands, in which {where} stands for one of the given conditions.
sub random_change
{
	my ($client, $conditions, @commands) = @_;
	my $where = "client = $client AND " . $conditions->[ int rand @$conditions ];

	unshift @commands, 'UPDATE {t} SET n = n + 1 WHERE {where}', "UPDATE {t} SET v = v || ''+'' WHERE {where}";
	my $command = $commands[ int rand @commands ];
	$command =~ s/\{where\}/$where/;
	return "CALL on_both('$command');\n";
}

# Compaction of table "stayed" that is cancelled when it takes away what it has written
# anew, a bit later each time, until view "links" has more than $least rows: they tell of a
# move that was given up after something had been taken away.  Whenever rows have come to
# another group for good instead, $again, a command, fills the table anew.  Returns how many
# there are and how often it was tried.
sub give_up_moves
{
	my ($node, $least, $again) = @_;
	my $groups = "SELECT string_agg(row_group::text, ',' ORDER BY row_group) FROM retldb.row_groups('stayed') WHERE visible";
	my $mover = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = answer($mover, 'SELECT pg_backend_pid()');
	my ($links, $times, $delay, $before) = (0, 0, 0, $node->safe_psql('postgres', $groups));

	while ($links <= $least && $times < 300)
	{
		my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');

		$mover->query_until(qr/begins/, "\\echo begins\nCALL retldb.compact('stayed');\n");
		# when it is at it or done
		$node->safe_psql('postgres', qq(
DO \$\$ BEGIN
	WHILE NOT EXISTS (SELECT FROM retldb.progress_compact WHERE phase = 'removing old rows' AND relid = 'stayed'::regclass)
		AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid AND state = 'idle' AND state_change > '$now') LOOP
		PERFORM pg_stat_clear_snapshot();
	END LOOP;
	PERFORM pg_sleep($delay), pg_cancel_backend($pid);
END \$\$));
		$mover->query('SELECT');
		$mover->{stderr} = '';
		$times++;
		$links = $node->safe_psql('postgres', 'SELECT count(*) FROM links');
		$delay = $delay * 1.2 + 0.0005;
		next if $node->safe_psql('postgres', $groups) eq $before;
		$node->safe_psql('postgres', $again);
		$before = $node->safe_psql('postgres', $groups);
		$links = 0;
		$delay /= 3;
	}
	$mover->quit;
	return ($links, $times);
}

# Commits wait for a standby that never comes, until they are resumed; who says
# synchronous_commit = local does not.  The checkpointer tells others of the setting when
# it has read it: one who commits all the time finds out.
sub pause_commits
{
	my ($node) = @_;

	$node->safe_psql('postgres', "SET synchronous_commit = local; ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	$node->reload;
	my $script = start_script($node, q(DO $$ BEGIN LOOP PERFORM pg_logical_emit_message(true, '', ''); COMMIT; END LOOP; END $$;));
	$node->poll_query_until('postgres', q(SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'))
	  or die 'commits do not wait';
	finish_script($script);
	return;
}

sub resume_commits
{
	my ($node) = @_;

	$node->safe_psql('postgres', 'SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names');
	$node->reload;
	return;
}

# The tables of the batch protocol.
sub create_batches
{
	my ($node, $method) = @_;
	$method //= 'retldb';

	$node->safe_psql('postgres', qq(
CREATE EXTENSION IF NOT EXISTS retldb;
DROP TABLE IF EXISTS batches, batch_log;
CREATE TABLE batches (client int, batch int, i int, payload text, amount numeric, day date) USING $method;
CREATE TABLE batch_log (client int, batch int, n int, PRIMARY KEY (client, batch)) USING heap;
));
}

# SQL of one batch: how the rows are written and what goes on around them is
# drawn at random.  A line "done" follows when it is committed.
sub batch_sql
{
	my ($client, $batch, %options) = @_;
	my $n = $options{n} // (3, 40, 700, 3000, 9000)[ int rand 5 ];
	my $select = "SELECT $client, $batch, i, md5($client || ' ' || $batch || ' ' || i), i / 100.0, date '2020-01-01' + i % 1000";
	my $program = "perl -MDigest::MD5=md5_hex -e 'for (1 .. $n) { "
	  . "printf(qq(%d\\t%d\\t%d\\t%s\\t%s\\t2020-01-01\\n), $client, $batch, \$_, md5_hex(qq($client $batch \$_)), \$_ / 100) }'";
	my @ways = (
		"INSERT INTO batches $select FROM generate_series(1, $n) i;",
		"COPY batches FROM PROGRAM \$\$$program\$\$;");
	my $write = $ways[ int rand @ways ];
	my $noise = "INSERT INTO batches SELECT $client, -1, i, 'undone' FROM generate_series(1, 1500) i;";
	my $around = int rand 6;
	my $sql = "BEGIN;\n";

	$sql .= "SAVEPOINT s;\n$noise\nROLLBACK TO s;\n" if $around == 0;
	$sql .= "SAVEPOINT s;\n" if $around == 1;
	$sql .= "$write\n";
	$sql .= "RELEASE s;\n" if $around == 1;
	$sql .= "SAVEPOINT t;\n$noise\nROLLBACK TO t;\n" if $around == 2;
	$sql .= "INSERT INTO batch_log VALUES ($client, $batch, $n);\n";
	if ($around == 3 && !$options{no_prepare})
	{
		$sql .= "PREPARE TRANSACTION 'batch_${client}_$batch';\nCOMMIT PREPARED 'batch_${client}_$batch';\n";
	}
	else
	{
		$sql .= "COMMIT;\n";
	}
	$sql .= "\\echo done $client $batch\n";
	$sql .= "BEGIN;\n$noise\nROLLBACK;\n" if $around == 4;
	return $sql;
}

# Do table and log agree, seen by one snapshot?  Returns the number of
# batches, or -1 and a failed test.
sub batches_agree
{
	my ($node, $what) = @_;
	my $result = $node->safe_psql('postgres', q(
WITH b AS (
    SELECT client, batch, count(*) AS n, sum(i) AS total, count(DISTINCT i) AS different,
           bool_and(payload = md5(client || ' ' || batch || ' ' || i) AND amount = i / 100.0) AS genuine
      FROM batches GROUP BY client, batch)
SELECT count(*) FILTER (WHERE l.n IS NULL) || ' batches not logged, '
    || count(*) FILTER (WHERE b.n IS NULL) || ' missing, '
    || count(*) FILTER (WHERE b.n <> l.n OR total <> l.n::bigint * (l.n + 1) / 2 OR different <> l.n OR NOT genuine) || ' damaged',
       count(*)
  FROM b FULL JOIN batch_log l USING (client, batch)));
	my ($faults, $count) = split /\|/, $result;

	is($faults, '0 batches not logged, 0 missing, 0 damaged', "$what: table and log agree on $count batches");
	return $faults =~ /^0 .* 0 .* 0 / ? $count : -1;
}

# Verification finds nothing.
sub verify_clean
{
	my ($node, $table, $what) = @_;

	is($node->safe_psql('postgres', "SELECT * FROM retldb.verify('$table') LIMIT 10"),
		'', "$what: verification finds nothing in $table");
}

# A streaming standby of a server, made from a backup that is taken now, running.
# $conf: more lines of postgresql.conf.
sub start_standby
{
	my ($name, $primary, $conf) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$primary->backup('backup');
	$standby->init_from_backup($primary, 'backup', has_streaming => 1);
	$standby->append_conf('postgresql.conf', $conf) if defined $conf;
	$standby->start;
	return $standby;
}

# From now on a standby waits for its queries, however long they take, before it replays what
# they are in the way of.
sub patient_standby
{
	my ($standby) = @_;

	$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
	$standby->reload;
	# whoever comes later than the signal that the others got has the new setting
	$standby->poll_query_until('postgres', q(SELECT current_setting('max_standby_streaming_delay') = '-1')) or die 'not reloaded';
	return;
}

# No autovacuum from now on, and none that is still at work: it may hold back what everybody
# sees, and so the rows that compaction and VACUUM are to take.
sub without_autovacuum
{
	my ($node) = @_;

	$node->append_conf('postgresql.conf', 'autovacuum = off');
	$node->reload;
	$node->poll_query_until('postgres', q(SELECT current_setting('autovacuum') = 'off'
		AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'autovacuum%'))) or die 'autovacuum goes on';
	return;
}

# Drop a database in which workers of automatic compaction may be: they end, but the server
# waits five seconds for that only, which a busy machine may take.
sub drop_database
{
	my ($node, $database) = @_;
	my ($status, $err);

	for (1 .. 10)
	{
		($status, undef, $err) = $node->psql('postgres', "DROP DATABASE $database");
		last if $status == 0 || $err !~ /is being accessed by other users/;
	}
	is($err, '', "database $database is dropped");
	return;
}

# Random numbers by RETLDB_SEED, or by a seed that is shown.
sub seed_random
{
	my $seed = $ENV{RETLDB_SEED} || time;

	srand($seed);
	note("RETLDB_SEED=$seed");
}

# Processes whose parent is $pid.
sub children
{
	my ($pid) = @_;
	my @children;

	for my $file (glob '/proc/[0-9]*/stat')
	{
		open my $handle, '<', $file or next;
		my $stat = <$handle> // '';
		push @children, $1 if $stat =~ /^(\d+) \(.*\) \S (\d+) / && $2 == $pid;
	}
	return @children;
}

# Kill the postmaster, and at random all its children too; those that are not
# killed go on until they notice.  Then start the server again.
#
# With wal_consistency_checking of heap2 it may not start: a record of the visibility map
# brings no image of the page that it marks.  If the file was cut off or replaced afterwards,
# that page is zeroes when the record is replayed, and PostgreSQL takes it for damaged.
sub crash_and_restart
{
	my ($node, $between) = @_;
	my $postmaster = $node->{_pid};
	my @processes;

	# so that it starts no more children after we have listed them
	kill 'STOP', $postmaster;
	@processes = children($postmaster);
	$node->kill9;
	kill 'KILL', @processes if @processes && rand() < 0.5;
	$between->() if $between;
	push @processes, $postmaster;
	for my $try (1 .. 1800)
	{
		@processes = grep { kill 0, $_ } @processes;
		last unless @processes;
		select(undef, undef, undef, 0.1);
	}
	$node->start;
}

# Run a psql script in the background; errors of lost connections are expected.
sub start_script
{
	my ($node, $sql) = @_;
	my $base = PostgreSQL::Test::Utils::tempdir() . '/script';

	append_to_file("$base.sql", $sql);
	my $run = IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', "$base.sql", '-d', $node->connstr('postgres') ],
		'<', '/dev/null', '>', "$base.out", '2>', "$base.err");
	return { run => $run, base => $base };
}

# Wait for it; returns its output.  Errors stand in $script->{err} then.
sub finish_script
{
	my ($script) = @_;

	$script->{run}->finish;
	$script->{err} = slurp_file("$script->{base}.err");
	return slurp_file("$script->{base}.out");
}

# Errors that a script (or whoever has {err}) has met, but for those of a server that
# was killed, and of a standby that cancels queries.
sub errors_of
{
	my ($script) = @_;
	my $killed = qr/lost connection to parallel worker|parallel worker failed to initialize|could not (?:signal for|request) checkpoint|conflict with recovery|postmaster exit|terminating|starting|crash|shut/;
	my @errors = grep { /ERROR:|FATAL:|PANIC:/ && !/$killed/ } split /\n/, $script->{err};

	return join("\n", @errors);
}

# The answer of a session in the background, without the newline at its end, which some
# versions of BackgroundPsql leave there.  Dies if there is an error.
sub answer
{
	my ($session, $sql) = @_;
	my $answer = $session->query_safe($sql);

	$answer =~ s/\n\z//;
	return $answer;
}

# SQLSTATE and text of the error that a command raises; empty if it does not.
sub sqlstate
{
	my ($node, $sql) = @_;
	my $stderr = '';

	$node->psql('postgres', $sql, stderr => \$stderr, on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $stderr =~ /(?:ERROR|FATAL):\s+(\w{5}): (.*)/ ? ($1, $2) : ('', $stderr);
}

# Lines of a server's log that must not be there; those of a lost connection
# between primary and standby may.
sub log_complaints
{
	my ($node) = @_;

	return join '', grep {
		/PANIC|inconsistent page|FATAL|was terminated by signal/
		  && !/could not (connect|receive|send)|terminating walreceiver|connection to client lost|the database system is|unexpected postmaster exit|postmaster exited during|could not (?:signal for|request) checkpoint|conflict with recovery|administrator command|by signal 9|child process was terminated by signal 2/
	} map { "$_\n" } split /\n/, slurp_file($node->logfile);
}

# Number of rows of a table.
sub rows
{
	my ($node, $table) = @_;

	return $node->safe_psql('postgres', "SELECT count(*) FROM $table");
}

# Switch off PostgreSQL's page checksums of a server that does not run: they are on
# from 18 on, and tests that write into files do not set them.
sub without_checksums
{
	my ($node) = @_;
	my ($control) = run_command([ 'pg_controldata', $node->data_dir ]);

	system_or_bail('pg_checksums', '--disable', '-D', $node->data_dir)
	  if $control =~ /Data page checksum version:\s+[1-9]/;
}

# docs/format.md: page layout and the header page
my $page_size = 8192;
my $own_header = 24;    # after PostgreSQL's page header
my $checksum_at = $own_header + 4;
my $payload = $own_header + 24;

my @crc_table = map {
	my $c = $_;
	$c = $c & 1 ? ($c >> 1) ^ 0x82F63B78 : $c >> 1 for 1 .. 8;
	$c;
} 0 .. 255;

sub crc32c
{
	my $crc = 0xFFFFFFFF;
	$crc = $crc_table[ ($crc ^ $_) & 0xFF ] ^ ($crc >> 8) for unpack 'C*', shift;
	return $crc ^ 0xFFFFFFFF;
}

# Set a number in the payload of a column page of a table's file, and the checksum that
# goes with it; the template is pack's (V, Q<).  Returns the old one.
sub set_page_field
{
	my ($file, $block, $offset, $template, $value) = @_;
	my $new = pack $template, $value;

	open my $fh, '+<:raw', $file or die "$file: $!";
	seek $fh, $block * $page_size, 0;
	read($fh, my $page, $page_size) == $page_size or die "short read";
	my $old = unpack $template, substr($page, $payload + $offset, length $new);
	substr($page, $payload + $offset, length $new) = $new;
	substr($page, $checksum_at, 4) = pack 'V', 0;
	substr($page, $checksum_at, 4) = pack 'V', crc32c(pack('V', $block) . substr($page, $own_header));
	seek $fh, $block * $page_size, 0;
	print $fh $page;
	close $fh or die "$file: $!";
	return $old;
}

# The same in the header page.
sub set_header_field
{
	my ($file, $offset, $template, $value) = @_;

	return set_page_field($file, 0, $offset, $template, $value);
}

1;
