# Runs that branch off from a checkpoint of another run, which stays as it is; checkpoints that are resumed without their run directory;
# options that contradict each other.
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
fail() { echo "FAILED: $*" >&2; [ ! -e out.txt ] || cat out.txt >&2; exit 1; }
train() { on "$1" train "${@:2}" > out.txt 2>&1; }
digest() { jq -r .weights_digest "$1/result.json"; }
state() { (cd "$1" && find . -type f ! -name .lock -exec sha256sum {} + | sort); }  # of all that a run holds

garments 1200 100 100
train 2 small.yaml --epochs 3 --set checkpoint.every_epochs=0 --set checkpoint.every_steps=50 --run-dir a || fail "a run"
train 2 small.yaml --epochs 5 --run-dir straight || fail "the run without a branch"
state a > a.before
unchanged() { state a | cmp - a.before > cmp.txt || fail "the run that was branched off from has changed: $(cat cmp.txt)"; }

# --- from the newest checkpoint, from an older one, on other numbers of ranks ---
train 3 --resume a --run-dir b --epochs 5 || fail "a branch"
grep -q 'run directory  b$' out.txt && grep -q 'resuming from a/checkpoints/step-00000114 ' out.txt || fail "what the branch says"
unchanged
[ "$(digest b)" = "$(digest straight)" ] || fail "the branch has other weights"
cmp b/history.csv straight/history.csv || fail "the branch has another history"
grep -q 'epochs: 5' b/config.yaml && grep -q 'every_steps: 50' b/config.yaml || fail "the branch's configuration"
train 1 --resume a/checkpoints/step-00000050 --run-dir c --epochs 5 --set checkpoint.every_steps=0 ||
  fail "a branch from an older checkpoint"
unchanged
[ "$(digest c)" = "$(digest straight)" ] || fail "the branch from an older checkpoint has other weights"
refuse 2 'b exists and is not empty' on 2 train --resume a --run-dir b --epochs 6
refuse 2 'all 3 epochs of a are done' on 2 train --resume a --run-dir none
[ ! -e none ] || fail "a branch that was refused has left a directory"
train 1 --resume a --run-dir b/../a --epochs 3 && fail "all epochs are done"
grep -q 'all 3 epochs of a are done' out.txt || fail "the same directory twice is one run"

# --- one command starts the branch and goes on with it: so does lockstep launch ---
for again in 1 2; do train 2 --resume a --run-dir d --epochs 4 --continue || fail "a branch with --continue, start $again"; done
grep -q 'all 4 epochs done before' out.txt || fail "--continue does not look into the branch"
timeout 200 "$lockstep" launch -- mpirun --oversubscribe -np 2 "$lockstep" train --resume a --run-dir e --epochs 4 > out.txt 2>&1 ||
  fail "launch with a branch"
[ "$(digest d)" = "$(digest e)" ] || fail "launch with a branch ends with other weights"
refuse 2 'is a checkpoint, which every start would begin from again' "$lockstep" launch -- mpirun -np 2 \
  "$lockstep" train --resume a/checkpoints/step-00000050
unchanged

# --- later starts of a branch go on with its own configuration, whatever has become of the run that it came from ---
cp -r a source
branch=(--resume source --run-dir h --epochs 4 --continue)
train 2 "${branch[@]}" || fail "a branch"
train 2 --resume source --epochs 5 --set training.optimizer.SGD.learning_rate=0.5 || fail "the run goes on beside its branch"
train 2 "${branch[@]}" || fail "the same command when the other run has another learning rate"
grep -q 'all 4 epochs done before' out.txt || fail "the branch is over"
rm -r source/checkpoints h/result.json
train 2 "${branch[@]}" || fail "the same command when the other run has no checkpoint"
rm -r source h/result.json
train 2 "${branch[@]}" || fail "the same command when the other run is gone"
[ "$(digest h)" = "$(digest d)" ] || fail "the branch has other weights"

# --- a checkpoint alone ---
mkdir away
for name in best step-00000050; do cp -r a/checkpoints/step-00000050 away/$name; done
train 2 --resume away/best --run-dir f --epochs 5 || fail "a checkpoint without its run"
[ "$(digest f)" = "$(digest straight)" ] || fail "a checkpoint without its run leads to other weights"
refuse 2 'away/best is a checkpoint outside a run directory; give --run-dir' on 2 train --resume away/best --epochs 5
"$lockstep" evaluate away/best > out.txt || fail "evaluate of a checkpoint"
echo '# changed' >> away/step-00000050/config.yaml
refuse 1 'away/step-00000050/config.yaml: expected' on 2 train --resume away/step-00000050 --run-dir g --epochs 5

# --- fewer epochs than are done ---
for ask in '--resume a' '--run-dir a --continue'; do
  config=small.yaml
  [ "$ask" = '--resume a' ] && config=
  refuse 2 'is beyond the 2 epochs that are asked for: it has done 3; ask for more' on 2 train $config \
    $ask --epochs 2 --set checkpoint.every_epochs=0 --set checkpoint.every_steps=50
  unchanged
done
cp -r a middle && rm middle/result.json middle/model.keras  # as if it had been killed in its second epoch
for checkpoint in middle/checkpoints/*; do [ "$(jq .epoch $checkpoint/state.json)" -lt 2 ] || rm -r $checkpoint; done
state middle > a.before
refuse 2 'is beyond the 1 epochs that are asked for: it has done 1 and ' on 2 train --resume middle --epochs 1
state middle | cmp - a.before || fail "a resume with fewer epochs changes the run"

# --- contradictions ---
refuse 2 "'training.epochs' is given twice, as 3 and as 5" "$lockstep" train small.yaml --set training.epochs=3 --epochs 5 --run-dir none
refuse 2 "'seed' is given twice, as 1 and as 2" "$lockstep" train small.yaml --set seed=1 --set seed=2 --run-dir none
refuse 2 '--continue needs --run-dir' "$lockstep" train --resume a --continue
refuse 2 '--token-file goes with HOST:PORT' "$lockstep" status a --token-file made.txt
refuse 2 'leave one of them out' "$lockstep" stop 127.0.0.1:1 --insecure --certificate made.txt
refuse 2 '--force replaces the file of --out' "$lockstep" predict a --force
[ ! -e none ] || fail "a contradiction has left a directory"
echo "branch: all passed"
