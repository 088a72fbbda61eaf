# Tables of a newer format are refused by name: not read, not written, and not
# taken for damaged.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

my $node = new_server('versions');
without_checksums($node);
$node->start;
$node->safe_psql('postgres', q(CREATE EXTENSION retldb;
CREATE TABLE t (a int, b text) USING retldb;
INSERT INTO t SELECT i, 'x' FROM generate_series(1, 5000) i));
my $file = $node->data_dir . '/' . $node->safe_psql('postgres', q(SELECT pg_relation_filepath('t')));

my @changes = (
	[ 'format version', 8, 2, qr/table "t" has an unsupported format version/ ],
	[ 'incompatible feature', 24, 0x80, qr/table "t" has unsupported incompatible features/ ],
	[ 'incompatible feature beside all known ones', 24, 0x0F, qr/table "t" has unsupported incompatible features/ ]);
for my $change (@changes)
{
	my ($what, $offset, $value, $message) = @$change;

	$node->stop;
	my $old = set_header_field($file, $offset, 'V', $value);
	$node->start;
	for my $sql ('SELECT count(*) FROM t',
		'SET retldb.enable_columnar_scan = off; SELECT count(*) FROM t',
		'SET retldb.skip_damaged_groups = on; SELECT count(*) FROM t',
		'SET retldb.row_store_rows = 0; INSERT INTO t SELECT 1 FROM generate_series(1, 10)')
	{
		my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
		like($err, qr/0A000/, "$what: $sql: not supported");
		like($err, $message, "$what: $sql: by name");
	}
	like($node->safe_psql('postgres', q(SELECT fault FROM retldb.verify('t'))), qr/unsupported/, "$what: verification says so");

	$node->stop;
	set_header_field($file, $offset, 'V', $old);
	$node->start;
	is($node->safe_psql('postgres', 'SELECT count(*), sum(a) FROM t'), '5000|12502500', "$what: nothing was lost");
	verify_clean($node, 't', $what);
}
$node->stop;
done_testing();
