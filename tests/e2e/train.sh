# What a user types: train at several numbers of ranks, watch, stop, resume, evaluate, predict, summary, and the errors on the way.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
near='def near($a; $b): ($a - $b | fabs) <= 1e-4 * ($a | fabs);'

garments 1100 103 211

# --- the same curve at 1, 2, 3 and 5 ranks ---
for ranks in 1 2 3 5; do
  on $ranks train small.yaml --epochs 3 --run-dir "runs/n$ranks" > "n$ranks.txt" 2>&1 || { cat "n$ranks.txt"; fail "train at $ranks ranks"; }
  grep -q 'Epoch 3/3' "n$ranks.txt" || fail "no line for the last epoch"
  [ "$(grep -c 'Epoch 3/3' "n$ranks.txt")" = 1 ] || fail "more than one rank prints"
  grep -q 'sequential: 5 layers, 266,610 parameters' "n$ranks.txt" || fail "the model is not told as Keras counts it"
  ! grep -q $'\033' "n$ranks.txt" || fail "escape sequences in a file"
  holds ".[0].ranks == $ranks" "runs/n$ranks/result.json"
  holds '.[0] | .ended == "all 3 epochs done" and .epochs_done == 3 and .steps == 3 * 35 and .samples == 3300
    and (.final | keys) == ["test", "train", "validation"] and .us_per_step > 0 and ([.time_shares[]] | add - 1 | fabs) < 1e-9
    and ([.rank_table[].time_shares | [.[]] | add - 1 | fabs] | max) < 1e-9 and ([.time_shares[]] | min) >= 0
    and .time_shares.compute > 0 and .time_shares.checkpoint > 0 and .time_shares.validation > 0 and .time_shares.start > 0
    and .seconds_to_first_step > 0 and all(.rank_table[]; .memory_bytes > 1e6 and .memory_bytes <= .peak_memory_bytes) and (.advice.text | length) > 0' "runs/n$ranks/result.json"
  grep -q '^time  .* s: compute [0-9.]* %, communication ' "n$ranks.txt" && grep -q '^what would help most: ' "n$ranks.txt" || fail "no breakdown"
  holds "$near near(.[0].final.test.loss; .[1].final.test.loss)" runs/n1/result.json "runs/n$ranks/result.json"
  holds '(.[1].epoch_digests | length) == 3 and .[0].epoch_digests == .[1].epoch_digests and .[1].epoch_digests[2] == .[1].weights_digest' \
    runs/n1/result.json "runs/n$ranks/result.json"
  jq -r '.epoch_digests[]' "runs/n$ranks/result.json" | cmp - <(sed -n 's/^Epoch .* - weights \([0-9a-f]\{16\}\)$/\1/p' "n$ranks.txt") || fail "the epochs' lines show other digests"
  head -1 "runs/n$ranks/history.csv" | tr -d '\r' | grep -qx 'epoch,accuracy,loss,val_accuracy,val_loss' || fail "header of history.csv"
  paste -d, runs/n1/history.csv "runs/n$ranks/history.csv" | tr -d '\r' | awk -F, '
    function near(a, b) { return (a - b) ^ 2 <= (1e-4 * a) ^ 2 }
    NR > 1 && !(near($3, $8) && near($5, $10)) { print; bad = 1 } END { exit bad || NR != 4 }' || fail "another curve at $ranks ranks"
done
[ "$(stat -c %a runs/n2/coordinator.json)" = 600 ] || fail "coordinator.json can be read by others"
grep -q 'of 5 ranks get no rows' n5.txt || fail "idle ranks are not told"

# --- one rank speaks, and all end alike ---
[ "$(on 2 --version | sort -u)" = "$("$lockstep" --version)" ] || fail "--version on two ranks"
on 2 train --help > help.txt && [ "$(grep -c '^Usage: ' help.txt)" = 1 ] || { cat help.txt; fail "--help on two ranks"; }

# --- resume on another number of ranks: the weights of the run that was not interrupted ---
on 2 train small.yaml --epochs 1 --run-dir runs/parts > /dev/null
on 3 train --resume runs/parts --epochs 3 > parts.txt 2>&1 || { cat parts.txt; fail "resume"; }
grep -q 'resuming from' parts.txt || fail "resume does not say from where"
[ "$(wc -l < runs/parts/history.csv)" = 4 ] || fail "history of a resumed run"
holds "$near near(.[0].final.test.loss; .[1].final.test.loss)" runs/n3/result.json runs/parts/result.json
holds '.[0].epoch_digests == .[1].epoch_digests' runs/n3/result.json runs/parts/result.json
refuse 2 'all 3 epochs' "$lockstep" train --resume runs/parts
! grep -q 'resuming from' refused.txt || fail "a refused resume says that it resumes"
refuse 2 'training.batch_size 32, but now it is 16' "$lockstep" train --resume runs/parts --epochs 4 --batch-size 16

# --- --continue: one command starts a run, goes on with it and leaves a finished one alone ---
mkdir -p runs/long
touch runs/long/config.yaml.partial-1  # of an attempt that died early
on 2 train small.yaml --epochs 2 --run-dir runs/long --continue > long.txt 2>&1 || { cat long.txt; fail "--continue in a directory without a checkpoint"; }
! grep -q 'resuming from' long.txt || fail "--continue resumes from nothing"
cp runs/long/result.json before.json
on 2 train small.yaml --epochs 2 --run-dir runs/long --continue > long.txt 2>&1 || { cat long.txt; fail "--continue of a finished run"; }
grep -q 'all 2 epochs done before' long.txt || { cat long.txt; fail "--continue does not say that there is nothing to do"; }
cmp before.json runs/long/result.json || fail "--continue changes the result of a finished run"
rm runs/long/result.json  # killed between the last checkpoint and the result
on 3 train small.yaml --epochs 2 --run-dir runs/long --continue > long.txt 2>&1 || { cat long.txt; fail "--continue before the result"; }
holds '.[0].ended == .[1].ended and .[0].final == .[1].final and .[0].weights_digest == .[1].weights_digest' before.json runs/long/result.json
on 2 train small.yaml --epochs 3 --run-dir runs/long --continue > long.txt 2>&1 || { cat long.txt; fail "--continue with more epochs"; }
grep -q 'resuming from' long.txt || fail "--continue does not say from where"
holds '.[0].weights_digest == .[1].weights_digest' runs/n3/result.json runs/long/result.json
refuse 2 'training.batch_size: 32 there, 16 here' on 2 train small.yaml --run-dir runs/long --continue --batch-size 16
refuse 2 '--continue needs' "$lockstep" train small.yaml --continue
mkdir -p runs/strange && touch runs/strange/history.csv
refuse 2 'no config.yaml' "$lockstep" train small.yaml --run-dir runs/strange --continue

# --- stopped at any step, resumed on another number of ranks: the weights of the run that was not stopped ---
on 2 train small.yaml --epochs 1000000 --run-dir runs/stopped --set checkpoint.every_epochs=0 > stopped.txt 2>&1 &
job=$!
until "$lockstep" status runs/stopped --json > status.json 2> status.txt && jq -e '.global_step > 0' status.json > now.txt; do
  kill -0 $job 2> now.txt || { cat stopped.txt; fail "the job ended before it was stopped"; }
done
"$lockstep" stop runs/stopped > now.txt
wait $job || { cat stopped.txt; fail "a stopped job is no failure"; }
epochs=$(($(jq .epoch runs/stopped/checkpoints/step-*/state.json) + 2))
on 3 train --resume runs/stopped --epochs $epochs > resumed.txt 2>&1 || { cat resumed.txt; fail "resume after a stop"; }
on 1 train small.yaml --epochs $epochs --run-dir runs/straight --set checkpoint.every_epochs=0 > straight.txt
holds "$near near(.[0].final.test.loss; .[1].final.test.loss)" runs/straight/result.json runs/stopped/result.json

# --- evaluate, predict, summary ---
"$lockstep" evaluate runs/n2 --json > evaluate.json
holds '.[0].rows == 211' evaluate.json
holds '.[0].accuracy == .[1].final.test.accuracy and (.[0].loss - .[1].final.test.loss | fabs) < 1e-6' evaluate.json runs/n2/result.json
on 3 evaluate runs/n2 --json > evaluate3.json
cmp evaluate.json evaluate3.json || fail "evaluate differs at 3 ranks"
holds '.[0] | [.confusion[][]] | add == 211' evaluate.json
holds '.[0] | (.classes | length) == 10 and ([.classes[].rows] | add) == 211 and .classes[9].name == "Ankle boot"' evaluate.json
holds '.[0] | ([range(10) as $c | .confusion[$c][$c]] | add) / 211 - .accuracy | fabs < 1e-9' evaluate.json
on 2 evaluate runs/n2 > evaluate.txt
grep -q '^  class .*precision .*recall .*f1 .*rows$' evaluate.txt && grep -q '^    9 Ankle boot  ' evaluate.txt || fail "evaluate has no table of the classes"
"$lockstep" evaluate runs/n2/model.keras --data data/garments.h5 --group test --json | cmp - evaluate.json || fail "model.keras evaluates differently"
on 2 predict runs/n2 --out answers.csv --proba > /dev/null
[ "$(wc -l < answers.csv)" = 212 ] || fail "predict.csv has not a line per row"
head -1 answers.csv | grep -q '^row,class,name,T-shirt/top,Trouser,.*,Ankle boot$' || fail "header of predict's CSV"
"$lockstep" predict runs/n2 --rows 0:3 | grep -c '^row' | grep -qx 3 || fail "predict --rows"
refuse 2 'holds no row' "$lockstep" predict runs/n2 --rows 5:5
refuse 2 'exists' "$lockstep" predict runs/n2 --out answers.csv
"$lockstep" predict runs/n2 --out answers.h5 > /dev/null && "$lockstep" data show answers.h5 > /dev/null || fail "predict to HDF5"
"$lockstep" summary small.yaml | grep -q ' Total params: 266,610 (1.02 MB)' || fail "summary"

# --- errors ---
refuse 2 'is not empty' "$lockstep" train small.yaml --run-dir runs/n1
refuse 2 "did you mean 'epochs'?" "$lockstep" train small.yaml --set training.epoch=3
refuse 2 'small.yaml (--set)' "$lockstep" train small.yaml --set training.epochs=many
sed 's/batch_size/batch_sizes/' small.yaml > wrong.yaml
refuse 2 "wrong.yaml:$(grep -n batch_sizes wrong.yaml | cut -d: -f1): 'training.batch_sizes' is no known key; did you mean 'batch_size'?" on 2 train wrong.yaml
refuse 1 'none.h5' on 2 train small.yaml --data none.h5
[ "$(grep -c 'none.h5' refused.txt)" = 1 ] || fail "an error that all ranks share is told more than once"
refuse 2 'cannot read the configuration' "$lockstep" train none.yaml
refuse 2 'one of them' "$lockstep" train
: > empty.yaml
refuse 2 'empty.yaml holds no configuration' "$lockstep" train empty.yaml
# wrong SED TEXT: small.yaml changed by sed is refused, and no run directory is left behind.
wrong() {
  sed "$1" small.yaml > wrong.yaml
  refuse 2 "$2" on 2 train wrong.yaml --run-dir runs/wrong
  [ ! -e runs/wrong ] || fail "a run directory of a configuration that cannot be trained: $1"
}
line() { grep -n "$1" small.yaml | cut -d: -f1; }
wrong 's/SGD/SDG/' "wrong.yaml:$(line SGD): 'training.optimizer' names an unknown optimizer 'SDG'"
wrong 's/\[accuracy\]/[acuracy]/' "wrong.yaml:$(line accuracy): 'training.metrics' names an unknown metric 'acuracy'"
wrong 's/units: 300/unit: 300/' "wrong.yaml:$(line 300): 'model.3.Dense.unit' is no known key; did you mean 'units'?"
wrong 's/28, 28/28, 27/' 'rows have shape (28, 28), but model'
wrong '/Flatten/d' 'put a Flatten layer'
wrong 's/loss: .*/loss: mse/' 'expects truth as wide as the output'
refuse 2 '--epochs: must be a whole number of at least 1' "$lockstep" train small.yaml --epochs 0
refuse 2 '--seed: must be a whole number of at least 0' "$lockstep" train small.yaml --seed -1
[ "$(wc -l < refused.txt)" = 2 ] || fail "a wrong option is told in more than two lines"
refuse 2 "there is no command 'trian'" "$lockstep" trian small.yaml
refuse 2 'is no run directory' "$lockstep" evaluate "$work"
cp -r runs/n1 runs/damaged
for file in runs/damaged/checkpoints/*/model.weights.h5; do printf 'x' | dd of="$file" bs=1 seek=5000 conv=notrunc status=none; done
refuse 1 'every checkpoint is damaged' "$lockstep" evaluate runs/damaged
refuse 1 'every checkpoint is damaged' on 2 train --resume runs/damaged --epochs 4
echo "train: all passed"
