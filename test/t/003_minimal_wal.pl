# wal_level = minimal: tables made or emptied in the loading transaction are
# written without WAL and synced at commit; a crash right after must find them.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('minimal', conf => q(
wal_level = minimal
max_wal_senders = 0
autovacuum = off
fsync = on
retldb.row_store_rows = 100
retldb.row_group_rows = 2000
));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION retldb');

my $rows = q(SELECT i AS a, md5(i::text) AS b FROM generate_series(1, 6000) i);
my $good = q(SELECT count(*), count(DISTINCT a), bool_and(b = md5(a::text)) FROM );

# name, SQL, expected count; each with files below and above wal_skip_threshold
my @cases = (
	[ 'created', "CREATE TABLE created USING retldb AS $rows", 6000 ],
	[ 'created_in', "BEGIN; CREATE TABLE created_in (a int, b text) USING retldb; INSERT INTO created_in $rows; COMMIT", 6000 ],
	[ 'created_few', "BEGIN; CREATE TABLE created_few (a int, b text) USING retldb; INSERT INTO created_few $rows LIMIT 10; COMMIT", 10 ],
	[ 'created_empty', "CREATE TABLE created_empty (a int, b text) USING retldb", 0 ],
	[ 'truncated', "CREATE TABLE truncated USING retldb AS $rows; BEGIN; TRUNCATE truncated; INSERT INTO truncated $rows LIMIT 3000; COMMIT", 3000 ],
	[ 'truncated_only', "CREATE TABLE truncated_only USING retldb AS $rows; TRUNCATE truncated_only", 0 ],
	[ 'truncate_undone', "CREATE TABLE truncate_undone USING retldb AS $rows; BEGIN; TRUNCATE truncate_undone; INSERT INTO truncate_undone $rows LIMIT 3000; ROLLBACK", 6000 ],
	[ 'truncate_saved', "CREATE TABLE truncate_saved USING retldb AS $rows; BEGIN; SAVEPOINT s; TRUNCATE truncate_saved; INSERT INTO truncate_saved $rows LIMIT 3000; ROLLBACK TO s; COMMIT", 6000 ],
	[ 'twice', "BEGIN; CREATE TABLE twice (a int, b text) USING retldb; INSERT INTO twice $rows; TRUNCATE twice; INSERT INTO twice $rows LIMIT 3000; COMMIT", 3000 ],
	[ 'saved', "BEGIN; CREATE TABLE saved (a int, b text) USING retldb; SAVEPOINT s; INSERT INTO saved $rows; ROLLBACK TO s; INSERT INTO saved $rows LIMIT 3000; COMMIT", 3000 ],
	[ 'truncate_in_savepoint', "BEGIN; CREATE TABLE truncate_in_savepoint (a int, b text) USING retldb; INSERT INTO truncate_in_savepoint $rows; SAVEPOINT s; TRUNCATE truncate_in_savepoint; ROLLBACK TO s; COMMIT", 6000 ],
	[ 'later', "CREATE TABLE later USING retldb AS $rows LIMIT 2000; INSERT INTO later SELECT a + 2000, md5((a + 2000)::text) FROM ($rows) r WHERE a <= 2000", 4000 ],
	[ 'rewritten', "CREATE TABLE rewritten USING retldb AS $rows; ALTER TABLE rewritten ALTER a TYPE bigint", 6000 ],
	[ 'logged', "CREATE UNLOGGED TABLE logged USING retldb AS $rows; ALTER TABLE logged SET LOGGED", 6000 ],
	[ 'frozen', "BEGIN; CREATE TABLE frozen (a int, b text) USING retldb; COPY frozen FROM PROGRAM \$\$perl -MDigest::MD5=md5_hex -e 'printf(qq(%d\\t%s\\n), \$_, md5_hex(\$_)) for 1 .. 6000'\$\$ (FREEZE); COMMIT", 6000 ],
	[ 'prepared', "BEGIN; CREATE TABLE prepared (a int, b text) USING retldb; INSERT INTO prepared $rows; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'", 6000 ],
	[ 'unlogged', "CREATE UNLOGGED TABLE unlogged USING retldb AS $rows", 0 ],
	[ 'unlogged_truncated', "CREATE UNLOGGED TABLE unlogged_truncated USING retldb AS $rows; TRUNCATE unlogged_truncated; INSERT INTO unlogged_truncated $rows", 0 ],
);

for my $threshold ('0', '1GB')
{
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS $_->[0]") for @cases;
	# each statement for itself, in one session
	finish_script(my $script = start_script($node, "SET wal_skip_threshold = '$threshold';\n"
		  . join('', map { my $sql = $_->[1]; $sql =~ s/; /;\n/g; "$sql;\n" } @cases)));
	is($script->{err}, '', "threshold $threshold: no error");
	crash_and_restart($node);
	for my $case (@cases)
	{
		my ($name, undef, $count) = @$case;
		is($node->safe_psql('postgres', "$good $name"), $count ? "$count|$count|t" : '0|0|', "threshold $threshold: $name");
		verify_clean($node, $name, "threshold $threshold");
	}
	# and they can be written
	$node->safe_psql('postgres', join ';', map { "INSERT INTO $_->[0] $rows" } @cases);
	crash_and_restart($node);
	for my $case (@cases)
	{
		my ($name, undef, $count) = @$case;
		my $sum = $name =~ /^unlogged/ ? 0 : $count + 6000;
		is(rows($node, $name), $sum, "threshold $threshold: $name loaded again");
		verify_clean($node, $name, "threshold $threshold, loaded again");
	}
}

is(log_complaints($node), '', 'no complaint in the log');
done_testing();
