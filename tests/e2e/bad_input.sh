# Numbers that are too large, names that are no text, labels that are no classes, rows that give nan: told in one line that names key, file or row.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"

garments 500 100 70
"$lockstep" train small.yaml --epochs 1 --run-dir runs/good > train.txt 2>&1 || { cat train.txt; fail "train"; }

# --- more memory than there is ---
refuse 1 'needs about' on 2 train small.yaml --epochs 1 --run-dir runs/batch --set training.batch_size=1073741824
[ "$(grep -c 'needs about' refused.txt)" = 1 ] || { cat refused.txt; fail "told more than once"; }
refuse 1 'GiB on this rank' "$lockstep" train small.yaml --epochs 1 --run-dir runs/units --set model.3.Dense.units=1000000000
if [ -z "${LOCKSTEP_SANITIZE:-}" ]; then  # whose own memory is beyond such a limit
  scarce() { (ulimit -v 3000000; "$@"); }  # KiB
  refuse 1 'a model of 885001110 parameters needs about 3.3 GiB on this rank' scarce "$lockstep" train small.yaml --epochs 1 --run-dir runs/scarce --set model.3.Dense.units=1000000
fi

# --- files of 200 GB without content that are given as models: refused by their first bytes or their length, before they are read ---
for name in zeros.keras zeros.h5 magic.keras magic.h5 zeros.yaml; do truncate -s 200G "$name"; done
printf 'PK\003\004' | dd of=magic.keras conv=notrunc status=none
printf '\211HDF\r\n\032\n' | dd of=magic.h5 conv=notrunc status=none
cat > model.yaml <<'YAML'
data: {train: {file: data/garments.h5, group: train, rows: [0, 500]}}
model: {keras: zeros.keras}
training: {epochs: 1, loss: mse}
YAML
for ending in keras h5; do
  no_model="zeros.$ending: expected a .keras file (a zip archive) or an HDF5 file (.h5), found 214748364800 bytes" long="magic.$ending, 214748364800 bytes, needs about 600.0 GiB"
  for file in zeros magic; do
    [ $file = zeros ] && text=$no_model || text=$long
    refuse 1 "$text" timeout 20 "$lockstep" summary $file.$ending
    refuse 1 "$text" timeout 20 "$lockstep" convert $file.$ending converted.keras
    refuse 1 "$text" timeout 20 "$lockstep" predict $file.$ending --data data/garments.h5 --out predicted.h5
    refuse 1 "$text" timeout 20 "$lockstep" train model.yaml --set "model.keras=$file.$ending" --run-dir runs/none
  done
done
refuse 1 'zeros.keras: expected a .keras file' timeout 20 "$lockstep" train small.yaml --set initial_weights=zeros.keras --run-dir runs/none
refuse 2 'zeros.yaml is no configuration (.yaml): it has more than 16 MiB' timeout 20 "$lockstep" train zeros.yaml --run-dir runs/none
rm zeros.* magic.*

# --- labels ---
refuse 1 "data/garments.h5: data set '/train/y', row " on 2 train small.yaml --epochs 1 --run-dir runs/labels --set model.5.Dense.units=9
grep -Eq 'row [0-9]+: label 9 is not a class index from 0 to 8' refused.txt || { cat refused.txt; fail "the label"; }
[ "$(grep -c 'label 9' refused.txt)" = 1 ] || { cat refused.txt; fail "told more than once"; }

# --- labels, targets and weights of training, validation and test: before there is a run directory ---
table() { # FILE HEADER: rows 0 to 99, of which row 70 is the arguments'
  awk -v header="$2" -v odd="$3" 'BEGIN { print header; for (i = 0; i < 100; ++i) print (i == 70 ? odd : i / 100 ",1," i % 2) }' > rows.csv
  "$lockstep" data import csv rows.csv --target y "data/$1.h5" > made.txt
}
table good a,b,y 0.7,1,0
table label a,b,y 0.7,1,2
cat > rows.yaml <<'YAML'
data:
  train: {file: data/good.h5, group: train}
  validation: {file: data/good.h5, group: train}
  test: {file: data/good.h5, group: train}
model:
  - Dense: {units: 2, activation: softmax}
training: {loss: sparse_categorical_crossentropy, optimizer: {SGD: {learning_rate: 0.1}}, epochs: 1, batch_size: 10}
YAML
for use in train validation test; do
  refuse 1 "data/label.h5: data set '/train/y', row 70: label 2 is not a class index from 0 to 1" \
    on 2 train rows.yaml --run-dir runs/rows --set "data.$use.file=data/label.h5"
  [ "$(grep -c 'label 2' refused.txt)" = 1 ] || { cat refused.txt; fail "told more than once"; }
  [ ! -e runs/rows ] || fail "a run directory although the labels of $use are wrong"
done
refuse 1 "row 70: label 2 is not a class" "$lockstep" doctor rows.yaml --set data.test.file=data/label.h5

# --- features that are nan: named with row and column in training and validation, in memory and streamed; a training is kept before its
# test data are scored ---
nan_for_1234_5() { LC_ALL=C sed -i 's/\x00\x50\x9a\x44/\x00\x00\xc0\x7f/g' "data/$1.h5"; }
table nan a,b,y 1,1234.5,0
nan_for_1234_5 nan
for use in train validation; do
  refuse 1 "data/nan.h5: data set '/train/x', row 70, column 1 is nan" \
    on 2 train rows.yaml --run-dir "runs/nan-$use" --set "data.$use.file=data/nan.h5"
done
awk 'BEGIN { print "a,b,y"; for (i = 0; i < 100; ++i) print "1234.5,1," i % 2 }' > rows.csv
"$lockstep" data import csv rows.csv --target y data/nans.h5 > made.txt
nan_for_1234_5 nans
refuse 1 "data/nans.h5: data set '/train/x', row " \
  on 2 train rows.yaml --run-dir runs/streamed --set data.train.file=data/nans.h5 --set data.memory=200B
[ "$(grep -c 'column 0 is nan' refused.txt)" = 1 ] || { cat refused.txt; fail "not told once"; }
refuse 1 "training is over, runs/kept/model.keras and result.json are written, but the test data cannot be scored: data/nan.h5: data set '/train/x', row 70" \
  on 2 train rows.yaml --run-dir runs/kept --set data.test.file=data/nan.h5
holds '.[0].ended == "all 1 epochs done" and (.[0].final | has("test") | not)' runs/kept/result.json
refuse 1 "the test data cannot be scored: data/nan.h5: data set '/train/x', row 70" on 2 train rows.yaml --run-dir runs/kept --set data.test.file=data/nan.h5 --continue  # not complete
"$lockstep" evaluate runs/kept/model.keras --data data/good.h5 --group train > evaluate.txt || fail "the model that was kept"
refuse 1 "row 70, column 1 is nan" "$lockstep" evaluate runs/kept --data data/nan.h5 --group train
"$lockstep" predict runs/kept --data data/nan.h5 --group train --out answers.csv > predicted.txt 2> warned.txt ||
  fail "predict with a row of nan"
grep -q "for 1 of 100 rows, the first is row 70: .*data/nan.h5: data set '/train/x', row 70, column 1 is nan" warned.txt ||
  { cat warned.txt; fail "the row that gives nan"; }
"$lockstep" train rows.yaml --run-dir runs/goes-on --set data.train.file=data/nan.h5 --set training.on_nan=continue > nan.txt 2>&1 ||
  { cat nan.txt; fail "on_nan: continue"; }

# --- a file whose name is no text: JSON stays JSON ---
bytes=$(printf 'g\377.h5')
cp data/garments.h5 "$bytes"
"$lockstep" evaluate runs/good --data "$bytes" --group test --json > evaluate.json || fail "evaluate of a file with such a name"
jq -e '.rows == 70 and (.data | test("^g.\\.h5: "))' evaluate.json > /dev/null || { cat evaluate.json; fail "no JSON"; }
refuse 2 'is no UTF-8' "$lockstep" train small.yaml --set "$(printf 'name=a\377')"

# --- outputs that are no numbers ---
"$lockstep" predict runs/good > predicted.txt 2>&1
! grep -q warning predicted.txt || { cat predicted.txt; fail "a warning of nothing"; }
"$lockstep" train small.yaml --epochs 1 --run-dir runs/nan --set training.on_nan=continue --set model.1.Rescaling.scale=3e38 > nan.txt 2>&1 || { cat nan.txt; fail "train with nan"; }
on 2 predict runs/nan --rows 5:25 > predicted.txt 2> warned.txt || { cat warned.txt; fail "predict with nan ends in an error"; }
grep -q "warning: the model's output is nan for 20 of 20 rows, the first is row 5:" warned.txt || { cat warned.txt; fail "no warning of nan"; }
[ "$(grep -c warning: warned.txt)" = 1 ] || { cat warned.txt; fail "told more than once"; }

# --- a damaged list of names (on which HDF5 itself crashes), and a library that crashes while it reads: one message that names the file,
# exit code 1 ---
heap=$(grep -abo GCOL data/garments.h5 | head -1 | cut -d: -f1)
cp data/garments.h5 damaged.h5
printf '\167' | dd of=damaged.h5 bs=1 seek=$((heap + 16)) conv=notrunc status=none  # the number of its first string
refuse 1 "damaged.h5: attribute 'class_names' of '/': damaged: string 1 is missing in its heap" "$lockstep" data show damaged.h5
refuse 1 "damaged.h5: attribute 'class_names' of '/': damaged: string 1 is missing in its heap" \
  on 2 train small.yaml --epochs 1 --run-dir runs/damaged --data damaged.h5
[ "$(grep -c 'damaged.h5: ' refused.txt)" = 1 ] || { cat refused.txt; fail "told more than once"; }
if [ -z "${LOCKSTEP_SANITIZE:-}" ]; then  # whose own report follows
  cc -shared -fPIC -o faulty.so "$LOCKSTEP_SOURCE/tests/programs/faulty_calls.c" -ldl
  crash="data/garments.h5: crashed (SIGSEGV) while reading the description of data set"
  advice='the file is most likely damaged; copy it again or make it anew'
  refuse 1 "lockstep: $crash '/test/x': $advice" env FAULT=hdf5_crashes LD_PRELOAD="$work/faulty.so" "$lockstep" data show data/garments.h5
  refuse 1 "[rank 0 on $(hostname)] $crash '/train/x': $advice" timeout 100 mpirun \
    --oversubscribe -np 2 -x FAULT=hdf5_crashes -x LD_PRELOAD="$work/faulty.so" "$lockstep" train small.yaml --epochs 1 --run-dir runs/crash
  [ "$(grep -c 'garments.h5: ' refused.txt)" = 1 ] || { cat refused.txt; fail "told more than once"; }
  ! grep -q 'process has ended' refused.txt || { cat refused.txt; fail "the watchdog speaks, too"; }
fi

# --- input through a pipe ---
"$lockstep" train <(cat small.yaml) --epochs 1 --run-dir runs/substituted > out.txt 2>&1 || { cat out.txt; fail "a configuration from <()"; }
cat small.yaml | "$lockstep" train /dev/stdin --epochs 1 --run-dir runs/piped > out.txt 2>&1 || { cat out.txt; fail "a configuration from a pipe"; }
"$lockstep" data import csv <(cat rows.csv) --target y piped.h5 > out.txt 2>&1 || { cat out.txt; fail "import from <()"; }
refuse 2 'is a FIFO; expected a regular file' "$lockstep" train small.yaml --data <(cat data/garments.h5) --run-dir runs/none
mkfifo named
refuse 2 'named: is a FIFO; expected a regular file' timeout 20 "$lockstep" train named

# --- options ---
refuse 2 "--timeout: must be a number of seconds above 0, found '-3'" "$lockstep" train small.yaml --timeout -3
refuse 2 "--timeout: must be a number of seconds above 0, found 'nan'" "$lockstep" train small.yaml --timeout nan
refuse 2 '7 bytes are no whole number of floats' "$lockstep" bench allreduce --sizes 7
refuse 2 "--seconds: must be a number of seconds above 0, found 'nan'" "$lockstep" bench allreduce --seconds nan
refuse 2 "'cluster.allreduce' cannot be chosen with exchange: factors" "$lockstep" train small.yaml --exchange factors --allreduce ring
for command in evaluate predict; do
  "$lockstep" $command --help | tr -s ' \n' ' ' | grep -q 'of a run without test rows, its validation or else its training rows' || fail "$command --help"
done
echo "bad input: all passed"
