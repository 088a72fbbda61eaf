# shellcheck shell=bash disable=SC2034
# test/bench/lib.sh
#     What the benchmarks share, and the tpch stage of test/run.  To be sourced
#     by bash after test/lib.sh.
#
#     RETLDB_SETTINGS   more lines for postgresql.conf, separated by semicolons
#     RETLDB_REUSE      with RETLDB_WORK: 1 starts the cluster of the last run
#                       again, with its tables, on the library built now

# the copy of test/bench that the server's user can read
BENCH_SOURCE=

TPCH_TABLES="region nation supplier customer part partsupp orders lineitem"

# median of numbers, one a line
median()
{
    sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# the one value that a query returns
value()
{
    run_psql -At -c "$1"
}

# arithmetic with awk's operators: calc FORMAT EXPRESSION
calc()
{
    awk "BEGIN { printf \"$1\", $2 }" </dev/null
}

# bench_begin NAME SETTING...: build, install into a private server, start it
# with the settings, and say what runs where.  Sets BENCH (the cluster's name).
bench_begin()
{
    local extra
    BENCH=$1
    shift
    BENCH_SETTINGS=("$@")
    IFS=';' read -r -a extra <<<"${RETLDB_SETTINGS:-}"
    BENCH_SETTINGS+=("${extra[@]}")

    # shellcheck disable=SC2086
    need_packages $PACKAGES_BUILD zstd python3
    retldb_begin "$BENCH"
    BENCH_SOURCE=$WORK/src/test/bench
    copy_sources src
    build src >"$WORK/log/build.log" 2>&1 && install_into_prefix src >>"$WORK/log/build.log" 2>&1 ||
        { tail -n 40 "$WORK/log/build.log" >&2; die "the build failed"; }
    if [ -n "${RETLDB_REUSE:-}" ] && [ -d "$WORK/run/$BENCH/data" ]; then
        restart_cluster "$BENCH" "${BENCH_SETTINGS[@]}" || die "the server did not start"
    else
        RETLDB_REUSE=
        start_cluster "$BENCH" "${BENCH_SETTINGS[@]}" || die "the server did not start"
        run_psql -c "CREATE EXTENSION retldb"
    fi
    say "PostgreSQL $(value "SHOW server_version"), retldb $(value "SELECT extversion FROM pg_extension WHERE extname = 'retldb'"); $(nproc) CPUs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    say "settings: $(printf '%s; ' "${BENCH_SETTINGS[@]}")"
}

# restart_cluster NAME SETTING...: start a cluster that exists, with settings
# in addition to those it had, on a socket of its own.
restart_cluster()
{
    local dir=$WORK/run/$1 socket
    shift
    socket=$(as_user mktemp -d /tmp/retldb-sock.XXXXXX)
    as_user ln -sfn "$socket" "$dir/socket"
    PGPORT=$(free_port)
    printf '%s\n' "unix_socket_directories = '$socket'" "port = $PGPORT" "$@" |
        as_user tee -a "$dir/data/postgresql.conf" >/dev/null
    as_user "$PGBIN/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 600 -s start ||
        { tail -n 20 "$dir/server.log" >&2; return 1; }
    export PGHOST=$socket PGPORT PGUSER=postgres PGDATABASE=postgres
    SOCKETS="${SOCKETS:-} $socket"
}

# Stop the server and start it again with nothing cached: the files leave the
# kernel's cache one by one, so that others on the machine keep theirs.
cold_restart()
{
    as_user "$PGBIN/pg_ctl" -D "$WORK/run/$BENCH/data" -m fast -w -t 600 -s stop
    as_user python3 -c '
import os, sys
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        handle = os.open(os.path.join(folder, name), os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)' "$WORK/run/$BENCH/data"
    as_user "$PGBIN/pg_ctl" -D "$WORK/run/$BENCH/data" -l "$WORK/run/$BENCH/server.log" -w -t 600 -s start ||
        die "the server did not start again"
}

# table_exists NAME
table_exists()
{
    [ -n "$(value "SELECT to_regclass('$1')")" ]
}

# ---------------------------------------------------------------- timing

# measure RUNS STEM NAME SQL [NAME SQL]...: run the statements in turn, in one
# session: once to warm up, then RUNS times.  A statement may be preceded by
# others that are not timed (lines of the same string before it: the last line
# is what is timed).  @N@ in it becomes the number of the run.  The answers of
# the first round go to STEM.NAME.out, the times to STEM.NAME.ms, and the times
# that the backend had a CPU, which other programs hardly influence, to
# STEM.NAME.cpu.
# Returns false if a statement failed (its error is shown).
measure()
{
    local runs=$1 stem=$2 run name script
    local cpu="SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS"
    shift 2
    local statements=("$@")

    script=$stem.sql
    : >"$script"
    for ((run = 0; run <= runs; run++)); do
        set -- "${statements[@]}"
        while [ $# -gt 0 ]; do
            name=$1
            {
                printf '%s\n' "\\timing off"
                printf '%s\n' "${2//@N@/$run}" | sed '$d'
                if [ "$run" = 0 ]; then printf '%s\n' "\\o $stem.$name.out"; else printf '%s\n' "\\o /dev/null"; fi
                printf '%s\n' "$cpu cpu_before \\gset"
                printf '%s\n' "\\timing on"
                printf '%s\n' "\\echo MEASURE $run $name"
                printf '%s\n' "${2//@N@/$run}" | tail -n 1 | sed 's/; *$//; s/$/;/'
                printf '%s\n' "\\timing off"
                printf '%s\n' "\\o" "$cpu cpu_after \\gset" "\\echo CPU $run $name :cpu_before :cpu_after"
                echo "RESET ALL;"
                [ -z "${MEASURE_TIMEOUT:-}" ] || echo "SET statement_timeout = '$MEASURE_TIMEOUT';"
            } >>"$script"
            shift 2
        done
    done
    run_psql -At -f - <"$script" >"$stem.log" 2>"$stem.err" || { cat "$stem.err" >&2; return 1; }
    set -- "${statements[@]}"
    while [ $# -gt 0 ]; do
        awk -v name="$1" '/^MEASURE / { wanted = ($2 > 0 && $3 == name) } /^Time:/ && wanted { print $2 }' \
            "$stem.log" >"$stem.$1.ms"
        awk -v name="$1" '/^CPU / && $2 > 0 && $3 == name { printf "%.3f\n", ($5 - $4) / 1e6 }' \
            "$stem.log" >"$stem.$1.cpu"
        shift 2
    done
}

# The median of what measure has left: ms STEM NAME
ms()
{
    median <"$1.$2.ms"
}

cpu_ms()
{
    median <"$1.$2.cpu"
}

# ---------------------------------------------------------------- TPC-H

# Write the tables of a scale to a directory, unless they are there already:
# tpch_generate SCALE DIRECTORY [TABLE...]
tpch_generate()
{
    local scale=$1 dir=$2 table
    shift 2
    # shellcheck disable=SC2086
    [ $# -gt 0 ] || set -- $TPCH_TABLES
    as_user mkdir -p "$dir"
    as_user gcc -O2 -o "$dir/tpch_gen" "$BENCH_SOURCE/tpch_gen.c" || return 1
    for table in "$@"; do
        [ -f "$dir/$table.$scale" ] && continue
        # shellcheck disable=SC2016
        as_user bash -c '"$1/tpch_gen" "$2" "$3" >"$1/$3.new" && mv "$1/$3.new" "$1/$3.$2"' - \
            "$dir" "$scale" "$table" || return 1
    done
}

# Create the tables with one access method, in a schema of its name, and load
# them: tpch_load SCALE DIRECTORY METHOD [SQL before]
tpch_load()
{
    local table
    run_psql -v method="$3" -c "SET client_min_messages = warning" \
        -c "DROP SCHEMA IF EXISTS tpch_$3 CASCADE" -c "CREATE SCHEMA tpch_$3" || return 1
    run_psql -v method="$3" -c "SET search_path = tpch_$3" \
        -f "$BENCH_SOURCE/schema/tpch.sql" || return 1
    {
        echo "SET search_path = tpch_$3; ${4:-}"
        for table in $TPCH_TABLES; do
            echo "COPY $table FROM '$2/$table.$1';"
        done
    } | run_psql -f - || return 1
    for table in $TPCH_TABLES; do
        run_psql -c "VACUUM (ANALYZE) tpch_$3.$table" || return 1
    done
}

# Names of the queries that a scale allows.  Three have a subquery that is run
# for each row; without indexes they take minutes to hours at larger scales,
# where their variants with a join (d) stand for them.
tpch_queries()
{
    local file name largest
    for file in "$BENCH_SOURCE"/tpch_queries/*.sql; do
        name=$(basename "$file" .sql)
        case $name in 02) largest=0.3 ;; 17) largest=0.03 ;; 20) largest=0.002 ;; *) largest=1000 ;; esac
        [ "$(calc %d "($1 <= $largest)")" = 0 ] || echo "$name"
    done
}

# tpch_answer SCALE NAME SCHEMA FILE [SQL before]: the answer of a query
tpch_answer()
{
    { echo "SET search_path = $3; ${5:-}"; cat "$BENCH_SOURCE/tpch_queries/$2.sql"; } |
        run_psql -At -v scale="$1" -f - >"$4"
}

# A query on one line, without comments, its variables replaced
tpch_flat()
{
    sed "/^--/d; s/:scale/$1/g" "$BENCH_SOURCE/tpch_queries/$2.sql" | tr -s '\n ' '  '
}

# Whether two answers are the same: "same", "same, ties in another order" or
# "DIFFERENT"
compare_answers()
{
    if cmp -s "$1" "$2"; then
        echo "same"
    elif cmp -s <(sort "$1") <(sort "$2"); then
        echo "same, other order"
    else
        echo "DIFFERENT"
    fi
}

# Load both methods and compare all answers, of several ways to run a query on
# retldb; small row groups, so that there are many: tpch_check SCALE
tpch_check()
{
    local query way answer failed="" same=0
    local -A ways=(
        [plain]=""
        [noskipping]="SET retldb.enable_skipping = off;"
        [parallel]="SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
    )
    export PGOPTIONS="-c statement_timeout=10min -c work_mem=32MB"
    tpch_generate "$1" "$WORK/data" && tpch_load "$1" "$WORK/data" heap &&
        tpch_load "$1" "$WORK/data" retldb "SET retldb.row_group_rows = 4096; SET retldb.vector_rows = 256;" ||
        return 1
    for query in $(tpch_queries "$1"); do
        tpch_answer "$1" "$query" tpch_heap "$WORK/log/tpch.$query.heap" || return 1
        for way in plain noskipping parallel; do
            tpch_answer "$1" "$query" tpch_retldb "$WORK/log/tpch.$query.$way" "${ways[$way]}" ||
                { failed="$failed $query ($way)"; continue; }
            answer=$(compare_answers "$WORK/log/tpch.$query.heap" "$WORK/log/tpch.$query.$way")
            if [ "$answer" = DIFFERENT ]; then
                failed="$failed $query ($way)"
                diff "$WORK/log/tpch.$query.heap" "$WORK/log/tpch.$query.$way" | head -n 20
            else
                same=$((same + 1))
            fi
        done
        say "$query: $(wc -l <"$WORK/log/tpch.$query.heap") rows, $SECONDS s"
    done
    RESULT="$same answers as of heap"
    say "$RESULT"
    [ -z "$failed" ] || { say "other answers:$failed"; return 1; }
}
