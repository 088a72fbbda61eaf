# Flip single bytes of every kind of page: verification finds each, a query that
# meets one fails with data_corrupted and says where, and the rescue setting
# lets the healthy row groups be read.
#
# Many small tables get the same contents and one flipped byte each, while the
# server is down.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use RetldbTest;

seed_random();

my $page_size = 8192;
my $flips = $ENV{RETLDB_FLIPS} || 120;
my %kinds = (1 => 'header', 2 => 'directory', 3 => 'zone map', 4 => 'data', 5 => 'run list');
my ($stub_maps, $links, $stub_numbers) = (6, 8, 9);
my $columns = 'id int, name text, amount numeric, score float8, flag bool, large text';

# A file as a list of pages, and the column pages of it by kind.
sub read_pages
{
	my ($file) = @_;
	my $content = slurp_file_raw($file);
	my %pages;

	for my $block (0 .. length($content) / $page_size - 1)
	{
		my ($magic, $kind) = unpack('x24 v C', substr($content, $block * $page_size, 27));
		push @{ $pages{$kind} }, $block if $magic == 0x4C52;
	}
	return ($content, \%pages);
}

sub slurp_file_raw
{
	my ($file) = @_;
	open my $handle, '<:raw', $file or die "$file: $!";
	local $/;
	return scalar <$handle>;
}

sub write_file_raw
{
	my ($file, $content) = @_;
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle $content;
	close $handle or die "$file: $!";
}

# Offsets to flip in a page: fields of the headers, then anywhere in the part in
# use, and behind it.
sub offsets
{
	my ($content, $block, $count, $checksums) = @_;
	my $used = unpack('V', substr($content, $block * $page_size + 44, 4));
	my @fields = (12, 14, 16, 18, 24, 26, 27, 28, 32, 40, 44, 48, 49, 56);
	my @offsets;

	unshift @fields, 0, 8 if $checksums;
	push @offsets, $fields[ int rand @fields ] for 1 .. $count / 4;
	push @offsets, 48 + int rand($used || 1) for 1 .. $count / 2;
	push @offsets, 48 + int rand($page_size - 48) while @offsets < $count;
	return @offsets;
}

# What a query on the table does: its result, or state and message of its error.
my $probe = q(
CREATE FUNCTION probe(query text, OUT result text, OUT state text, OUT message text)
LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    context text;
BEGIN
    EXECUTE query INTO result;
EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT;
    message := message || ' ' || detail || ' ' || context;
END $$;
);

sub probe_sql
{
	my ($query) = @_;
	return "SELECT row_to_json(p) FROM probe(\$q\$$query\$q\$) p";
}

sub run_flips
{
	my ($name, @init) = @_;
	my $checksums = @init > 0;
	my $node = new_server($name, $checksums ? @init : (no_data_checksums => 1), conf => q(
autovacuum = off
retldb.row_store_rows = 20
retldb.row_group_rows = 500
retldb.vector_rows = 64
));
	$node->start;
	$node->safe_psql('postgres', "CREATE EXTENSION retldb; $probe");
	$node->safe_psql('postgres', join '', map { "CREATE TABLE t$_ ($columns) USING retldb;" } 1 .. $flips);
	$node->safe_psql('postgres', "CREATE TABLE original ($columns) USING retldb");
	my $load = q(INSERT INTO original SELECT i, 'name ' || i % 70, i / 7.0, i, i % 3 = 0,
		CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 700) END FROM generate_series(%d, %d) i;);
	my @scripts = map { start_script($node, sprintf($load, 1 + 1300 * $_, 1300 * ($_ + 1))) } 0, 1;
	finish_script($_) for @scripts;
	# and a row group that has taken over the pages of others that were aborted,
	# each time with some more behind what was loaded in between: its runs do
	# not fit into its directory entry
	$load =~ s/repeat/reverse/;
	$load =~ s/, 700//;
	$load =~ s/i % 50 = 0/true/;
	for my $size (1 .. 6)
	{
		$node->safe_psql('postgres', 'SET retldb.row_group_rows = 5000; BEGIN;' . sprintf($load, 10001, 10000 + 500 * $size)
			  . ($size < 6 ? 'ROLLBACK;' : 'COMMIT;')
			  . 'SET retldb.row_group_rows = 500;' . sprintf($load, 20001 + 200 * $size, 20200 + 200 * $size) . 'VACUUM original;');
	}
	my $largest = $node->safe_psql('postgres', q(SELECT max(rows) FROM retldb.row_groups('original')));
	my $expected = $node->safe_psql('postgres', 'SELECT count(*), md5(string_agg(o::text, id::text ORDER BY id)) FROM original o');
	my ($total) = split /\|/, $expected;
	my @files = map { $node->data_dir . '/' . $_ } split /\n/,
	  $node->safe_psql('postgres', "SELECT pg_relation_filepath(r::regclass) FROM (SELECT 0 AS i, 'original' AS r UNION ALL SELECT i, 't' || i FROM generate_series(1, $flips) i) x ORDER BY i");
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->stop;

	my ($content, $pages) = read_pages($files[0]);
	note("$name: pages of kind " . join ', ', map { "$kinds{$_}: " . @{ $pages->{$_} } } sort grep { $kinds{$_} } keys %$pages);
	is(join(' ', grep { $pages->{$_} } 1 .. 5), '1 2 3 4 5', "$name: every kind of page is there");

	my @flipped;
	my @queue = sort grep { $kinds{$_} } keys %$pages;
	for my $i (1 .. $flips)
	{
		my $kind = $queue[ $i % @queue ];
		my $block = $pages->{$kind}[ int rand @{ $pages->{$kind} } ];
		my ($offset) = (offsets($content, $block, 4, $checksums))[ int rand 4 ];
		my $changed = $content;
		substr($changed, $block * $page_size + $offset, 1) ^= chr(1 << int rand 8);
		write_file_raw($files[$i], $changed);
		# forks that tell what was in the main fork before
		unlink "$files[$i]_vm", "$files[$i]_fsm";
		push @flipped, { table => "t$i", kind => $kind, what => "$kinds{$kind} page, block $block, offset $offset" };
	}
	$node->start;

	my (@unfound, @unnamed, @wrong, @unreadable);
	my $query = q(SELECT count(*) || '|' || md5(string_agg(o::text, id::text ORDER BY id)) FROM %s o);
	my $found = q(SELECT count(*) FROM retldb.verify('%s', true));
	for my $flip (@flipped)
	{
		my ($table, $what) = @$flip{qw(table what)};
		my @sql = (
			probe_sql(sprintf $found, $table),
			probe_sql(sprintf $query, $table),
			'SET retldb.enable_columnar_scan = off',
			probe_sql(sprintf $query, $table),
			'RESET retldb.enable_columnar_scan; SET client_min_messages = error; SET retldb.skip_damaged_groups = on',
			probe_sql("SELECT count(*) FROM (SELECT * FROM $table ORDER BY large) x"));
		my ($verified, @queries) = map { decode_json($_) } split /\n/, $node->safe_psql('postgres', join ';', @sql);
		my $rescued = pop @queries;

		push @unfound, $what unless $verified->{state} || $verified->{result} > 0;
		for my $result (@queries)
		{
			next if ($result->{result} // '') eq $expected;
			push @wrong, "$what: " . encode_json($result) if ($result->{state} // '') ne 'XX001';
			# what PostgreSQL itself finds, by its header or checksum, names the file
			push @unnamed, "$what: $result->{message}" if !$checksums && $result->{message} !~ /"$table"|^invalid page in block/;
		}
		# how many rows must be left, by the kind of page: those of a data page
		# belong to one row group, a directory page is that of all of them
		my %left = (1 => $total, 2 => 0, 3 => $total, 4 => $total - $largest, 5 => $total - $largest);
		push @unreadable, "$what: " . encode_json($rescued)
		  if !$checksums && ($rescued->{message} // '') !~ /^invalid page in block/
		  && ($rescued->{result} // -1) < $left{ $flip->{kind} };
	}
	is(join("\n", @unfound), '', "$name: verification finds all of $flips flipped bytes");
	is(join("\n", @wrong), '', "$name: queries answer right or fail with XX001");
	is(join("\n", @unnamed), '', "$name: errors name the table");
	is(join("\n", @unreadable), '', "$name: other row groups can be rescued");
	is($node->safe_psql('postgres', sprintf($query, 'original')), $expected, "$name: the original is as it was");
	verify_clean($node, 'original', $name);
	is(join('', grep { /PANIC|terminated by signal|TRAP/ } split /^/, slurp_file($node->logfile)), '', "$name: no crash");
	$node->stop;
}

# VACUUM with the rescue setting must not take for free what a damaged directory
# page does not name any more, and VACUUM FULL must not leave rows out.
sub run_vacuum
{
	my $node = new_server('vacuum', no_data_checksums => 1, conf => q(
autovacuum = off
retldb.row_store_rows = 20
retldb.row_group_rows = 5000
));
	my $query = 'SELECT count(*), sum(id) FROM %s';
	$node->start;
	$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
CREATE TABLE groups (id int, name text) USING retldb WITH (compression = none);
INSERT INTO groups SELECT i, md5(i::text) FROM generate_series(1, 30000) i;
CREATE TABLE rows (id int) USING retldb;
INSERT INTO rows VALUES (1), (2), (3);
CHECKPOINT));
	my $expected = $node->safe_psql('postgres', sprintf $query, 'groups');
	my ($groups, $rows) = map { $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") } 'groups', 'rows';
	$node->stop;

	my ($content, $pages) = read_pages($groups);
	my $offset = $pages->{2}[0] * $page_size + 60;
	substr($content, $offset, 1) ^= chr(1);
	write_file_raw($groups, $content);
	# the length of the first line pointer of the first row store page
	my ($stored, $kinds) = read_pages($rows);
	my %column_pages = map { $_ => 1 } map { @$_ } values %$kinds;
	my ($block) = grep { !$column_pages{$_} } 0 .. length($stored) / $page_size - 1;
	substr($stored, $block * $page_size + 24, 4) = pack('V', 8100 | 1 << 15 | 4000 << 17);
	write_file_raw($rows, $stored);
	unlink "${groups}_vm", "${groups}_fsm", "${rows}_vm", "${rows}_fsm";

	$node->start;
	my $size = -s $groups;
	$node->psql('postgres', 'SET retldb.skip_damaged_groups = on; VACUUM groups');
	is(-s $groups, $size, 'VACUUM cuts nothing off with the rescue setting');
	my $refused;
	$node->psql('postgres', 'SET retldb.skip_damaged_groups = on; VACUUM FULL groups', stderr => \$refused);
	like($refused, qr/cannot rewrite table "groups"/, 'VACUUM FULL is refused with the rescue setting');
	$node->psql('postgres', 'SET retldb.skip_damaged_groups = on; ALTER TABLE groups SET ACCESS METHOD heap', stderr => \$refused);
	like($refused, qr/cannot rewrite table "groups"/, 'so is ALTER TABLE that writes the table anew');
	$node->psql('postgres', 'VACUUM FULL rows', stderr => \$refused);
	like($refused, qr/invalid line pointer/, 'VACUUM FULL does not leave out a damaged row');
	$node->stop;

	# what was damaged was one bit
	open my $handle, '+<:raw', $groups or die "$groups: $!";
	seek $handle, $offset, 0;
	print $handle chr(ord(substr($content, $offset, 1)) ^ 1);
	close $handle or die "$groups: $!";
	$node->start;
	my ($status, $found) = $node->psql('postgres', sprintf $query, 'groups');
	is($found, $expected, 'and all rows are there when the directory page is mended');
	$node->stop;
}

# A page is damaged on disk after a session has checked the unit that is on it, leaves
# shared buffers and is read again.  The session reads parts of the unit from then on,
# but must not believe what it finds there, nor must another one that comes later.
sub run_read_again
{
	my $node = new_server('again', no_data_checksums => 1, conf => q(
autovacuum = off
shared_buffers = 1MB
retldb.row_store_rows = 20
));
	$node->start;
	$node->safe_psql('postgres', q(
CREATE EXTENSION retldb;
DO $$ BEGIN
	FOR i IN 1 .. 8 LOOP
		EXECUTE format('CREATE TABLE filler%s (a text) USING heap', i);
		EXECUTE format('INSERT INTO filler%s SELECT repeat(''x'', 1000) FROM generate_series(1, 7 * 28)', i);
	END LOOP;
END $$;));
	read_again($node, $_) for 'none', 'lz4';
	$node->stop;
}

sub read_again
{
	my ($node, $compression) = @_;

	# the last column's values, 8 bytes each, are not to be compressed by anything
	$node->safe_psql('postgres', qq(
CREATE TABLE t (id int PRIMARY KEY, same int, value bigint) USING retldb WITH (compression = $compression);
INSERT INTO t SELECT i, 7, ('x' || substr(md5(i::text), 1, 16))::bit(64)::bigint FROM generate_series(1, 40000) i;
CHECKPOINT;));
	my $file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('t')");
	my $wanted = 'SELECT value FROM t WHERE id = %d;';
	my $value = $node->safe_psql('postgres', sprintf $wanted, 3000);
	my $place = index slurp_file_raw($file), pack('q<', $value);
	cmp_ok($place, '>', 0, "$compression: the value stands in the file as it is");
	my $flip = "\\! perl -e 'open my \$h, qq(+<:raw), qq($file) or die; seek \$h, $place, 0; read \$h, my \$c, 1; seek \$h, $place, 0; print \$h chr(ord(\$c) ^ 4)'\n";
	# tables of less than a quarter of the buffers each, again and again, until nothing else is there
	my $evict = "\\o /dev/null\n" . join('', map { "SELECT sum(length(a)) FROM filler$_;\n" } (1 .. 8)) x 20 . "\\o\n";
	# a session that stays in a unit has it in its memory; so another one is visited in between
	my $fetch = sprintf("$wanted\n\\o /dev/null\n$wanted\n\\o\n", 3000, 30000) x 3;
	my $outcome = sub {
		my $script = start_script($node, join '', "\\set ON_ERROR_STOP off\nSET enable_seqscan = off;\n", @_);
		my $output = join ' ', split /\n/, finish_script($script);
		return join ' | ', grep { $_ ne '' } $output, $script->{err} =~ /(?:ERROR|DETAIL): .*/g;
	};

	is($outcome->($fetch, $evict, $fetch), join(' ', ($value) x 6), "$compression: the pages are read again");
	my $found = $outcome->($fetch, $flip, $evict, $fetch, sprintf($wanted, 20000), $flip, $evict, $fetch);
	like($found, qr/^$value $value $value /, "$compression: values before the damage");
	is(scalar(() = $found =~ /wrong checksum/g), 3, "$compression: damage of a page that was read again is seen") or note($found);
	like($found, qr/^($value ){3}-?\d+ ($value ){2}$value \|/, "$compression: and other pages, or this one when it is mended, are read") or note($found);
	like($outcome->($fetch, $flip, $evict, $fetch, $flip), qr/^$value $value $value \|/, "$compression: so it is by another session");
	$node->safe_psql('postgres', 'DROP TABLE t');
}

# What pages say that are sound as such: links, stub numbers, the visibility map.  Tables
# that compaction has just changed, while somebody may see them as they were, get the
# files of others, with a number or bit changed in each.
sub run_contents
{
	my $node = new_server('contents', no_data_checksums => 1, conf => q(
autovacuum = off
retldb.row_store_rows = 20
));
	# links: [row u32, length u32, place u32] from 16 on, or places; numbers: entries from 8 on
	my $first_link = 16;
	my %damage = (
		'runs, a length' => [ 'moved', $links, $first_link + 4, 'V', 100000, 'links have an invalid run of rows from row 0' ],
		'runs, base beyond' => [ 'moved', $links, 8, 'Q<', 1 << 39, 'links lead row 0 out of range' ],
		'runs, base before' => [ 'moved', $links, 8, 'Q<', 0, 'links lead row 0 out of range' ],
		'runs, a place twice' => [ 'moved', $links, $first_link + 12 + 8, 'V', 50, qr/links lead two rows to row number \d+/ ],
		'runs, a row too early' => [ 'moved', $links, $first_link + 12, 'V', 7, 'links have an invalid run of rows from row 7' ],
		'rows, a place beyond' => [ 'sorted', $links, $first_link + 4 * 7, 'V', 0xFFFFFFFE, 'links lead row 7 out of range' ],
		'rows, a place twice' => [ 'sorted', $links, $first_link + 4 * 7, 'V', sub { $_[0] + 1 }, qr/links lead two rows to row number \d+/ ],
		'rows, too few' => [ 'sorted', $links, 4, 'V', 5, 'links have 5 rows on page 0' ],
		'number missing' => [ 'moved', $stub_numbers, 8, 'Q<', sub { $_[0] & ~0xFFFFF | 399 }, qr/stub numbers (lack row \d+, whose stub is shared|have row \d+ in the wrong place)/ ],
		'numbers, too few' => [ 'moved', $stub_numbers, 0, 'V', 2, qr/stub numbers lack row \d+, whose stub is shared/ ],
		'number beyond' => [ 'moved', $stub_numbers, 8, 'Q<', sub { $_[0] & 0xFFFFF | 1 << 50 }, qr/stub number of row \d+ is out of range/ ],
		'number twice' => [ 'moved', $stub_numbers, 8, 'Q<', sub { $_[0] + (50 << 20) }, qr/stub numbers have number \d+ twice/ ],
		'numbers not named' => [ 'moved', $stub_maps, 12, 'V', 0, qr/stub map has an invalid entry for row \d+/ ],
		'map, page not visible' => [ 'rows', 'map', 1, undef, undef, 'page is not marked all-visible but its visibility map bits are set' ],
		'map, deleted row' => [ 'rows', 'page and map', 1, undef, undef, 'tuple at offset 2 is not visible to everybody, but the page is marked all-visible' ],
		'map, not frozen' => [ 'frozen', 'map', 3, undef, undef, 'tuple at offset 1 is not frozen, but the visibility map says that all of the page are' ],
		'map, frozen only' => [ 'frozen', 'map', 2, undef, undef, 'visibility map says that the page is all-frozen but not all-visible' ]);
	my @cases = sort keys %damage;
	my @tables = qw(moved sorted rows frozen);

	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION retldb; CREATE TABLE held (a int);' . join '', map {
		"CREATE TABLE $_ (id int, value int) USING retldb WITH (row_group_rows = 2000" . ($_ eq 'sorted' ? ", order_by = 'value'" : '') . ');' } @tables);
	$node->safe_psql('postgres', "CREATE TABLE c$_ (id int, value int) USING retldb WITH (row_group_rows = 2000)") for 0 .. $#cases;
	$node->safe_psql('postgres', q(
INSERT INTO moved SELECT i, i FROM generate_series(1, 200) i;
INSERT INTO moved SELECT i, i FROM generate_series(201, 400) i;
DELETE FROM moved WHERE id IN (100, 300);
BEGIN; SELECT FROM moved WHERE id % 50 = 3 FOR UPDATE; COMMIT;
INSERT INTO sorted SELECT i, i * 7919 % 4001 FROM generate_series(1, 2000) i;
INSERT INTO sorted SELECT i, i * 7919 % 4001 FROM generate_series(2001, 4000) i;
INSERT INTO rows SELECT generate_series(1, 5);
INSERT INTO frozen SELECT generate_series(1, 5);
VACUUM frozen;
DELETE FROM rows WHERE id = 2;
BEGIN; INSERT INTO held VALUES (1); PREPARE TRANSACTION 'horizon';
CALL retldb.compact('moved'); CALL retldb.compact('sorted');
CHECKPOINT));
	verify_clean($node, $_, 'contents') for @tables;
	my %file = map { $_ => $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") } (@tables, map { "c$_" } 0 .. $#cases);
	$node->stop;

	for my $i (0 .. $#cases)
	{
		my ($table, $kind, $offset, $template, $value) = @{ $damage{ $cases[$i] } };
		my ($content, $pages) = read_pages($file{$table});
		my $file = $file{"c$i"};
		write_file_raw($file, $content);
		unlink "${file}_vm", "${file}_fsm";
		if ($kind =~ /map/)
		{
			# the row store has one page
			my %column_pages = map { $_ => 1 } map { @$_ } values %$pages;
			my ($block) = grep { !$column_pages{$_} && substr($content, $_ * $page_size, 24) =~ /[^\0]/ } 0 .. length($content) / $page_size - 1;
			substr($content, $block * $page_size + 10, 1) |= chr(4) if $kind =~ /page/;
			write_file_raw($file, $content);
			my $map = -e "$file{$table}_vm" ? slurp_file_raw("$file{$table}_vm") : pack('x12 v v v v x4', 24, $page_size, $page_size, 0x2004) . "\0" x ($page_size - 24);
			vec($map, 24 * 4 + $block, 2) = $offset;
			write_file_raw("${file}_vm", $map);
			next;
		}
		my $block = $pages->{$kind}[ $kind == $stub_maps ? -1 : 0 ];    # of the old groups', or the new one's
		my $old = set_page_field($file, $block, $offset, $template, 0);
		set_page_field($file, $block, $offset, $template, ref $value ? $value->($old) : $value);
	}
	$node->start;
	for my $i (0 .. $#cases)
	{
		my $found = $node->safe_psql('postgres', "SELECT string_agg(fault, '; ' ORDER BY block, fault) FROM retldb.verify('c$i')");
		my $expected = $damage{ $cases[$i] }[5];
		like($found, ref $expected ? qr/^$expected$/ : qr/^\Q$expected\E$/, "contents: $cases[$i]");
	}
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'horizon'");
	verify_clean($node, $_, 'contents') for @tables;
	$node->stop;
}

run_contents();
run_read_again();
run_vacuum();
run_flips('plain');
run_flips('checksums', extra => ['--data-checksums']);

done_testing();
