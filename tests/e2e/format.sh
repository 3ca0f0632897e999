#!/usr/bin/env bash
# Every C++ source is formatted as .clang-format says. Versions of clang-format differ in their results, so that only Debian 12's counts.
set -euo pipefail
version=$(clang-format --version 2> /dev/null | grep -oE 'version [0-9]+' | tr -dc 0-9) || true
if [ "$version" != 14 ]; then
  echo "SKIPPED: it takes clang-format 14 (Debian 12's package clang-format), found: ${version:-none}"
  exit 77
fi
cd "$LOCKSTEP_SOURCE"
# unformatted FILE...: what clang-format would change
unformatted() { clang-format --style=file --dry-run -Werror "$@" 2>&1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp .clang-format "$work"
echo 'int  main( ) { }' > "$work/wrong.cpp"
if unformatted "$work/wrong.cpp" > /dev/null; then echo 'FAILED: a wrong format is not seen' >&2; exit 1; fi

export -f unformatted
find cluster core io launch tests -name '*.cpp' -o -name '*.h' | sort > "$work/files"
[ "$(wc -l < "$work/files")" -gt 200 ] || { echo 'FAILED: sources are missing' >&2; exit 1; }
xargs -n 20 -P 2 bash -c 'unformatted "$@"' _ < "$work/files" > "$work/found" || {
  grep error: "$work/found" | cut -d: -f1 | sort | uniq -c
  echo 'FAILED: these files are not formatted (lines); clang-format -i FILE mends them' >&2
  exit 1
}
echo "format: $(wc -l < "$work/files") files"
