#!/usr/bin/env bash
# The coordinator as clients of others see it: a Python client generated from coordinator.proto, and grpcurl.
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
. "$LOCKSTEP_SOURCE/tests/support/grpc_clients.sh"

mkdir stubs
cp "$LOCKSTEP_SOURCE/cluster/coordinator/coordinator.proto" stubs/
"$python" -m grpc_tools.protoc -I stubs --python_out=stubs --grpc_python_out=stubs coordinator.proto

garments 1000 100 10
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -e 's/epochs: .*/epochs: 1000000/' small.yaml > long.yaml
timeout 300 mpirun --oversubscribe -np 2 "$lockstep" train long.yaml --run-dir run --set coordinator.listen=0.0.0.0 \
  --set "coordinator.port=$port" > run.txt 2>&1 &
run=$!
stop_run() { kill -- "$run" $flood 2> /dev/null || true; wait "$run" || true; until rm -rf "$work" 2> /dev/null; do sleep 0.1; done; }
trap stop_run EXIT
flood=
alive() { kill -0 "$run" 2> /dev/null || { cat run.txt; fail 'the run ended'; }; }
until [ -s run/coordinator.json ] && "$lockstep" status run --json 2> /dev/null | jq -e '.phase == "training"' > /dev/null; do
  alive
  sleep 0.1
done

client() { "$python" "$LOCKSTEP_SOURCE/tests/interop/service_client.py" "$1" run stubs || fail "the Python client: $1"; }
client keepalive &
pinging=$!
client calls
client secure
client reflection

# The certificate has the addresses at which the coordinator says it is reached, and the host's name.
jq -r .certificate run/coordinator.json > certificate.pem
openssl x509 -in certificate.pem -noout -ext subjectAltName > names.txt
for name in $(jq -r '.remote[] | sub(":[0-9]+$"; "") | ltrimstr("[") | rtrimstr("]")' run/coordinator.json | grep -v :); do
  grep -qF "IP Address:$name" names.txt || { cat names.txt; fail "$name is not in the certificate"; }
done
grep -qF "DNS:$(hostname)" names.txt || { cat names.txt; fail 'the certificate lacks the name of the host'; }

if [ -n "$grpcurl" ]; then
  bearer="authorization: bearer $(jq -r .token run/coordinator.json)"
  address=$(jq -r .address run/coordinator.json)
  curl() { "$grpcurl" -max-time 60 -H "$bearer" "$@" > grpcurl.txt 2>&1 || { cat grpcurl.txt; fail "grpcurl ${*//"$bearer"/...}"; }; }
  curl -plaintext "$address" list
  [ "$(grep -c . grpcurl.txt)" -ge 3 ] || { cat grpcurl.txt; fail 'grpcurl finds too few services'; }
  for service in $(cat grpcurl.txt); do
    curl -plaintext "$address" describe "$service"
    grep -q '^service ' grpcurl.txt || { cat grpcurl.txt; fail "no description of $service"; }
  done
  readme=$(sed -n 's/^    \(grpcurl .*\)/\1/p' "$LOCKSTEP_SOURCE/cluster/coordinator/README.md")  # describes everything
  (PATH=$(dirname "$grpcurl"):$PATH; eval "${readme//RUN_DIR/run}") > grpcurl.txt 2>&1 ||
    { cat grpcurl.txt; fail "the README's command: $readme"; }
  grep -q '^lockstep.v1.Coordinator is a service' grpcurl.txt || { cat grpcurl.txt; fail "the README's command: $readme"; }
  curl -plaintext "$address" grpc.health.v1.Health/Check
  jq -e '.status == "SERVING"' grpcurl.txt > /dev/null || { cat grpcurl.txt; fail 'not healthy'; }
  curl -cacert certificate.pem "127.0.0.1:$port" lockstep.v1.Coordinator/GetStatus
  jq -e '.run.ranks == 2' grpcurl.txt > /dev/null || { cat grpcurl.txt; fail 'no status'; }
else
  echo "There is no grpcurl for this machine: the checks with it were left out"
fi

client many_streams
wait "$pinging" || exit 1
client stop
wait "$run" || { cat run.txt; fail 'the run did not end well'; }

# A flood of pings without the token, until after the end: the run goes on with the same numbers, answers, stops and ends.
epochs() { grep -o 'weights [0-9a-f]\{16\}' "$1" || true; }
epochs run.txt > quiet.txt
# flooded NAME [OPTION...]
flooded() {
  timeout 200 mpirun --oversubscribe -np 2 "$lockstep" train long.yaml --run-dir "$1" "${@:2}" > run.txt 2>&1 &
  run=$!
  until address=$(jq -er .address "$1/coordinator.json" 2> /dev/null); do alive; sleep 0.1; done
  timeout 150 "$python" "$LOCKSTEP_SOURCE/tests/support/http2_flood.py" "$address" 8 120 > flood.txt 2>&1 &
  flood=$!
  until [ -s flood.txt ] || ! kill -0 "$flood"; do sleep 0.1; done  # it says when it has begun
  begun=$(epochs run.txt | wc -l)
  until [ "$(epochs run.txt | wc -l)" -gt $((begun + 5)) ]; do alive; sleep 0.1; done
  "$lockstep" status "$1" > status.txt 2>&1 || { cat status.txt; fail 'no status in the flood'; }
  "$lockstep" stop "$1" > stop.txt 2>&1 || { cat stop.txt; fail 'no stop in the flood'; }
  wait "$run" || { cat run.txt; fail 'the flooded run did not end well'; }
  kill "$flood" || { cat flood.txt; fail 'the flood ended before the run'; }
  wait "$flood" || true
  flood=
  epochs run.txt > flooded.txt
  head -n "$(wc -l < flooded.txt)" quiet.txt > same.txt
  head -n "$(wc -l < quiet.txt)" flooded.txt | cmp - same.txt || fail 'the flooded run has other weights'
}
flooded by_port
flooded by_unix --set coordinator.listen=unix
echo "grpc_clients: the service answers a generated client${grpcurl:+ and grpcurl}"
