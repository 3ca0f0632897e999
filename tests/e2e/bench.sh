#!/usr/bin/env bash
# Every `lockstep bench` command in a short form: the documented keys of its JSON and figures that can be. Nothing here depends on how fast the machine is.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
mkdir tmp
export TMPDIR=$work/tmp
export PATH=$LOCKSTEP_BIN:$PATH

# holds FILTER FILE: the jq filter, which may use spread(x), is true of the document.
holds() {
  jq -e "def spread(x): x | (.min <= .lower_quartile and .lower_quartile <= .median and .median <= .upper_quartile and .upper_quartile <= .max and .samples > 0);
    def timed(x): spread(x) and x.min > 0; def near(a; b): (a / b - 1 | fabs) < 1e-6; $1" "$2" > /dev/null || { cat "$2"; fail "not true of $2: $1"; }
}
setting='.setting | (keys | sort) == (["date", "machine", "isa", "versions", "host", "hosts", "ranks", "cores", "threads", "round_trip"] | sort) and .versions.oneDNN != null'
trip='.setting.round_trip == null or (.setting.round_trip | .ns > 0 and ([.cores] | inside(["near", "far"])))'

# --- step ---
lockstep bench step --threads 1 --batch-size 8 --rows 203 --epochs 2 --json > step1.json
holds "$setting" step1.json
holds "$trip" step1.json
holds '.bench == "step" and .model == "784-300-100-10" and .batch_size == 8 and .optimizer == "SGD" and .rows == 203 and .steps_per_epoch == 26 and .epochs == 2' step1.json
holds '.setting.ranks == 1 and .setting.threads == 1 and .step_with_mpi_allreduce == null and (.data | test("drawn"))' step1.json
holds 'timed(.step.us) and .step.us.samples == 2 and timed(.step.floor_us.total) and near(.step.ratio_to_floor; .step.us.median / .step.floor_us.total.median)' step1.json
holds '.step.floor_us | [.forward, .backward_data, .backward_weights, .optimizer] | all(. > 0)' step1.json
holds '.forward | .rows == 203 and timed(.floor_us_per_row) and near(.predict.ratio_to_floor; .predict.us.median / .floor_us_per_row.median)' step1.json
garments 100 20 11
on 2 bench step --config small.yaml --optimizer adam --epochs 1 --json > step2.json
holds '.optimizer == "Adam" and .setting.ranks == 2 and .step.exchange == "factors" and .step_with_mpi_allreduce.exchange == "gradients"' step2.json
holds '(.data | test("garments.h5")) and .rows == 100 and timed(.step_with_mpi_allreduce.us)' step2.json
on 3 bench step --config small.yaml --epochs 1 > step3.txt
for what in '^3 ranks on 1 host' '^step, exchange factors' '^floor, one core' '^step, gradients by MPI_Allreduce' '^evaluate, a row' '^predict, a row'; do
  grep -q -- "$what" step3.txt || { cat step3.txt; fail "no '$what'"; }
done
refuse 2 'unknown optimizer' lockstep bench step --optimizer adma
refuse 2 'cannot read the configuration' lockstep bench step --config none.yaml

# --- allreduce ---
for ranks in 1 2 3; do
  on $ranks bench allreduce --sizes 8,20KB,1MB --seconds 0.05 --json > "sum$ranks.json"
  holds "$setting" "sum$ranks.json"
  holds ".bench == \"allreduce\" and .setting.ranks == $ranks and [.sizes[].bytes] == [8, 20480, 1048576]" "sum$ranks.json"
  holds '.sizes[].algorithms | (has("auto") and has("shared") and has("ring")) and .mpi.ratio_to_mpi == 1' "sum$ranks.json"
  holds '[.sizes[].algorithms[]] | all(spread(.us) and .us.max > 0 and .bus_gb_per_s >= 0)' "sum$ranks.json"
done
on 2 bench allreduce --sizes 4 --algorithms ring --seconds 0.01 --json > ring.json
holds '.sizes[0].algorithms | keys == ["mpi", "ring"]' ring.json
on 2 bench allreduce --sizes 4,512KB --algorithms shared --private-memory --seconds 0.01 --json > private.json
holds '[.sizes[].algorithms | keys] == [["mpi", "shared"], ["mpi", "shared"]] and all(.sizes[].algorithms.shared; spread(.us) and .us.median > 0)' private.json
on 2 bench allreduce --sizes 64 --seconds 0.01 > sum.txt
grep -q '64 B auto' sum.txt && grep -q 'MPI_Allreduce' sum.txt || { cat sum.txt; fail 'the table of bench allreduce'; }
refuse 2 'mpirun -np 2' lockstep bench allreduce
refuse 2 'unknown allreduce' on 2 bench allreduce --algorithms rong
refuse 2 'must be a whole number of at least 4' on 2 bench allreduce --sizes 1

# --- input ---
lockstep bench input --epochs 2 --json > input1.json
holds "$setting" input1.json
holds '.bench == "input" and .rows == 10000 and .row_bytes == 3136 and .batch_size == 32 and .streamed.skipped != null and timed(.memory.rows_per_second)' input1.json
for ranks in 1 3; do
  on $ranks bench input --config small.yaml --batch-size 8 --epochs 2 --json > input.json
  holds '.rows == 100 and .row_bytes == 784 and .batch_size == 8' input.json
  holds '[.memory, .streamed, .memcpy] | all(timed(.rows_per_second) and .rows_per_second.samples == 2 and .us_per_batch > 0 and .gb_per_s > 0)' input.json
  holds '.memcpy.ratio_to_memcpy == 1 and near(.memory.gb_per_s; .memory.rows_per_second.median * 784e-9)' input.json
done
on 2 bench input --config small.yaml --epochs 1 > input.txt
for what in '^memory ' '^streamed ' '^memcpy '; do grep -q "$what" input.txt || { cat input.txt; fail "no $what"; }; done

# --- startup ---
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
lockstep bench startup --rounds 1 --json > start.json
holds "$setting" start.json
holds '.bench == "startup" and .setting.ranks == 2 and (.data | test("drawn")) and (.parts | keys | sort) == (["launch", "mpi_init", "set_up", "coordinator", "fit", "first_step"] | sort)' start.json
holds '[.parts[], .first_step_done, .empty_program.started, .empty_program.whole] | all(timed(.))' start.json
holds '([.parts[].median] | add) as $sum | near($sum; .first_step_done.median) and near(.first_step_done.median - .empty_program.started.median; .beyond_empty.median)' start.json
lockstep bench startup --config small.yaml --ranks 3 --rounds 1 > start.txt
grep -q '^first step done, beyond' start.txt || { cat start.txt; fail 'the table of bench startup'; }
[ ! -e runs ] && [ -z "$(ls "${TMPDIR:-/tmp}" | grep lockstep-bench-)" ] || fail 'bench startup left something behind'
refuse 2 'run it alone' on 2 bench startup
rc=0
lockstep bench startup --config small.yaml --set data.train.file=none.h5 > refused.txt 2>&1 || rc=$?
[ $rc = 1 ] && grep -q 'none.h5' refused.txt || { cat refused.txt; fail 'a job that fails is not told'; }
refuse 2 'which command' lockstep bench
echo 'bench: all passed'
