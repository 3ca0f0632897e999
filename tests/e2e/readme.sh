#!/usr/bin/env bash
# Every command of every README.md and of CONTRIBUTING.md, run as it stands there on small data. A command that one of them gains and this test does
# not know is an error, as is one that this test knows and all have lost. (install.sh runs the C++ and CMake blocks and g++, grpc_clients.sh grpcurl.)
set -euo pipefail
work=$(mktemp -d)
job=
trap '[ -z "$job" ] || kill $job 2> /dev/null || true; rm -rf "$work"' EXIT
export PATH=$LOCKSTEP_BIN:$PATH

fail() { echo "FAILED: $*" >&2; exit 1; }

# The commands: the lines of the sh blocks and of the indented blocks that begin with a program, without comments.
mapfile -t documents < <(cd "$LOCKSTEP_SOURCE" && find README.md CONTRIBUTING.md cluster core io launch tests configs -name '*.md')
[ "${#documents[@]}" -ge 15 ] || fail "documents are missing: ${documents[*]}"
for document in "${documents[@]}"; do
  awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on && NF' "$LOCKSTEP_SOURCE/$document"
  grep -E '^    (mpirun|lockstep|\./launch|cmake) ' "$LOCKSTEP_SOURCE/$document" || true
  { grep -oE '`([A-Z_]+=[^ `]+ \./launch/|(mpirun|lockstep|cmake|\./launch/[a-z]+|tests/[a-z]+/[a-z.]+) )[^`]*`' "$LOCKSTEP_SOURCE/$document" || true; } | tr -d '`'
done > "$work/lines"
sed -E 's/^ +//; s/ +#.*$//; s/ +$//' "$work/lines" | sort -u > "$work/commands"

# documented COMMAND: it stands in a document; taken from the list of those that still have to be tried.
documented() {
  grep -qxF -- "$1" "$work/commands" || fail "no document has the command '$1' (any more)"
  grep -vxF -- "$1" "$work/commands" > "$work/rest" || true
  mv "$work/rest" "$work/commands"
}
# runs COMMAND [ADDED]: the command, with `ADDED` behind it to make it small, succeeds.
runs() {
  documented "$1"
  echo "+ $1 ${2:-}"
  timeout 200 bash -ec "$1 ${2:-}" > "$work/output" 2>&1 || { cat "$work/output"; fail "$1"; }
}
says() { grep -qE -- "$1" "$work/output" || { cat "$work/output"; fail "no '$1'"; }; }

# --- a checkout whose build is the one under test ---
mkdir -p "$work/checkout/build"
cd "$work/checkout"
cp -r "$LOCKSTEP_SOURCE/launch" "$LOCKSTEP_SOURCE/configs" .
ln -s "$(dirname "$LOCKSTEP_BIN")" build/release
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe LOCKSTEP_YES=0

# --- Start ---
runs ./launch/quickstart '--epochs 1 --run-dir runs/quick < /dev/null'
says 'Epoch 1/1'
[ -f runs/quick/result.json ] || fail 'quickstart left no result'
documented ./launch/test              # this is it
documented './launch/test -R unit.io'
documented 'PRESET=asan ./launch/test'
documented 'PRESET=tsan ./launch/test'
documented 'tests/fuzz/libfuzzer 20000'  # takes clang
runs 'export PATH="$PWD/build/release/bin:$PATH"' '; [ "$(command -v lockstep)" = "$PWD/build/release/bin/lockstep" ]'

# --- Data: the drawn garments stand in for what is fetched ---
small='--train 1203 --test 211'
rm data/garments.h5
runs 'lockstep data make garments data/garments.h5' "$small"
runs 'lockstep data make housing data/housing.h5' '--rows 1200'
mkdir empty
for name in fashion_mnist:fashion-mnist california_housing:california-housing; do
  command="lockstep data fetch ${name%:*} data/${name%:*}.h5"
  if [ -n "${LOCKSTEP_DATA:-}" ]; then
    runs "$command" "--from '$(cd "$LOCKSTEP_SOURCE" && readlink -f "$LOCKSTEP_DATA")/${name#*:}'"
  else
    echo "NOT COMPLETE: LOCKSTEP_DATA is not set; $command was only seen to look for the files"
    documented "$command"
    ! $command --from empty > "$work/output" 2>&1 || fail "$command found its files in an empty folder"
    says "empty.*${name%_*}|none of|No such file"
  fi
done
printf 'rooms,price\n1,2\n2,4\n3,6\n4,8\n5,10\n' > houses.csv
runs 'lockstep data import csv houses.csv --target price --split train=0.8,test=0.2 data/houses.h5'
printf 'size;place;value\n1,5;bay;10\n;inland;20\n2,5;bay;30\n' > rooms.csv
runs 'lockstep data import csv rooms.csv --target value --one-hot place --impute median data/rooms.h5'
printf 'value;place;size\n15;inland;\n' > new.csv
runs 'lockstep data import csv new.csv --like data/rooms.h5 data/new.h5'
says '/train/x  float32 \(1, 3\)'
printf 'model: [{Dense: {units: 1}}]\ntraining: {loss: mse, epochs: 1, batch_size: 2}\ndata: {train: {file: data/rooms.h5, group: train}}\n' > rooms.yaml
lockstep train rooms.yaml --run-dir runs/rooms > output.txt 2>&1 || { cat output.txt; fail 'the rooms are not trained'; }
printf 'room,place,size\nattic,bay,\n' > new.csv
runs 'lockstep predict runs/rooms --data new.csv --id room --out answers.csv'
grep -q '^attic,' answers.csv || fail 'no answer for the attic'
python3 - << 'PY'
import struct, zipfile
with zipfile.ZipFile("arrays.npz", "w") as archive:
    for name, shape, data in (("x", "(2, 3)", b"abcdef"), ("y", "(2,)", b"\0\1")):
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        archive.writestr(name + ".npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data)
PY
runs 'lockstep data import npz arrays.npz data/arrays.h5'
printf '\0\0\010\003\0\0\0\002\0\0\0\002\0\0\0\002abcdefgh' | gzip > images.gz
printf '\0\0\010\001\0\0\0\002\001\0' | gzip > labels.gz
runs 'lockstep data import idx images.gz labels.gz data/digits.h5'
runs 'lockstep data show data/garments.h5 --rows 4'
says 'Ankle boot'

# --- Train, evaluate, predict ---
cp data/garments.h5 data/fashion_mnist.h5
sed -i 's/rows: \[0, 55000\]/rows: [0, 1100]/; s/rows: \[55000, 60000\]/rows: [1100, 1203]/' configs/fashion_mnist.yaml
sed -i 's/rows: \[0, 55000\]/rows: [0, 1100]/; s/rows: \[55000, 60000\]/rows: [1100, 1203]/; s/rows: \[0, 10000\]/rows: [0, 211]/' configs/reference.yaml
runs 'mpirun -np 2 lockstep train configs/reference.yaml'
says 'Epoch 1/1'
runs 'mpirun -np 4 lockstep train configs/fashion_mnist.yaml' '--epochs 1'
ls runs | grep -qE '^fashion_mnist-[0-9]{8}-[0-9]{6}$' || fail "no run directory runs/NAME-DATE: $(ls runs)"
runs 'mpirun -np 2 lockstep train configs/fashion_mnist.yaml --epochs 2 --run-dir runs/first'
for file in config.yaml history.csv result.json log.txt checkpoints model.keras; do [ -e "runs/first/$file" ] || fail "no $file in the run directory"; done
runs 'mpirun -np 2 lockstep train configs/fashion_mnist.yaml --epochs 1 --trace trace.json'
jq -e '[.traceEvents[] | select(.name == "step") | .pid] | unique == [0, 1]' trace.json > /dev/null || fail 'no steps of both ranks in the trace'
runs 'mpirun -np 3 lockstep train --resume runs/first --epochs 3'
says 'Epoch 3/3'
runs 'mpirun -np 4 lockstep train configs/fashion_mnist.yaml --run-dir runs/long --continue' '--epochs 1'
runs 'lockstep launch --max-restarts 3 -- mpirun -np 2 lockstep train configs/fashion_mnist.yaml --run-dir runs/long' '--epochs 2'
says 'Epoch 2/2'
runs 'lockstep evaluate runs/first'
says 'accuracy'
runs 'lockstep predict runs/first --rows 0:3 --proba'
says '^row 2 '
runs 'lockstep summary configs/fashion_mnist.yaml'
says 'Total params: 266,610'

# --- Models from a notebook ---
cp runs/first/model.keras .
runs 'lockstep summary model.keras'
says 'Total params: 266,61'
runs 'lockstep convert model.keras model.h5'
runs 'lockstep convert model.keras model.onnx'
runs 'lockstep evaluate model.h5 --data data/fashion_mnist.h5 --loss sparse_categorical_crossentropy --metrics accuracy'
says 'accuracy'

# --- On a cluster: whether this machine is a sound one is not the question ---
doctor='mpirun -np 2 lockstep doctor configs/fashion_mnist.yaml'
documented "$doctor"
echo "+ $doctor"
timeout 100 $doctor > "$work/output" 2>&1 || [ $? = 1 ] || { cat "$work/output"; fail "$doctor"; }
says '^[0-9]+ problems?, [0-9]+ warnings?$'
says '^ok +data'
runs 'lockstep submit configs/fashion_mnist.yaml --nodes 4 --time 8:00:00 --dry-run'
says '^#SBATCH --time=8:00:00$'

# --- Seeing in: a job that runs until it is told to stop ---
mpirun -np 2 lockstep train configs/fashion_mnist.yaml --epochs 1000000 --set checkpoint.every_epochs=0 --run-dir runs/live > live.txt 2>&1 &
job=$!
until grep -q '"address"' runs/live/coordinator.json 2> /dev/null && lockstep status runs/live > /dev/null 2>&1; do
  kill -0 $job || { cat live.txt; fail 'the job ended'; }
done
# live COMMAND: with the job's directory for RUN_DIR
live() {
  documented "$1"
  echo "+ $1"
  timeout 60 ${1/RUN_DIR/runs/live} > "$work/output" 2>&1 || { cat "$work/output"; fail "$1"; }
}
live 'lockstep status RUN_DIR'
timeout 100 lockstep status runs/live --json | jq -e '.ranks | length == 2' > /dev/null || fail 'status --json'
timeout 60 lockstep watch runs/live --once | grep -q epoch || fail 'watch --once'
documented 'lockstep watch RUN_DIR'
timeout 100 lockstep watch runs/live > watch.txt 2>&1 &
watch=$!
live 'lockstep checkpoint RUN_DIR'
ls runs/live/checkpoints | grep -q '^step-' || fail 'no checkpoint'
live 'lockstep stop RUN_DIR'
wait $job || { cat live.txt; fail 'a stopped job is no failure'; }
job=
wait $watch || { cat watch.txt; fail 'watch did not end well'; }

# --- Performance ---
runs 'lockstep bench step --threads 1' '--config configs/fashion_mnist.yaml --epochs 1'
says '^floor, one core'
runs 'mpirun -np 2 lockstep bench step --batch-size 256 --optimizer adam' '--epochs 1 --set data.train.rows=[0,1100]'
says 'MPI_Allreduce'
runs 'mpirun -np 2 lockstep bench allreduce' '--seconds 0.01'
says '64 MB auto'
runs 'mpirun -np 2 lockstep bench input' '--epochs 1 --set data.train.rows=[0,1100]'
says '^streamed'
runs 'lockstep bench startup' '--rounds 1 --set data.train.rows=[0,1100]'
says 'beyond the empty program'
mkdir -p tests
cp -r "$LOCKSTEP_SOURCE/tests/bench" tests
documented 'tests/bench/compare.py setup'  # 3 GB of pip
peers='--peers lockstep --venv none --data data/garments.h5 --results results.json'
runs 'tests/bench/compare.py run --model classifier --batch 32 --cores 1' "$peers --rounds 1 --rows 640"
says 'Lockstep .* us '
runs 'tests/bench/compare.py run --model lenet --batch 32 --cores 2' "$peers --rounds 1 --rows 640"
says 'Lockstep .* us '
runs 'tests/bench/compare.py report' "$peers"
grep -qE '\| \*\*Lockstep\*\* \| \*\*[0-9]+\*\* \|' tests/bench/README.md || { cat tests/bench/README.md; fail 'compare.py report wrote no table'; }
says 'no chart: there is no virtual environment none'

# --- In C++ ---
documented 'cmake --install build/release --prefix DIR'  # install.sh
documented 'g++ -std=c++20 program.cpp $(pkg-config --cflags --libs lockstep) -o program'  # install.sh
runs 'lockstep man'
says '^\.TH LOCKSTEP 1 '
[ ! -s "$work/commands" ] || fail "commands of documents that no test runs: $(cat "$work/commands")"
echo 'readme: every command does what it says'
