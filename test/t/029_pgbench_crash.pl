# Kill the server under pgbench again and again (RETLDB_CRASH_ROUNDS): TPC-B on
# columnar tables, with upserts of one row and of many, row locks, savepoints, deletions
# of rows and of whole row groups and loads of many rows, while tables are vacuumed and
# compacted, and stubs retired as soon as nobody needs them.  After each recovery
#
# - the balances of accounts, tellers and branches are the sum of the history,
# - the history has each transaction that pgbench was told of, in full, none twice,
#   and at most one more for each client,
# - a counter that is upserted by each transaction is their number,
# - each key has as many upserts, and each row was filled in last by the transaction, that
#   the history says, whether it is found by a scan or by the index,
# - retldb.verify and amcheck (heapallindexed) find nothing.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $rounds = $ENV{RETLDB_CRASH_ROUNDS} || 5;
my $clients = 4;
my $accounts = 4000;
seed_random();

my $node = new_server('pgbench', conf => q(
wal_consistency_checking = 'heap, btree, generic'
autovacuum_naptime = 1s
checkpoint_timeout = 30s
max_wal_size = 256MB
retldb.vector_rows = 64
));
$node->start;
my $amcheck = $node->psql('postgres', 'CREATE EXTENSION amcheck') == 0;

my %tables = (
	pgbench_branches => 'bid int PRIMARY KEY, bbalance int',
	pgbench_tellers => 'tid int PRIMARY KEY, bid int, tbalance int',
	pgbench_accounts => 'aid int PRIMARY KEY, bid int, abalance int, filler text',
	pgbench_history => 'round int, client int, n int, tid int, bid int, aid int, delta int, kind text, at int, PRIMARY KEY (round, client, n)',
	# as many rows each time, one or all of them replaced
	pgbench_queue => 'client int, i int, n int, PRIMARY KEY (client, i)',
	pgbench_counters => 'round int, client int, n int, PRIMARY KEY (round, client)',
	# many rows at a time are upserted, every third of them really changed
	pgbench_totals => 'k int PRIMARY KEY, n int',
	pgbench_split => 'k int PRIMARY KEY, n int',
	# a partition for each client: whole row groups are deleted and filled anew
	pgbench_filled => 'client int, i int, round int, n int, PRIMARY KEY (client, i)');
my %partitions = (
	pgbench_split => [ 'RANGE (k)', map { 'FROM (' . $_ * 700 . ') TO (' . ($_ + 1) * 700 . ')' } 0 .. 2 ],
	pgbench_filled => [ 'LIST (client)', map { "IN ($_)" } 0 .. $clients - 1 ]);
my $keys = 2000;
my $filled = 500;
my $upserted = 60;

# a table, and its partitions
sub create_table
{
	my ($table) = @_;
	my ($by, @values) = @{ $partitions{$table} // [] };
	my $sql = "DROP TABLE IF EXISTS $table; CREATE TABLE $table ($tables{$table}) ";

	return $sql . "USING retldb;\n" unless $by;
	$sql .= "PARTITION BY $by;\n";
	$sql .= "CREATE TABLE ${table}_$_ PARTITION OF $table FOR VALUES $values[$_] USING retldb;\n" for 0 .. $#values;
	return $sql;
}

sub create_tables
{
	my $sql = "SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS retldb; SET retldb.row_store_rows = 100; SET retldb.row_group_rows = 700;\n";

	$sql .= create_table($_) for sort keys %tables;
	$node->safe_psql('postgres', $sql . qq(
CREATE INDEX ON pgbench_history (aid);
CREATE INDEX ON pgbench_accounts (abalance);
INSERT INTO pgbench_branches VALUES (1, 0), (2, 0);
INSERT INTO pgbench_tellers SELECT i, 1 + i % 2, 0 FROM generate_series(1, 20) i;
INSERT INTO pgbench_accounts SELECT i, 1 + i % 2, 0, repeat('x', i % 100) FROM generate_series(1, $accounts) i;
INSERT INTO pgbench_queue SELECT c, i, 0 FROM generate_series(0, $clients - 1) c, generate_series(1, 200) i;
INSERT INTO pgbench_totals SELECT i, 0 FROM generate_series(1, $keys) i;
INSERT INTO pgbench_split TABLE pgbench_totals;
INSERT INTO pgbench_filled SELECT c, i, 0, 0 FROM generate_series(0, $clients - 1) c, generate_series(1, $filled) i;
));
	# consistency checking does not bear pages of files that are dropped later on
	$node->safe_psql('postgres', 'CHECKPOINT');
}

# What a client does in a round; it counts its transactions in :n.
sub script
{
	my ($round, $kind) = @_;
	my $tpcb = qq(
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
);
	my $log = qq(
INSERT INTO pgbench_history VALUES ($round, :client_id, :n, :tid, :bid, :aid, :delta, '$kind', :at);
INSERT INTO pgbench_counters VALUES ($round, :client_id, 1) ON CONFLICT (round, client) DO UPDATE SET n = pgbench_counters.n + 1;
);
	my $upserts = join '', map {
		"INSERT INTO $_ SELECT i, 0 FROM generate_series(:at, :at + " . ($upserted - 1) . ") i ON CONFLICT (k) DO UPDATE SET n = $_.n + (excluded.k % 3 = 0)::int;\n"
	} qw(pgbench_split pgbench_totals);
	my %extra = (
		plain => '',
		upserts => $upserts,
		filled => "DELETE FROM pgbench_filled WHERE client = :client_id AND i >= :at;\n"
		  . "INSERT INTO pgbench_filled SELECT :client_id, i, $round, :n FROM generate_series(:at, $filled) i;\n",
		locks => "SELECT count(*) FROM (SELECT FROM pgbench_filled WHERE client = 0 AND i = 1 + :at % $filled FOR KEY SHARE SKIP LOCKED) l;\n"
		  . "SELECT count(*) FROM (SELECT FROM pgbench_accounts WHERE aid BETWEEN :aid AND :aid + 30 AND aid % 1000 > 50 FOR KEY SHARE SKIP LOCKED) l;\n",
		undone => "SAVEPOINT s;\n${upserts}ROLLBACK TO s;\nDELETE FROM pgbench_filled WHERE client = :client_id AND i >= :at;\nROLLBACK TO s;\n"
		  . "UPDATE pgbench_accounts SET abalance = 7, aid = -aid WHERE aid BETWEEN 1 + :client_id * 1000 AND 50 + :client_id * 1000 AND :delta > 3000;\n"
		  . "INSERT INTO pgbench_queue SELECT :client_id, i, 0 FROM generate_series(1001, 1500) i WHERE :delta > 3000;\nROLLBACK TO s;\n",
		replaced => "DELETE FROM pgbench_queue WHERE client = :client_id;\nINSERT INTO pgbench_queue SELECT :client_id, i, :n FROM generate_series(1, 200) i;\n",
		moved => "UPDATE pgbench_queue SET i = i + 200 WHERE client = :client_id AND i <= 3;\nUPDATE pgbench_queue SET i = i - 200, n = :n WHERE client = :client_id AND i > 200;\n");

	# half of the time all rows of a client are filled in
	my $at = $kind eq 'filled' || $kind eq 'undone' ? "greatest(1, random(-$filled, $filled))" : "random(1, " . ($keys - $upserted + 1) . ')';

	return "\\set n :n + 1\n\\set at $at\n\\set aid random(1, $accounts)\n\\set tid random(1, 20)\n\\set bid random(1, 2)\n\\set delta random(-5000, 5000)\nBEGIN;\n"
	  . $extra{$kind} . $tpcb . $log . "COMMIT;\n";
}

# Transactions that pgbench was told of, by client.
sub acknowledged
{
	my ($prefix) = @_;
	my %count;

	for my $file (glob "$prefix.*")
	{
		my $log = slurp_file($file);
		$count{$1}++ while $log =~ /^(\d+) /mg;
	}
	return %count;
}

my $sums = q(
SELECT coalesce(sum(delta), 0) - (SELECT sum(abalance) FROM pgbench_accounts) AS accounts,
       coalesce(sum(delta), 0) - (SELECT sum(tbalance) FROM pgbench_tellers) AS tellers,
       coalesce(sum(delta), 0) - (SELECT sum(bbalance) FROM pgbench_branches) AS branches,
       count(*) - (SELECT coalesce(sum(n), 0) FROM pgbench_counters) AS counters,
       (SELECT count(*) FROM pgbench_accounts) AS rows, (SELECT count(DISTINCT aid) FROM pgbench_accounts WHERE aid > 0) AS different,
       (SELECT count(*) || ' ' || sum(i) FROM pgbench_queue) AS queue
  FROM pgbench_history);
my $sums_expected = "0|0|0|0|$accounts|$accounts|" . $clients * 200 . ' ' . $clients * 200 * 201 / 2;
# tables of many rows at a time, told from the history
my $differences = qq(
WITH upserts AS (
    SELECT i AS k, count(*) FILTER (WHERE i % 3 = 0) AS n
      FROM pgbench_history, generate_series(at, at + $upserted - 1) i WHERE kind = 'upserts' GROUP BY i),
totals AS (SELECT k, coalesce(u.n, 0) AS n FROM generate_series(1, $keys) k LEFT JOIN upserts u USING (k)),
fills AS (
    SELECT client, i, max(round * 1000000 + n) AS last
      FROM pgbench_history, generate_series(at, $filled) i WHERE kind = 'filled' GROUP BY client, i),
filled AS (
    SELECT client, i, coalesce(last / 1000000, 0) AS round, coalesce(last % 1000000, 0) AS n
      FROM generate_series(0, $clients - 1) client CROSS JOIN generate_series(1, $filled) i LEFT JOIN fills USING (client, i)),
here AS (SELECT k, n FROM pgbench_totals WHERE k > 0), split AS (SELECT k, n FROM pgbench_split WHERE k > 0),
rows AS (SELECT client, i, round, n FROM pgbench_filled WHERE client >= 0)
SELECT * FROM (
    SELECT 'totals +', d::text FROM (TABLE here EXCEPT ALL TABLE totals) d UNION ALL SELECT 'totals -', d::text FROM (TABLE totals EXCEPT ALL TABLE here) d
    UNION ALL SELECT 'split +', d::text FROM (TABLE split EXCEPT ALL TABLE totals) d UNION ALL SELECT 'split -', d::text FROM (TABLE totals EXCEPT ALL TABLE split) d
    UNION ALL SELECT 'filled +', d::text FROM (TABLE rows EXCEPT ALL TABLE filled) d UNION ALL SELECT 'filled -', d::text FROM (TABLE filled EXCEPT ALL TABLE rows) d) a LIMIT 10);
my $transactions = 0;

create_tables();
# the scripts' commands are done in the way that is tested here
like($node->safe_psql('postgres', 'EXPLAIN INSERT INTO pgbench_split SELECT i, 0 FROM generate_series(1, 60) i ON CONFLICT (k) DO UPDATE SET n = pgbench_split.n + 1'),
	qr/RetldbUpsert/, 'many rows are upserted together');
like($node->safe_psql('postgres', 'BEGIN; EXPLAIN (ANALYZE) DELETE FROM pgbench_filled WHERE client = 1 AND i >= 1; ROLLBACK'),
	qr/Row Groups: .* [1-9]\d* deleted/, 'row groups are deleted as a whole');
for my $round (1 .. $rounds)
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my @files;

	create_tables() if $round % 25 == 0;
	for my $kind (qw(plain locks undone replaced moved upserts filled))
	{
		append_to_file("$dir/$kind.sql", script($round, $kind));
		push @files, '-f', "$dir/$kind.sql@" . (1 + int rand 4);
	}
	my $settings = sprintf '-c retldb.row_store_rows=%d -c retldb.row_group_rows=%d -c retldb.suppress_noop=%s -c retldb.retire_stubs=%d',
	  (0, 3, 100)[ int rand 3 ], (64, 300, 2000)[ int rand 3 ], (qw(on off))[ int rand 2 ], (1, 1, -1)[ int rand 3 ];
	note("round $round: @files, $settings");
	local $ENV{PGOPTIONS} = $settings;
	my ($out, $err) = ('', '');
	my $pgbench = IPC::Run::start(
		[ 'pgbench', '-n', '-c', $clients, '-j', 2, '-T', 60, '-M', (qw(simple prepared))[ int rand 2 ], '-D', 'n=0', '-l', '--log-prefix', "$dir/log", @files,
			$node->connstr('postgres') ], '<', '/dev/null', '>', \$out, '2>', \$err);
	my @scripts;
	for my $table (sort keys %tables)
	{
		next if rand() < 0.4;
		push @scripts, start_script($node, ("VACUUM $table;\nSELECT pg_sleep(0.05);\n", "CALL retldb.compact('$table');\n", "VACUUM $table;\nCALL retldb.compact('$table');\nCHECKPOINT;\n")[ int rand 3 ] x 100);
	}
	delete $ENV{PGOPTIONS};
	select(undef, undef, undef, 0.3 + rand 2);
	crash_and_restart($node, sub {
		$pgbench->finish;
		finish_script($_) for @scripts;
		# (on a slow machine it may not even have connected)
		like($err, qr/aborted|connection to server/, "round $round: pgbench went on until the server was killed");
		# VACUUM may have had parallel workers
		my @errors = grep { $_ ne '' } map { errors_of($_) } { err => $err }, @scripts;
		is("@errors", '', "round $round: no error of a session");
	});

	is($node->safe_psql('postgres', $sums), $sums_expected, "round $round: balances, counters, rows");
	for my $way ('on', 'off')
	{
		is($node->safe_psql('postgres', "SET retldb.enable_columnar_scan = $way; SET enable_seqscan = $way; $differences"),
			'', "round $round: what was upserted and filled in is as the history says, columnar scans $way");
	}
	my %told = acknowledged("$dir/log");
	my %there = map { split /\|/, $_, 2 } split /\n/,
	  $node->safe_psql('postgres', "SELECT client, count(*), count(DISTINCT n), min(n), max(n) FROM pgbench_history WHERE round = $round GROUP BY client");
	my @wrong = grep {
		my $n = $told{$_} // 0;
		my $history = $there{$_} // '0';
		!($n == 0 && $history eq '0') && $history ne "$n|$n|1|$n" && $history ne join('|', $n + 1, $n + 1, 1, $n + 1);
	} 0 .. $clients - 1;
	is(join(', ', map { "client $_: told $told{$_}, there $there{$_}" } @wrong), '', "round $round: the history has each transaction once");
	$transactions += $_ for values %told;
	is($node->safe_psql('postgres', "SELECT c.relname, v.* FROM pg_class c, retldb.verify(c.oid) v WHERE relname LIKE 'pgbench%' AND relkind = 'r' LIMIT 10"),
		'', "round $round: verification finds nothing");
	is($node->psql('postgres', q(SELECT bt_index_parent_check(indexrelid, true) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relkind = 'i' AND indrelid::regclass::text LIKE 'pgbench%')), 0, "round $round: amcheck finds nothing")
	  if $amcheck;
}
cmp_ok($transactions, '>', $rounds, "$transactions transactions were acknowledged");
is(log_complaints($node), '', 'no complaint in the log');

done_testing();
