# Sessions that load the library in the middle of their first command, because
# nothing preloads it: what that command writes is there for the next one.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('lazy', conf => "shared_preload_libraries = ''");
$node->start;

$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE plain (i int) USING retldb;
CREATE TABLE parted (i int) PARTITION BY RANGE (i);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000000) USING retldb;
CREATE FUNCTION copy_into_plain() RETURNS void LANGUAGE sql AS
	$$ COPY plain FROM PROGRAM 'seq 5000' $$;
));

# What each first command inserts, 5000 rows all of them.
my %first = (
	'INSERT SELECT' => [ 'plain', 'INSERT INTO plain SELECT generate_series(1, 5000)' ],
	'COPY' => [ 'plain', q(COPY plain FROM PROGRAM 'seq 5000') ],
	'COPY in a function' => [ 'plain', 'SELECT copy_into_plain()' ],
	'INSERT SELECT into a partition' => [ 'parted', 'INSERT INTO parted SELECT generate_series(1, 5000)' ],
	'COPY into a partition' => [ 'parted', q(COPY parted FROM PROGRAM 'seq 5000') ],
	'CREATE TABLE AS' => [ 'made', 'CREATE TABLE made USING retldb AS SELECT generate_series(1, 5000) AS i' ],
);

# What follows it in the transaction, and the rows that must be there then.
my @next = (
	[ 'nothing', '', 5000 ],
	[ 'savepoint, rolled back', 'SAVEPOINT s; DELETE FROM pg_class WHERE false; ROLLBACK TO s;', 5000 ],
	[ 'TRUNCATE', 'TRUNCATE %s;', 0 ],
	[ 'TRUNCATE, rolled back', 'SAVEPOINT s; TRUNCATE %s; ROLLBACK TO s;', 5000 ],
);

for my $name (sort keys %first)
{
	my ($table, $command) = @{ $first{$name} };

	for my $next (@next)
	{
		my ($what, $sql, $rows) = @$next;
		my $then = sprintf($sql =~ /%s/ ? $sql : "$sql%.0s", $table);

		$node->safe_psql('postgres', 'DROP TABLE IF EXISTS made; TRUNCATE plain, parted');
		my ($status, $out, $err) =
		  $node->psql('postgres', "BEGIN; $command; $then SELECT 'in', count(*) FROM $table; COMMIT;");
		is($status, 0, "$name, then $what: no error") or diag($err);
		like($out, qr/^in\|$rows$/m, "$name, then $what: rows in the transaction");
		is($node->safe_psql('postgres', "SELECT count(*) FROM $table"), $rows,
			"$name, then $what: rows afterwards");
	}
}
$node->safe_psql('postgres', 'BEGIN; INSERT INTO parted SELECT generate_series(1, 5000); DROP TABLE parted; COMMIT');
is($node->safe_psql('postgres', "SELECT to_regclass('parted') IS NULL"), 't', 'table is dropped where it was loaded');
is($node->safe_psql('postgres', "SELECT count(*) FROM retldb.verify('plain')"), '0', 'verification finds nothing');

$node->stop;
done_testing();
