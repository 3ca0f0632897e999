#!/usr/bin/env bash
# What changes between a run and its resume: taken where it may change, and said; refused where it would give a wrong number. What was refused leaves the
# run as it was, and a run directory in which nothing was trained can be used again.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"

fail() { echo "FAILED: $*" >&2; [ ! -e out.txt ] || cat out.txt >&2; exit 1; }
on() { timeout 100 mpirun --oversubscribe -np "$1" "$lockstep" train "${@:2}" > out.txt 2>&1; }
says() { grep -q -- "$1" out.txt || fail "no '$1'"; }
# refuse TEXT ARGUMENTS...: exit code 2, and the run in r keeps its configuration.
refuse() {
  local rc=0
  cp r/config.yaml config.before
  on 2 "${@:2}" || rc=$?
  [ $rc = 2 ] || fail "exit code $rc, expected 2: ${*:2}"
  says "$1"
  cmp config.before r/config.yaml || fail "a refused configuration was kept: ${*:2}"
}
run() { rm -rf r; cp -r "$1" r; }

garments 1200 100 100
"$lockstep" data make garments others.h5 --train 1300 --test 100 --seed 7 > /dev/null
common=(small.yaml --batch-size 50 --set 'training.optimizer={SGD: {learning_rate: 0.02, momentum: 0.9}}')
on 2 "${common[@]}" --epochs 1 --set checkpoint.every_steps=13 --run-dir ended || fail "a run"
cp -r ended middle  # as if it had been killed after step 13 of 24
rm -r middle/checkpoints/step-00000024 middle/result.json middle/model.keras middle/history.csv

# --- in the middle of an epoch ---
run middle
refuse "training.metrics 'loss, accuracy', but now it is 'loss'" --resume r --set 'training.metrics=[]'
refuse 'steps per epoch 24, but now it is 12' --resume r --set 'data.train.rows=[0, 600]'
refuse 'training rows 1200, but now it is 1190' --resume r --set 'data.train.rows=[0, 1190]'
rows='1200 rows, x uint8 (28, 28) [0-9a-f]*, y uint8 [0-9a-f]*'
refuse "the checkpoint was made with training data of $rows, but data/garments.h5: /train rows 100 to 1300 now holds $rows; it stands in the middle of an epoch" \
  --resume r --set 'data.train.rows=[100, 1300]'
refuse "training data of $rows, but others.h5: /train rows 0 to 1200 now holds $rows; it stands in the middle of an epoch" --resume r \
  --data others.h5
labels=$(h5dump -p -H -d /train/y data/garments.h5 | awk '/OFFSET/ { print $2 }')
cp data/garments.h5 true.h5
dd if=/dev/zero of=data/garments.h5 bs=1 seek="$labels" count=1300 conv=notrunc status=none
refuse "training data of $rows, but data/garments.h5: /train rows 0 to 1200 now holds $rows; it stands in the middle of an epoch" --resume r
again=("${common[@]}" --epochs 1 --set checkpoint.every_steps=13 --run-dir r --continue)
refuse 'the checkpoint was made with training data' "${again[@]}"
refuse 'the checkpoint was made with training data' --resume r \
  --set data.memory=100000  # read beside the training, known before its first checkpoint
[ "$(ls r/checkpoints)" = step-00000013 ] || fail "a checkpoint was written"
mkdir scratch
mv true.h5 scratch/staged.h5
on 2 "${again[@]}" --data scratch/staged.h5 || fail "the same rows at another place are refused"
says 'resuming from r/checkpoints/step-00000013 '
! grep -q warning out.txt || fail "a warning about the same rows at another place"
grep -q scratch/staged.h5 r/config.yaml || fail "the new place is not in the configuration"
cp scratch/staged.h5 data/garments.h5

# --- large data are read after the first steps: no checkpoint before they are known, or it would push out those of the right data ---
"$lockstep" data make garments plain.h5 --train 30000 --test 10 > /dev/null
h5repack -l /train/x:CHUNK=100x28x28 -f /train/x:GZIP=1 plain.h5 packed.h5
large=("${common[@]}" --epochs 1 --data packed.h5 --set 'data.train.rows=[0, 30000]')
on 2 "${large[@]}" --set checkpoint.every_steps=400 --run-dir large || fail "a run on large data"
rm -r large/checkpoints/step-00000600 large/result.json large/model.keras large/history.csv
labels=$(h5dump -p -H -d /train/y packed.h5 | awk '/OFFSET/ { print $2 }')
cp packed.h5 changed.h5
dd if=/dev/zero of=changed.h5 bs=1 seek="$labels" count=30000 conv=notrunc status=none
for goes_on in '--resume r' "${large[*]:0:3} --epochs 1 --run-dir r --continue"; do
  run large
  refuse 'the checkpoint was made with training data' $goes_on --data changed.h5 --set 'data.train.rows=[0, 30000]' \
    --set 'training.optimizer={SGD: {learning_rate: 0.02, momentum: 0.9}}' --set data.memory=20000000 --set checkpoint.every_steps=1
  [ "$(ls r/checkpoints)" = step-00000400 ] || fail "a checkpoint of other data was written: $(ls r/checkpoints | paste -sd' ')"
done
run large
on 2 --resume r --set data.memory=20000000 --set checkpoint.every_steps=100 || fail "large data that have not changed"
! grep -q warning out.txt || fail "a warning about large data that have not changed"

# --- a checkpoint that knows some data sets, or none, as those before large data were read, or of earlier versions ---
forget() {
  local folder=r/checkpoints/step-00000013
  jq "$1" $folder/state.json > state.json
  cp state.json $folder/state.json
  jq --arg sum "$(sha256sum < state.json | cut -d' ' -f1)" --argjson bytes "$(stat -c %s state.json)" '.files["state.json"] = {bytes: $bytes, sha256: $sum}' \
    $folder/manifest.json > manifest.json
  cp manifest.json $folder/manifest.json
}
known() {
  run middle
  forget "$1"
  on 2 --resume r || fail "refused: $1"
  [ "$(grep -c '^warning: the checkpoint does not say what its' out.txt)" = 1 ] || fail "not one warning: $1"
}
known 'del(.data_sets.training)'
says 'what its training data held: .* Whether they have changed is not known; it stands in the middle of an epoch, so make sure that the training data are the same'
known 'del(.data_sets.validation)'
says 'what its validation data held: .* is not known$'
known 'del(.data_sets) | .data = "0123"'
says 'what its test, training, validation data held: '
run middle
refuse "the optimizer 'sgd', 8 arrays, but the model is compiled with RMSprop" --resume r --set 'training.optimizer=RMSprop'
refuse 'coordinator' --resume r --set coordinator.listen=no.such.host.invalid

# --- the learning rate: the configured one wins if it is another one than was configured, on all ranks ---
digest() { jq -r .weights_digest r/result.json; }
on 2 --resume r || fail "nothing changed"
! grep -q 'learning rate' out.txt || fail "a learning rate that nobody has changed is told"
same=$(digest)
for ranks in 1 2; do
  run middle
  on $ranks --resume r --set training.optimizer.SGD.learning_rate=0.5 || fail "another learning rate"
  says "learning rate  0.5 as it is configured now, instead of the checkpoint's 0.02"
  grep -q 'learning_rate: 0.5' r/config.yaml || fail "not in the configuration"
  faster[$ranks]=$(digest)
done
[ "${faster[1]}" = "${faster[2]}" ] || fail "other weights at 2 ranks"
[ "${faster[1]}" != "$same" ] || fail "another learning rate changes nothing"
on 2 --resume r --epochs 2 || fail "once more"
! grep -q 'learning rate' out.txt || fail "the learning rate is told again"

# --- between epochs: other data, other metrics, which get their columns ---
run ended
refuse 'the checkpoint was made with training data .* --continue goes on with the same data only' "${common[@]}" --epochs 2 \
  --set checkpoint.every_steps=13 --run-dir r --continue --data others.h5
on 2 --resume r --epochs 2 --data others.h5 || fail "other data between epochs"
says "warning: the checkpoint was made with training data of $rows, but others.h5: /train rows 0 to 1200 now holds $rows"
on 2 --resume r --epochs 3 --set 'training.metrics=[accuracy, {SparseTopKCategoricalAccuracy: {k: 3, name: top3}}]' || fail "another metric between epochs"
header=$'epoch,accuracy,loss,top3,val_accuracy,val_loss,val_top3\r'
[ "$(head -1 r/history.csv)" = "$header" ] || { cat r/history.csv; fail "the header of history.csv"; }
[ "$(cut -d, -f4 r/history.csv | sed -n '2,3p' | sort -u)" = NA ] || { cat r/history.csv; fail "top3 of the epochs before"; }
on 2 --resume r --epochs 4 || fail "nothing changed"
[ "$(head -1 r/history.csv)" = "$header" ] || { cat r/history.csv; fail "the header of history.csv after one more resume"; }
[ "$(awk -F, '{ print NF }' r/history.csv | sort -u)" = 7 ] && [ "$(tail -n +2 r/history.csv | cut -d, -f1 | paste -sd' ')" = '0 1 2 3' ] || { cat r/history.csv; fail "the rows of history.csv"; }
[ "$(cut -d, -f4 r/history.csv | sed -n '2,3p' | sort -u)" = nan ] && cut -d, -f4 r/history.csv | sed -n '4,5p' | grep -cq '^[01]\.' || { cat r/history.csv; fail "top3"; }
jq -e '.best.train.top3.epoch >= 3 and .final.train.top3 > 0' r/result.json > /dev/null || { cat r/result.json; fail "the best top3"; }

# --- nothing was started: the directory is not made, or can be used again ---
rc=0
on 2 "${common[@]}" --epochs 1 --reproducible --allreduce ring --run-dir x || rc=$?
[ $rc = 2 ] && [ ! -e x ] || fail "exit code $rc, or a directory, of a run that cannot be reproducible"
says "'cluster.allreduce' cannot be forced in a reproducible run"
for goes_on in '' --continue; do
  rm -rf x
  rc=0
  on 2 "${common[@]}" --epochs 1 --run-dir x --set coordinator.listen=no.such.host.invalid --set seed=3 $goes_on || rc=$?
  [ $rc = 2 ] && [ -e x/config.yaml ] || fail "exit code $rc of a coordinator without a place"
  on 2 "${common[@]}" --epochs 1 --run-dir x $goes_on || fail "the corrected command is refused ($goes_on)"
  rc=0
  on 2 "${common[@]}" --epochs 2 --set seed=4 --run-dir x $goes_on || rc=$?
  [ $rc = 2 ] || fail "exit code $rc in a directory with a run ($goes_on)"
done

# --- NaN: the newest healthy one is taken, the newest one only by its name ---
seq 0 1199 | awk 'BEGIN { print "a,b,y" } { print (NR == 1000 ? "3e38" : $1 / 1200) "," ($1 % 7) "," $1 / 600 }' > rows.csv
"$lockstep" data import csv rows.csv --target y rows.h5 > /dev/null
cat > nan.yaml <<'YAML'
data:
  train: {file: rows.h5, group: train}
model:
  - Dense: {units: 8, activation: relu, kernel_initializer: ones}  # the sum of eight such numbers is no float any more
  - Dense: {units: 1, kernel_initializer: ones}
training: {loss: mse, optimizer: {SGD: {learning_rate: 0.000001}}, epochs: 1, batch_size: 48, shuffle: false, on_nan: continue}
checkpoint: {every_epochs: 0, every_steps: 10, keep: 1}
YAML
on 2 nan.yaml --run-dir n || fail "a run full of NaN"
cp -r n named
healthy=$(for state in n/checkpoints/*/state.json; do jq -r 'select(.healthy) | "step-" + (.global_step + 100000000 | tostring | sub("^1"; ""))' $state; done | tail -1)  # a busy writer takes it later
[ -n "$healthy" ] || fail "the last healthy checkpoint was not kept"
on 2 --resume n --epochs 2 || fail "resume after NaN"
says 'warning: skipped a checkpoint: n/checkpoints/step-00000025: its loss or weights are not finite numbers'
says "resuming from n/checkpoints/$healthy "
run named
refuse 'training.loss mean_squared_error, but now it is mean_absolute_error' --resume r --set training.loss=mae
on 2 --resume named/checkpoints/step-00000025/ --epochs 2 || fail "the newest one by its name"
says 'resuming from named/checkpoints/step-00000025 '
says 'warning: its loss or weights are not finite numbers'
run ended
refuse 'step-00000013 is not the newest checkpoint of r: .* r/checkpoints/step-00000024' --resume r/checkpoints/step-00000013 --epochs 2
refuse 'there is no checkpoint r/checkpoints/step-00000099' --resume r/checkpoints/step-00000099
echo "resume with changes: all passed"
