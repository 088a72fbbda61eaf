# shellcheck shell=bash disable=SC2034
# test/lib.sh
#     What demo/run, test/run and test/bench/run share.  To be sourced by bash.
#
# Everything happens in a work directory of its own, which belongs to a user
# that may run a server (root may not).  The server used is a private copy of
# the installed one: PostgreSQL finds its files relative to its own binaries,
# so that the extension can be installed into the copy, and neither the
# system's server nor its clusters are touched.
#
# After retldb_begin:
#   WORK     the work directory
#   PREFIX   the private server (PREFIX/usr/lib/postgresql/15/...)
#   PGBIN    its programs
#   RUNAS    the user that builds and runs everything

set -u -o pipefail

PG_MAJOR=${PG_MAJOR:-15}
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

PACKAGES_BUILD="postgresql-$PG_MAJOR postgresql-server-dev-$PG_MAJOR gcc make libc6-dev
    libicu-dev liblz4-dev libsnappy-dev libzstd-dev xz-utils"
PACKAGES_TEST="build-essential clang llvm libclang-rt-dev libcmocka-dev valgrind libc6-dbg lcov
    libipc-run-perl python3 zstd"

say()
{
    printf '%s\n' "$*"
}

die()
{
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Install Debian packages that are missing; needs root only then.
need_packages()
{
    local package missing="" guard=""

    command -v dpkg-query >/dev/null || die "this script knows Debian and its relatives only"
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] ||
        die "packages are missing; as root, run: apt-get install$missing"

    say "installing:$missing"
    # Installing the server would create a cluster named main: not wanted here.
    if ! dpkg-query -W -f '${Status}' postgresql-common 2>/dev/null | grep -q 'install ok installed'; then
        guard=/etc/postgresql-common/createcluster.d/retldb-no-cluster.conf
        mkdir -p "$(dirname $guard)"
        echo "create_main_cluster = false" >$guard
    fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get -qq update && apt-get -qq -y --no-install-recommends install $missing; } \
        >"${TMPDIR:-/tmp}/retldb-apt.$$.log" 2>&1 ||
        { tail -n 20 "${TMPDIR:-/tmp}/retldb-apt.$$.log" >&2; die "apt-get failed"; }
    rm -f "${TMPDIR:-/tmp}/retldb-apt.$$.log"
    [ -z "$guard" ] || rm -f "$guard"
}

# Run a command as the unprivileged user, in the work directory.
as_user()
{
    if [ "$(id -un)" = "$RUNAS" ]; then
        (cd "$WORK" && "$@")
    else
        (cd "$WORK" && runuser -u "$RUNAS" -- "$@")
    fi
}

# work_begin NAME: make the work directory.
# KEEP=1 keeps it at the end; RETLDB_WORK names one to use again.
work_begin()
{
    KEEP=${KEEP:-}
    if [ -n "${RETLDB_WORK:-}" ]; then
        WORK=$RETLDB_WORK
        KEEP=1
        mkdir -p "$WORK" || die "cannot make $WORK"
    else
        WORK=$(mktemp -d "${TMPDIR:-/tmp}/retldb-$1.XXXXXX") || die "cannot make a work directory"
    fi
    WORK=$(cd "$WORK" && pwd)
    RUNAS=$(id -un)
    [ "$RUNAS" != root ] || RUNAS=postgres
    # (the user comes with the server)
    [ "$(id -u)" != 0 ] || ! id "$RUNAS" >/dev/null 2>&1 || chown "$RUNAS" "$WORK"
    chmod 755 "$WORK"
    trap retldb_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# private_server DIR: a copy of the installed server there, unless it has a
# server already.  Sets PREFIX and PGBIN.
private_server()
{
    PREFIX=$1
    PGBIN=$PREFIX/usr/lib/postgresql/$PG_MAJOR/bin
    if [ ! -x "$PGBIN/postgres" ]; then
        as_user mkdir -p "$PREFIX/usr/lib/postgresql" "$PREFIX/usr/share/postgresql"
        as_user cp -rL "/usr/lib/postgresql/$PG_MAJOR" "$PREFIX/usr/lib/postgresql/" ||
            die "cannot copy the server"
        as_user cp -rL "/usr/share/postgresql/$PG_MAJOR" "$PREFIX/usr/share/postgresql/"
        as_user ln -s /usr/include "$PREFIX/usr/include"
    fi
}

# retldb_begin NAME: make the work directory and its private server.
retldb_begin()
{
    work_begin "$1"
    as_user mkdir -p "$WORK/log" "$WORK/run"
    private_server "$WORK/server"
}

# Stop the servers of this run and remove its files.
retldb_end()
{
    local status=$? pidfile

    for pidfile in "$WORK"/run/*/data/postmaster.pid; do
        [ -f "$pidfile" ] || continue
        as_user "$PGBIN/pg_ctl" -D "$(dirname "$pidfile")" -m immediate -s stop >/dev/null 2>&1
    done
    [ -z "${SMALL_DISK:-}" ] || umount "$SMALL_DISK"
    # shellcheck disable=SC2086
    [ -z "${SOCKETS:-}" ] || rm -rf $SOCKETS
    if [ -n "$KEEP" ]; then
        say "files are kept in $WORK"
    else
        rm -rf "$WORK"
    fi
    exit $status
}

# copy_sources NAME: a copy of the source tree to build in, WORK/NAME.  In one that
# is used again, files that are no more must not stay.
copy_sources()
{
    as_user mkdir -p "$WORK/$1"
    as_user find "$WORK/$1" \( -name '*.[ch]' -o -path '*/test/t/*.p[lm]' \) -delete
    tar -C "$TOP" --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.gc??' \
        --exclude=./build --exclude=./tmp_check -cf - . |
        as_user tar -C "$WORK/$1" -xf - --no-same-owner
}

# build NAME [make arguments]: build the sources in WORK/NAME.
build()
{
    local dir=$WORK/$1
    shift
    as_user make -s -C "$dir" -j"$(nproc)" PG_CONFIG="$PGBIN/pg_config" "$@"
}

# install_into_prefix NAME [make arguments]: install into the private server.
install_into_prefix()
{
    local dir=$WORK/$1
    shift
    as_user make -s -C "$dir" PG_CONFIG="$PGBIN/pg_config" install "$@" >/dev/null
}

# A TCP port nobody uses now.  (Servers here listen on a socket only; the port
# is part of the socket's name.)
free_port()
{
    local port
    for port in $(shuf -i 20000-32000 -n 50); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    die "no free port"
}

# start_cluster NAME [line of postgresql.conf]...: a fresh private cluster.
# A file that TEMP_CONFIG names (as for PostgreSQL's own tests) is added.
# Sets PGHOST, PGPORT, PGUSER, PGDATABASE for those who connect.
start_cluster()
{
    local dir=$WORK/run/$1 socket
    shift
    as_user rm -rf "$dir"
    as_user mkdir -p "$dir"
    as_user "$PGBIN/initdb" -D "$dir/data" -U postgres --no-locale -E UTF8 -A trust \
        >"$WORK/log/initdb.log" 2>&1 || { cat "$WORK/log/initdb.log" >&2; return 1; }
    socket=$(as_user mktemp -d /tmp/retldb-sock.XXXXXX)
    # a link from the work directory, so that the socket's path stays short
    as_user ln -s "$socket" "$dir/socket"
    PGPORT=$(free_port)
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$socket'"
        echo "port = $PGPORT"
        echo "shared_preload_libraries = 'retldb'"
        echo "retldb.autocompact = off"
        printf '%s\n' "$@"
        [ -z "${TEMP_CONFIG:-}" ] || cat "$TEMP_CONFIG"
    } | as_user tee -a "$dir/data/postgresql.conf" >/dev/null
    as_user "$PGBIN/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -s start ||
        { tail -n 20 "$dir/server.log" >&2; return 1; }
    export PGHOST=$socket PGPORT PGUSER=postgres PGDATABASE=postgres
    SOCKETS="${SOCKETS:-} $socket"
}

# stop_cluster NAME
stop_cluster()
{
    as_user "$PGBIN/pg_ctl" -D "$WORK/run/$1/data" -m fast -w -s stop
    rm -rf "$(readlink -f "$WORK/run/$1/socket")"
}

# psql of the private server, quiet and unaligned, stopping at errors.
run_psql()
{
    as_user "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"
}
