#!/bin/sh
# Sets up a checkout on a Debian machine: system packages, uv, the locked Python environment, the programs of the lab.
#   deploy/setup.sh          what the lab and the demo need
#   deploy/setup.sh tests    and what the tests need on top
#   deploy/setup.sh deep     and what `make test-deep` needs on top: machines that really boot
# A second run finds all of it and takes no time; run it again after a change of uv.lock or of deploy/.
set -eu
cd "$(dirname "$0")/.."
want=${1:-demo}

UV_VERSION=0.13.8
# Programs that must be there, each with the Debian package that has it.
NEEDS="ssh:openssh-client ssh-keygen:openssh-client sshd:openssh-server ip:iproute2 nft:nftables iptables:iptables
dnsmasq:dnsmasq-base mmdebstrap:mmdebstrap ps:procps git:git setpriv:util-linux nsenter:util-linux unshare:util-linux
mke2fs:e2fsprogs ipmi_sim:openipmi sfdisk:fdisk qemu-img:qemu-utils zstd:zstd"
TEST_NEEDS="initdb:postgresql faketime:faketime systemd-analyze:systemd mkfs.btrfs:btrfs-progs mkfs.ext4:e2fsprogs
mkfs.xfs:xfsprogs mkfs.ntfs:ntfs-3g mkfs.fat:dosfstools mtools:mtools efibootmgr:efibootmgr
slapd:slapd ldapmodify:ldap-utils chromium:chromium chromedriver:chromium-driver"
DEEP_NEEDS="qemu-system-x86_64:qemu-system-x86 /usr/share/OVMF/OVMF_CODE_4M.fd:ovmf"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/vclab
PATH=$PATH:/usr/sbin:/sbin

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

has() {
    # PostgreSQL's server programs are not on the PATH.
    [ "$1" = initdb ] && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && return 0
    [ -e "$1" ] || command -v "$1" >/dev/null 2>&1
}

missing_packages() {
    needs=$NEEDS
    case $want in tests | deep) needs="$needs $TEST_NEEDS" ;; esac
    [ "$want" = deep ] && needs="$needs $DEEP_NEEDS"
    for need in $needs; do has "${need%%:*}" || echo "${need##*:}"; done | sort -u | tr '\n' ' '
    [ -x .venv/bin/python ] || python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'python3 python3-venv '
    [ -e /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates '
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
    command -v apt-get >/dev/null || fail "this is not Debian; install these (or their like) yourself: $1"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        fail "these packages are missing and only root can install them: apt-get install $1"
    say "installing Debian packages (usually 1 minute): $1"
    log=$(mktemp)
    # The lab runs its own servers: those that come with the packages must neither start now nor at the next boot.
    guard=/usr/sbin/policy-rc.d
    if [ ! -e $guard ]; then
        # shellcheck disable=SC2064
        trap "[ \"\$(id -u)\" = 0 ] && rm -f $guard || sudo rm -f $guard" EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee $guard >/dev/null
        as_root chmod 755 $guard
    fi
    # shellcheck disable=SC2086
    {
        as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends $1
    } >"$log" 2>&1 || { tail -n 15 "$log" >&2; fail "apt-get failed; its whole output is in $log"; }
    rm -f "$log"
    for package in $1; do
        case $package in
            openssh-server) service=ssh ;;
            postgresql) service=postgresql ;;
            nftables) service=nftables ;;
            openipmi) service=openipmi ;;
            slapd) service=slapd ;;
            *) continue ;;
        esac
        if command -v systemctl >/dev/null; then as_root systemctl --quiet disable $service 2>/dev/null || true; fi
    done
}

find_uv() {
    if command -v uv >/dev/null; then command -v uv; return; fi
    uv=$cache/uv-$UV_VERSION/bin/uv
    if [ ! -x "$uv" ]; then
        say "installing uv $UV_VERSION" >&2
        rm -rf "$cache/uv-$UV_VERSION"
        python3 -m venv "$cache/uv-$UV_VERSION" &&
            "$cache/uv-$UV_VERSION/bin/python" -m pip install --quiet --disable-pip-version-check \
                "uv==$UV_VERSION" >&2 || fail "uv can't be installed from PyPI"
    fi
    echo "$uv"
}

# What was set up, and from what: the hash of everything this script reads.
stamp=.venv/.setup-$want
state=$(find uv.lock pyproject.toml deploy -type f -exec sha256sum {} + | sort | sha256sum)
is_set_up() {
    [ "$(cat $stamp 2>/dev/null)" = "$state" ] && [ -x .venv/bin/python ] && [ -x .venv/bin/vclab ] &&
        [ -e "$cache/bin/vclab-vcsim" ] && [ -e "$cache/bin/vclab-temporal" ] &&
        [ -e "$cache/bin/vclab-dex" ] &&
        [ -d "$cache/imaging" ] &&
        [ -z "$(missing_packages)" ]
}
# Programs start seconds sooner from byte code, and where PYTHONDONTWRITEBYTECODE is set nothing else writes it.
compile_sources() { .venv/bin/python -m compileall -q worker.py workflows activities vclab benchmarks tests; }
if is_set_up; then compile_sources; exit 0; fi

packages=$(missing_packages)
[ -z "$packages" ] || install_packages "$packages"
uv=$(find_uv)
say "Python environment (.venv, locked by uv.lock)"
"$uv" sync --locked --extra server --quiet --compile-bytecode
compile_sources
.venv/bin/python -m vclab.lab.tools
echo "$state" >$stamp
say "done"
