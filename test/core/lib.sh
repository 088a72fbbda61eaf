# shellcheck shell=bash disable=SC2034
# test/core/lib.sh
#     PostgreSQL's own regression and isolation tests with retldb as the default
#     table access method.  What test/core/run and the stage core of test/run
#     share; to be sourced by bash after test/lib.sh.
#
# The tests come with the server's Debian source package, whose test directory
# is not part of the binary packages.  Where no source can be had there is
# nothing to run.
#
#     RETLDB_PGSRC   an unpacked source of PostgreSQL to use instead

CORE_PACKAGES="ca-certificates bzip2"
CORE_MODES="store groups isolation-store isolation-groups"
CORE_TESTS=				# directory src/test of the source
CORE_LISTS=$TOP/test/core

# Address space of each server process, in kB: a plan gone wrong must not take
# the machine with it.
CORE_LIMIT=6000000

# Seconds for a statement; a quarter to wait for a lock, 15 times it for a suite.
CORE_SECONDS=${PG_TEST_TIMEOUT_DEFAULT:-120}

# ---------------------------------------------------------------- the source

# Copies of the system's package sources that name source packages, in DIR;
# nothing of the system is changed.
core_write_sources()
{
    local dir=$1 file

    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] && sed -n 's/^deb\([[:space:]]\)/deb-src\1/p' "$file"
    done >"$dir/copy.list"
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$dir/$(basename "$file")"
    done
    return 0
}

# core_apt DIR PROGRAM ARGUMENT...: apt-get or apt-cache with those sources and a
# state of its own in DIR
core_apt()
{
    local dir=$1 program=$2
    shift 2
    (cd "$dir" && "$program" -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/sources" \
        -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User= \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Debug::NoLocking=1 "$@")
}

# Fetch and unpack the source package of the installed server, or of the newest
# one that the mirror has.  A source that cannot be read is passed over.
core_download()
{
    local dir=$WORK/pgsrc version archive

    as_user mkdir -p "$dir/sources" "$dir/lists/partial" "$dir/cache/archives/partial"
    core_write_sources "$dir/sources"
    core_apt "$dir" apt-get update 2>/dev/null
    # the server's own version first; mirrors may list what they no longer have
    for version in $(dpkg-query -W -f '${source:Version}' "postgresql-$PG_MAJOR") \
        $(core_apt "$dir" apt-cache showsrc "postgresql-$PG_MAJOR" 2>/dev/null |
            sed -n 's/^Version: //p' | sort -Vru); do
        core_apt "$dir" apt-get --download-only source "postgresql-$PG_MAJOR=$version" 2>/dev/null && break
    done
    for archive in "$dir"/*.orig.tar.*; do
        [ -f "$archive" ] || return 1
        tar -C "$dir" -xf "$archive" --no-same-owner --strip-components=1 --wildcards \
            '*/src/test/regress' '*/src/test/isolation' || return 1
    done
    [ "$(id -u)" != 0 ] || chown -R "$RUNAS" "$dir"
}

# Set CORE_TESTS to the tests' directory; false if there is no source.
core_find_tests()
{
    local source=${RETLDB_PGSRC:-$WORK/pgsrc}

    if [ ! -f "$source/src/test/regress/parallel_schedule" ]; then
        [ -z "${RETLDB_PGSRC:-}" ] || { say "no tests in $RETLDB_PGSRC"; return 1; }
        core_download || return 1
    fi
    CORE_TESTS=$source/src/test
    [ -f "$CORE_TESTS/regress/parallel_schedule" ] && [ -f "$CORE_TESTS/isolation/isolation_schedule" ]
}

# ---------------------------------------------------------------- running

# Modules that the tests load.
core_build_modules()
{
    local dir=$WORK/core/lib module

    as_user mkdir -p "$dir"
    as_user gcc -O1 -shared -fPIC -I "$("$PGBIN/pg_config" --includedir-server)" \
        -o "$dir/regress.so" "$CORE_TESTS/regress/regress.c" || return 1
    for module in autoinc refint; do
        as_user cp "$("$PGBIN/pg_config" --pkglibdir)/$module.so" "$dir/" || return 1
    done
}

# The directory of a mode's tests.
core_suite()
{
    case $1 in
        isolation-*) echo "$CORE_TESTS/isolation" ;;
        *) echo "$CORE_TESTS/regress" ;;
    esac
}

# The mode that has a mode's tests run with heap.
core_heap_mode()
{
    case $1 in
        isolation-*) echo isolation-heap ;;
        *) echo heap ;;
    esac
}

# Settings of a mode, one a line.
core_settings()
{
    case ${1#isolation-} in
        heap) ;;
        store) echo "default_table_access_method = retldb" ;;
        # every row into a row group at once
        groups) printf '%s\n' "default_table_access_method = retldb" "retldb.row_store_rows = 0" \
            "retldb.row_group_rows = 64" "retldb.vector_rows = 64" ;;
    esac
}

# core_run_suite MODE: run the tests of a mode on the server that runs for it.
core_run_suite()
{
    local mode=$1 dir=$WORK/core/$1 suite programs
    suite=$(core_suite "$mode")
    programs=$(dirname "$("$PGBIN/pg_config" --pgxs)")/../../src/test

    case $mode in
        isolation-*)
            # its isolationtester is looked for beside the server's programs, then in PATH
            as_user env PATH="$programs/isolation:$PATH" timeout $((15 * CORE_SECONDS)) \
                "$programs/isolation/pg_isolation_regress" --bindir="$PGBIN" --inputdir="$suite" \
                --outputdir="$dir" --load-extension=retldb --dbname=isolation_regression \
                --schedule="$suite/isolation_schedule"
            ;;
        *)
            as_user timeout $((15 * CORE_SECONDS)) "$programs/regress/pg_regress" --bindir="$PGBIN" \
                --dlpath="$WORK/core/lib" --inputdir="$suite" --outputdir="$dir" \
                --load-extension=retldb --max-concurrent-tests=20 --dbname=regression \
                --schedule="$suite/parallel_schedule"
            ;;
    esac >"$dir/pg_regress.out" 2>&1
}

# core_run_schedule MODE: run all tests on a cluster of their own; results are
# then in WORK/core/MODE/results.
core_run_schedule()
{
    local mode=$1 dir=$WORK/core/$1 lines limit timeouts=

    mapfile -t lines < <(core_settings "$mode")
    # tests of isolation wait for each other, and have timeouts of their own
    case $mode in isolation-*) ;; *) timeouts=1 ;; esac
    as_user rm -rf "$dir"
    as_user mkdir -p "$dir"
    limit=$(ulimit -S -v)
    ulimit -S -v $CORE_LIMIT
    start_cluster "core-$mode" "${lines[@]}" "fsync = off" "max_prepared_transactions = 2" \
        "max_connections = 60" "shared_buffers = 128MB" "log_min_messages = warning" \
        "temp_file_limit = 2GB" "retldb.autocompact = off" \
        ${timeouts:+"lock_timeout = $((CORE_SECONDS / 4))s" "statement_timeout = ${CORE_SECONDS}s"} \
        "log_line_prefix = '%m [%p] %q%a '" || return 1
    ulimit -S -v "$limit"
    core_run_suite "$mode"
    stop_cluster "core-$mode"
    # a server that goes down takes the rest of the schedule with it
    if grep -E "PANIC|terminated by signal|TRAP:" "$WORK/run/core-$mode/server.log"; then
        say "the server crashed in mode $mode"
        return 1
    fi
}


# ---------------------------------------------------------------- judging

# core_compare MODE: the tests and how many lines of each differ, in
# WORK/core/MODE.lines; a test may also answer as heap does on this server, for
# its source may be older.
core_compare()
{
    local reference
    reference=$WORK/core/$(core_heap_mode "$1")/results
    [ -d "$reference" ] || reference=
    # shellcheck disable=SC2086
    python3 "$CORE_LISTS/compare.py" "$WORK/core/$1/results" "$(core_suite "$1")/expected" \
        $reference >"$WORK/core/$1.lines"
}

# Tests of a mode, as the schedule of this source has them.
core_scheduled()
{
    sed -n 's/^test: //p' "$(core_suite "$1")"/*_schedule | tr -s ' ' '\n' | sort -u
}

# Tests that not_passing has a line for: in a mode, on this version.
#     core_excused MODE here     a line that names this version
#     core_excused MODE any      such a line, or one that names no version
core_excused()
{
    awk -F: -v mode="$1" -v major="$PG_MAJOR" -v which="$2" '
        /^#/ || !/:/ { next }
        {
            count = split($1, words, " ")
            versions = modes = named = fits = 0
            for (i = 2; i <= count; i++)
                if (words[i] ~ /^[0-9]+$/) { versions++; named += words[i] == major }
                else { modes++; fits += words[i] == mode }
            if ((modes == 0 || fits > 0) && (named > 0 || (which == "any" && versions == 0)))
                print words[1]
        }' "$CORE_LISTS/not_passing" | sort -u
}

# Tests that must pass in a mode: those on its list that this version has and
# no line of not_passing excuses on it.
core_must_pass()
{
    comm -23 <(comm -12 <(grep -v '^#' "$CORE_LISTS/$1.pass" | sort) <(core_scheduled "$1")) \
        <(core_excused "$1" here)
}

core_failed()
{
    comm -13 <(awk '$2 == "ok" { print $1 }' "$WORK/core/$1.lines" | sort) <(core_must_pass "$1")
}

# Tests that need not pass in a mode, without a line that says why.
core_unexplained()
{
    comm -23 <(awk '{ print $1 }' "$WORK/core/$1.lines" | sort) \
        <(sort -u <(core_must_pass "$1") <(core_excused "$1" any))
}

# core_judge MODE: is every test right that must be?  Says which are not, and
# which are right although they are not on the list.
core_judge()
{
    local mode=$1 heap failed more name
    heap=$(core_heap_mode "$mode")

    core_compare "$mode"
    failed=$(core_failed "$mode")
    if [ -n "$failed" ] && [ ! -d "$WORK/core/$heap/results" ]; then
        say "asking heap, for the expected output may be older than the server"
        core_run_schedule "$heap" || return 1
        core_compare "$mode"
        failed=$(core_failed "$mode")
    fi
    more=$(comm -23 <(awk '$2 == "ok" { print $1 }' "$WORK/core/$mode.lines" | sort) \
        <(core_must_pass "$mode") | tr '\n' ' ')
    say "$mode: $(core_must_pass "$mode" | wc -l) of $(wc -l <"$WORK/core/$mode.lines") tests must pass;" \
        "$(echo $failed | wc -w) of them failed"
    [ -z "$more" ] || say "$mode: pass, but are not on the list: $more"
    more=$(core_unexplained "$mode" | tr '\n' ' ')
    [ -z "$more" ] || say "$mode: not_passing does not say why these do not pass: $more"
    for name in $failed; do
        say "---- $mode: $name"
        python3 "$CORE_LISTS/compare.py" --diff "$name" "$WORK/core/$mode/results" \
            "$(core_suite "$mode")/expected" | head -n 40
    done
    [ -z "$failed$more" ]
}

# core_write_list MODE: those that passed, and of the list those that this version
# does not have or not_passing excuses on it.
core_write_list()
{
    local list=$CORE_LISTS/$1.pass lines

    core_compare "$1"
    lines=$(head -n 1 "$list"
        { awk '$2 == "ok" { print $1 }' "$WORK/core/$1.lines"
            comm -23 <(grep -v '^#' "$list" | sort) <(core_must_pass "$1"); } | sort -u)
    printf '%s\n' "$lines" >"$list"
}

# core_run MODE...: all of it, on the server in PREFIX.  True, with a message, if
# there is no source.
core_run()
{
    local mode result=0

    if ! core_find_tests; then
        say "skipped: the source package of PostgreSQL cannot be fetched"
        return 0
    fi
    core_build_modules || return 1
    for mode in "$@"; do
        core_run_schedule "$mode" || return 1
        if [ -n "${WRITE:-}" ]; then
            core_write_list "$mode"
        fi
        core_judge "$mode" || result=1
    done
    return $result
}
