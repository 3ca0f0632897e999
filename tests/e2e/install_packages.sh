#!/usr/bin/env bash
# launch/install_packages says which Debian it found, installs what is missing there, and refuses any other system with a reason, unless nothing is
# missing. Systems are files mounted over os-release in a mount namespace; apt-get and dpkg-query are scripts that write down their calls.
set -euo pipefail
[ "$(id -u)" = 0 ] && unshare --mount true 2> /dev/null || { echo 'SKIPPED: other systems are mounted, which needs root'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "FAILED: $*" >&2; cat output >&2; exit 1; }
mkdir bin
printf '#!/bin/sh\necho "apt-get $*" >> "%s/calls"\n' "$work" > bin/apt-get
printf '#!/bin/sh\n/usr/bin/dpkg-query "$@" | grep -vE "^installed (${LACKS:-no package}),"\n' > bin/dpkg-query
chmod +x bin/*

# on SYSTEM CODE LACKS: the script on a system that lacks packages (a regular expression of names); its output is in `output`
on() {
  local code=0
  printf '%b' "$1" > os-release
  : > calls
  LACKS=$3 PATH=$work/bin:$PATH unshare --mount sh -c 'mount --bind "$0/os-release" "$(readlink -f /etc/os-release)" && exec "$1/launch/install_packages"' \
    "$work" "$LOCKSTEP_SOURCE" > output 2>&1 < /dev/null || code=$?
  [ $code = "$2" ] || fail "exit code $code, expected $2"
}
has() { grep -qF -- "$1" output || fail "not said: $1"; }
says() { grep -qE -- "$1" output || fail "not said: $1"; }

for version in 12 13; do
  debian="ID=debian\nVERSION_ID=\"$version\"\nPRETTY_NAME=\"Debian GNU/Linux $version (any)\"\n"
  on "$debian" 0 ''
  says "^Found Debian $version with all [0-9]+ packages that are needed\.$"
  [ ! -s calls ] || fail "nothing is missing, yet: $(cat calls)"
  on "$debian" 0 'cmake|libzip-dev'
  says "^Found Debian $version\. Lockstep needs these packages, which are not installed: cmake libzip-dev$"
  grep -qx 'apt-get install .* cmake libzip-dev' calls || fail "not installed: $(cat calls)"
done
for other in 'ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"\n' 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n' \
  'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n' ''; do
  name=$(printf '%b' "$other" | sed -nE 's/^PRETTY_NAME="(.*)"/\1/p')
  on "$other" 1 cmake
  has "Found ${name:-an unknown system}; expected Debian 12 or 13, whose packages Lockstep is built from. Not installed here: cmake"
  says '^Use Debian 12 or 13 .* or install these packages by hand and call this again\.$'
  [ ! -s calls ] || fail "called on another system: $(cat calls)"
  on "$other" 0 ''
  has "Found ${name:-an unknown system} with all "
done
echo 'install_packages: Debian 12 and 13 are told apart, other systems refused'
