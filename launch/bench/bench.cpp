// lockstep bench: figures next to what bounds them, measured in the same run.

#include "launch/bench/commands.h"
#include "launch/command_line.h"
#include "launch/commands.h"

namespace lockstep {

void add_bench(Command& app) {
  Command bench = app.add_command("bench", "Measure steps, allreduces, reading and starting next to what bounds them");
  bench.require_command();
  bench.footer(
      "Every figure is a median with its spread, taken in turns with the figures it is compared to, so that a machine that changes\n"
      "its speed changes both. --json prints one document for programs.\n\n"
      "Examples:\n"
      "  lockstep bench step --threads 1\n"
      "  mpirun -np 2 lockstep bench step --config configs/fashion_mnist.yaml --batch-size 256\n"
      "  mpirun -np 2 lockstep bench allreduce\n"
      "  mpirun -np 2 lockstep bench input\n"
      "  lockstep bench startup");
  add_bench_step(bench);
  add_bench_allreduce(bench);
  add_bench_input(bench);
  add_bench_startup(bench);
}

}  // namespace lockstep
