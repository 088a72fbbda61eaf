# ALTER EXTENSION ... UPDATE: from every version there is a script of to the
# newest.  What comes out must be what CREATE EXTENSION makes, and tables must
# survive it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

# All that belongs to the extension, with its definition and rights.
my $objects = q(
SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
    SELECT pg_describe_object(classid, objid, objsubid)
           || ' ' || coalesce(CASE classid WHEN 'pg_proc'::regclass THEN
                  (SELECT pg_get_functiondef(objid) || coalesce(proacl::text, '') FROM pg_proc WHERE oid = objid)
              WHEN 'pg_class'::regclass THEN
                  (SELECT pg_get_viewdef(objid) || coalesce(relacl::text, '') FROM pg_class WHERE oid = objid)
              END, '')
           || ' ' || coalesce(obj_description(objid, classid::regclass::text), '') AS line
      FROM pg_depend
     WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
       AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'retldb')) l);

my $node = new_server('update');
$node->start;

my $newest = $node->safe_psql('postgres',
	"SELECT default_version FROM pg_available_extensions WHERE name = 'retldb'");
my @older = split /\n/, $node->safe_psql('postgres', "
SELECT source FROM pg_extension_update_paths('retldb')
 WHERE target = '$newest' AND path IS NOT NULL
   AND source IN (SELECT version FROM pg_available_extension_versions WHERE name = 'retldb')
 ORDER BY 1");
cmp_ok(scalar @older, '>=', 1, "there are versions to update to $newest from: @older");

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION retldb');
my $expected = $node->safe_psql('fresh', $objects);
like($expected, qr/function retldb\.storage_report/, 'objects of the newest version are listed');
is($node->safe_psql('fresh', "SELECT extversion FROM pg_extension WHERE extname = 'retldb'"),
	$newest, 'CREATE EXTENSION installs the newest version');
like($node->safe_psql('fresh', 'SELECT retldb.version()'), qr/^retldb \Q$newest\E,/,
	'the library is of the version that the control file names');

for my $version (@older)
{
	(my $database = "from_$version") =~ tr/./_/;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "
CREATE EXTENSION retldb VERSION '$version';
CREATE TABLE old USING retldb AS SELECT i, 'row ' || i AS t FROM generate_series(1, 5000) i;
CREATE TABLE inherits (i int) PARTITION BY LIST (i) USING retldb WITH (compression = zstd);");
	isnt($node->safe_psql($database, $objects), $expected, "$version differs from $newest");
	my $before = $node->safe_psql($database, 'SELECT count(*), sum(i), md5(string_agg(t, \'\' ORDER BY i)) FROM old');

	$node->safe_psql($database, 'ALTER EXTENSION retldb UPDATE');
	is($node->safe_psql($database, "SELECT extversion FROM pg_extension WHERE extname = 'retldb'"),
		$newest, "updated from $version");
	is($node->safe_psql($database, $objects), $expected, "after the update from $version: what a fresh $newest has");
	is($node->safe_psql($database, 'SELECT count(*), sum(i), md5(string_agg(t, \'\' ORDER BY i)) FROM old'),
		$before, 'the table reads as before');
	$node->safe_psql($database, 'INSERT INTO old SELECT i, \'new\' FROM generate_series(1, 3000) i');
	is($node->safe_psql($database, 'SELECT count(*) FROM old'), '8000', 'and can be written');
	is($node->safe_psql($database, "SELECT count(*) FROM retldb.verify('old')"), '0', 'and is sound');
}

$node->stop;
done_testing();
