# A full disk: the load fails, nothing of it can be seen, and when there is room
# again everything works.
#
# Needs a small file system that the test may fill: RETLDB_SMALL_DISK names an
# empty directory on one of about 32 MB (test/run mounts one if it may).

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $disk = $ENV{RETLDB_SMALL_DISK};
plan skip_all => 'RETLDB_SMALL_DISK is not set' unless $disk && -d $disk && -w $disk;

my $space = "$disk/space";
my $node = new_server('small', conf => q(
autovacuum = off
retldb.compression = none
retldb.row_group_rows = 5000
));
$node->start;
mkdir $space or die "$space: $!";
system("dd if=/dev/zero of=$disk/reserve bs=64k count=32 2>/dev/null");
$node->safe_psql('postgres', "CREATE EXTENSION retldb; CREATE TABLESPACE small LOCATION '$space'");

my $columns = 'a int, b text';
my $rows = q(SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, %d) i);
my $sum = 'SELECT count(*), sum(a), sum(length(b))';

$node->safe_psql('postgres', "CREATE TABLE t ($columns) USING retldb TABLESPACE small; INSERT INTO t " . sprintf($rows, 20000));
my $before = $node->safe_psql('postgres', "$sum FROM t");

for my $round (1 .. 3)
{
	for my $sql ('INSERT INTO t ' . sprintf($rows, 200000),
		q(COPY t FROM PROGRAM $$perl -e 'printf(qq(%d\t%s\n), $_, qq($_ ) x 60) for 1 .. 200000'$$))
	{
		my ($state, $message) = sqlstate($node, $sql);
		is($state, '53100', "round $round: the load fails for lack of space");
		is($node->safe_psql('postgres', "$sum FROM t"), $before, "round $round: nothing of it is there");
		verify_clean($node, 't', "round $round");
	}
	# in a transaction that goes on
	$node->safe_psql('postgres', "BEGIN; SAVEPOINT s;\n\\set ON_ERROR_STOP off\nINSERT INTO t "
		  . sprintf($rows, 200000) . ";\n\\set ON_ERROR_STOP on\nROLLBACK TO s; INSERT INTO t VALUES ($round, 'few'); COMMIT");
	$before = $node->safe_psql('postgres', "$sum FROM t");
	# VACUUM itself wants a page or two, as on heap
	unlink "$disk/reserve";
	$node->safe_psql('postgres', 'VACUUM t');
	verify_clean($node, 't', "round $round, vacuumed");
	system("dd if=/dev/zero of=$disk/reserve bs=64k count=32 2>/dev/null");
}

# the space that the failed loads took serves the next one
$node->safe_psql('postgres', 'INSERT INTO t ' . sprintf($rows, 20000));
is(rows($node, 't'), '40003', 'a further load fits');
verify_clean($node, 't', 'further load');

# full from the first page on
unlink "$disk/reserve";
my $filler = "$disk/filler";
system("dd if=/dev/zero of=$filler bs=64k 2>/dev/null");
my ($state) = sqlstate($node, "CREATE TABLE none ($columns) USING retldb TABLESPACE small");
ok($state eq '53100' || $state eq '', 'table without room for its header page');
($state) = sqlstate($node, 'BEGIN; TRUNCATE t; INSERT INTO t ' . sprintf($rows, 20000));
is($state, '53100', 'truncation and load without room');
is(rows($node, 't'), '40003', 'truncation is undone');
unlink $filler;
$node->safe_psql('postgres', 'BEGIN; TRUNCATE t; INSERT INTO t ' . sprintf($rows, 100) . '; COMMIT');
is(rows($node, 't'), '100', 'room again');
verify_clean($node, 't', 'room again');
crash_and_restart($node);
verify_clean($node, 't', 'after a crash');

is(log_complaints($node), '', 'no complaint in the log');
$node->stop;
system('rm', '-rf', $space);

done_testing();
