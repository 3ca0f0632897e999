#!/usr/bin/env bash
# Builds and tests this checkout on Debian 13, in a root that debootstrap makes in a temporary folder and that is removed afterwards.
#
#   tests/portability/debian13.sh [arguments of ctest: -R NAME ...]
#   LOCKSTEP_DEBIAN13=1 ctest --preset release -R portability.debian13
#
# Needs root, the package debootstrap, 8 GB below TMPDIR (or /tmp) and apt's mirror. Takes from the environment:
#   LOCKSTEP_DATA             the folder of the real data, for the tests on them
#   PRESET, LOCKSTEP_JOBS     as launch/test
#   LOCKSTEP_MIRROR           a mirror of Debian instead of that of apt's sources
#   CCACHE_DIR                compiles with ccache, whose cache is kept here
#   http_proxy and its like   go before apt's own proxies
#   PIP_CERT                  certificate authorities for pip, instead of those that this machine trusts
#
# The root's mounts and processes live in namespaces of their own. They are gone as soon as this script ends, however it does.
set -euo pipefail
source=$(readlink -f "$(dirname "$0")/../..")
release=trixie
authorities=/etc/ssl/lockstep-authorities.crt   # of certificates: those that this machine trusts, as its proxies may need

# --- the second call, inside the namespaces: mounts, packages, launch/test ---
if [ "${1:-}" = inside ]; then
  root=$2
  shift 2
  mount --rbind "$root" "$root"   # a root is a mount point
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --bind /dev "$root/dev"
  mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts "$root/dev/pts"
  mount -t tmpfs tmpfs "$root/dev/shm"
  inside=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}"
    DEBIAN_FRONTEND=noninteractive LOCKSTEP_YES=1)
  for name in PRESET LOCKSTEP_JOBS {http,https,all,no}_proxy {HTTP,HTTPS,ALL,NO}_PROXY; do
    [ -z "${!name:-}" ] || inside+=("$name=${!name}")
  done
  [ ! -e "$root$authorities" ] || inside+=("PIP_CERT=$authorities")
  if [ -n "${LOCKSTEP_DATA:-}" ]; then
    mkdir "$root/data"
    mount --bind "$LOCKSTEP_DATA" "$root/data"
    mount -o remount,bind,ro "$root/data"
    inside+=(LOCKSTEP_DATA=/data)
  fi
  if [ -n "${CCACHE_DIR:-}" ]; then
    mkdir "$root/ccache"
    mount --bind "$CCACHE_DIR" "$root/ccache"
    inside+=(CCACHE_DIR=/ccache CCACHE_BASEDIR=/checkout CCACHE_NOHASHDIR=1 CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  # Not chroot alone: what enters a mount namespace, as the tests' hosts do, would find itself in the old root.
  cd "$root"
  pivot_root . mnt
  exec chroot . /usr/bin/env -i "${inside[@]}" bash -ec '
    umount -l /mnt
    apt-get update -qq
    [ -z "${CCACHE_DIR:-}" ] || apt-get install -y -qq --no-install-recommends ccache
    cd /checkout
    exec ./launch/test "$@"' launch/test "$@"
fi

if [ -n "${LOCKSTEP_BIN:-}" ] && [ "${LOCKSTEP_DEBIAN13:-}" != 1 ]; then   # called by ctest
  echo 'SKIPPED: builds and tests all of Lockstep on Debian 13, for an hour; ask for it with LOCKSTEP_DEBIAN13=1 or call tests/portability/debian13.sh'
  exit 77
fi
refuse() { echo "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || refuse 'A root of Debian 13 is made by root only: sudo tests/portability/debian13.sh'
command -v debootstrap > /dev/null || refuse 'debootstrap is not installed: apt-get install debootstrap'

# --- the mirror and the proxies that apt uses here ---
mirror=${LOCKSTEP_MIRROR:-}
if [ -z "$mirror" ]; then
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="$codename" '$1 == release && $2 == "main" { print $3; exit }')
  [ -n "$mirror" ] || refuse "apt's sources name no mirror of this Debian ($codename main): set LOCKSTEP_MIRROR=URL"
fi
proxies=$(apt-config dump | grep -E '^Acquire::(http|https)::Proxy(::[^ ]+)? ' || true)
for scheme in http https; do   # debootstrap knows those of the environment only
  name=${scheme}_proxy host=${mirror#*://}
  host=${host%%/*}
  proxy=$(sed -nE "s|^Acquire::$scheme::Proxy(::${host%%:*})? \"(.*)\";|\2|p" <<< "$proxies" | tail -1)
  [ -n "${!name:-}" ] || [ -z "$proxy" ] || [ "$proxy" = DIRECT ] || export "$name=$proxy"
done

# --- the root ---
[ -z "${LOCKSTEP_DATA:-}" ] || LOCKSTEP_DATA=$(cd "$source" && readlink -f "$LOCKSTEP_DATA")
[ -z "${CCACHE_DIR:-}" ] || mkdir -p "$CCACHE_DIR"
folder=$(mktemp -d "${TMPDIR:-/tmp}/lockstep-debian13.XXXXXX")
child=
# unshare takes its processes along, and goes with this script even where that is killed. Their mounts were never seen here: nothing but the
# folder is removed.
trap '[ -z "$child" ] || { kill -KILL $child; wait $child; } 2> /dev/null || true; rm -rf --one-file-system "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
alone() {
  setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child "$@" &
  child=$!
  local code=0
  wait $child || code=$?
  child=
  return $code
}
root=$folder/root
echo "Debian 13 ($release) from $mirror in $folder"
alone debootstrap --variant=minbase --include=ca-certificates "$release" "$root" "$mirror" > "$folder/debootstrap.log" 2>&1 ||
  { tail -n 5 "$folder/debootstrap.log" >&2; refuse "debootstrap failed; is $mirror reachable, and does it have $release?"; }
cp -L /etc/hosts /etc/resolv.conf "$root/etc/"
cp -L "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$root$authorities" 2> /dev/null || true
[ -z "$proxies" ] || echo "$proxies" > "$root/etc/apt/apt.conf.d/90proxies"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"   # packages start no daemons
chmod +x "$root/usr/sbin/policy-rc.d"
mkdir "$root/checkout"
tar -C "$source" --exclude-vcs --exclude-vcs-ignores -c . | tar -C "$root/checkout" -x
alone bash "$source/tests/portability/debian13.sh" inside "$root" "$@"
