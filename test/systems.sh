# shellcheck shell=bash
# test/systems.sh
#     Systems of their own for tests, which debootstrap makes.  What test/versions
#     and test/upgrade share; to be sourced after lib.sh.
#
# Systems are Debian's bookworm (15), trixie (17) and forky (18), and Ubuntu's
# noble (16).  Nothing of them is left running or mounted: they have processes,
# mounts and shared memory of their own.

DEBIAN=${RETLDB_DEBIAN:-http://deb.debian.org/debian}
UBUNTU=${RETLDB_UBUNTU:-http://archive.ubuntu.com/ubuntu}
SCRIPTS=/usr/share/debootstrap/scripts

# The system of a version: suite, mirror, script of debootstrap.
system_of()
{
    case $1 in
        15) echo "bookworm $DEBIAN $SCRIPTS/sid" ;;
        16) echo "noble $UBUNTU $SCRIPTS/gutsy --components=main,universe" ;;
        17) echo "trixie $DEBIAN $SCRIPTS/sid" ;;
        18) echo "forky $DEBIAN $SCRIPTS/sid" ;;
        *) die "no PostgreSQL $1 here; there are: 15 16 17 18" ;;
    esac
}

# Make the system of a version, unless it is there already.
make_system()
{
    local root=$1 suite mirror script components options=--variant=minbase

    [ ! -e "$root/retldb-complete" ] || return 0
    read -r suite mirror script components < <(system_of "$2")
    # Debian has no keys of Ubuntu
    [ "$mirror" != "$UBUNTU" ] || [ -e /usr/share/keyrings/ubuntu-archive-keyring.gpg ] ||
        options="$options --no-check-gpg"
    rm -rf "$root"
    # shellcheck disable=SC2086
    debootstrap $options $components "$suite" "$root" "$mirror" "$script" || return 1
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    # mirrors of a release in preparation may be behind
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/retldb"
    touch "$root/retldb-complete"
}

# Run a command in a system, with /proc, /dev and shared memory of its own.
in_system()
{
    local root=$1
    shift
    # shellcheck disable=SC2016
    unshare --mount --propagation private --pid --ipc --fork --kill-child bash -c '
        root=$1
        shift
        mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
            mount -t tmpfs -o mode=1777 shm "$root/dev/shm" && exec chroot "$root" "$@"' \
        in_system "$root" "$@"
}

# prepare_system MAJOR: the system WORK/MAJOR, with the sources in /retldb.
prepare_system()
{
    local major=$1 root=$WORK/$1

    make_system "$root" "$major" >"$WORK/debootstrap-$major.log" 2>&1 ||
        { tail -n 20 "$WORK/debootstrap-$major.log" >&2; return 1; }
    cp -f /etc/resolv.conf /etc/hosts "$root/etc/"
    rm -rf "$root/retldb"
    mkdir "$root/retldb"
    tar -C "$TOP" --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude=./tmp_check -cf - . |
        tar -C "$root/retldb" -xf - --no-same-owner
}

# run_in_system MAJOR COMMAND...: run a script of the sources, with a clean environment.
run_in_system()
{
    local major=$1 variables
    shift
    mapfile -t variables < <(env | grep -E '^(RETLDB|PG_TEST)_' | grep -v '^RETLDB_WORK=')
    in_system "$WORK/$major" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        "${variables[@]}" PG_MAJOR="$major" RETLDB_INSTALL=1 RETLDB_WORK=/var/tmp/retldb "$@"
}
