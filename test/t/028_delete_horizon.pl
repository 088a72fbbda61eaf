# An entry of an index that one session has found dead is removed by another, whose
# idea of what everybody sees is older.  A query on a standby that could see the row
# must be cancelled all the same, or it would not find the row by the index.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $primary = new_server('primary', allows_streaming => 1, conf => q(
autovacuum = off
retldb.autocompact = off
));
$primary->start;
$primary->safe_psql('postgres', q(
CREATE EXTENSION IF NOT EXISTS retldb;
CREATE TABLE t (k int, v text) USING retldb WITH (row_store_rows = 0);
INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 300) i;
CREATE INDEX t_k ON t (k) WITH (deduplicate_items = off, fillfactor = 100)));
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = off\nmax_standby_streaming_delay = 100ms");
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET retldb.enable_columnar_scan = off;';
my $fetch = 'SELECT count(v) FROM t WHERE k BETWEEN 1 AND 200';
my $snapshot = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t;';

# the query on the standby, and one on the primary that keeps rows from being dead
my $reader = $standby->background_psql('postgres', on_error_stop => 0);
is(answer($reader, "$by_index $snapshot $fetch"), "300\n200", 'standby sees the rows');
my $keeper = $primary->background_psql('postgres');
$keeper->query_safe($snapshot);
$primary->safe_psql('postgres', 'DELETE FROM t WHERE k BETWEEN 1 AND 200');

# this session learns that the rows may still be needed
my $writer = $primary->background_psql('postgres');
is(answer($writer, "$by_index $snapshot $fetch"), "100\n0", 'rows are gone');
$keeper->query_safe('COMMIT');
$keeper->quit;

# others know better, and tell the index
$primary->safe_psql('postgres', "$by_index $fetch");

# pages are full, so entries are removed
my $before = $primary->lsn('insert');
$writer->query_safe(q(INSERT INTO t SELECT 150, 'new' FROM generate_series(1, 400)));
$writer->query_safe('COMMIT');
$writer->quit;
my $end = $primary->lsn('insert');
my ($waldump) = run_command([ 'pg_waldump', '-p', $primary->data_dir . '/pg_wal', '-r', 'Btree',
	'-s', $before, '-e', $end ]);
like($waldump, qr/DELETE/, 'entries were removed');

$primary->wait_for_catchup($standby, 'replay', $end);
# (a session that is idle in a transaction is ended)
my $answer = eval { answer($reader, $fetch) } // 'ended';
ok($answer eq '200' || slurp_file($standby->logfile) =~ /due to conflict with recovery/,
	'query on the standby finds its rows or is cancelled')
  or diag("answer: $answer");
eval { $reader->quit };
$standby->stop;
$primary->stop;
done_testing();
