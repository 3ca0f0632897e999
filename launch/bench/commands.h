#pragma once

namespace lockstep {

class Command;

/// One function per sub-command of `lockstep bench`.
void add_bench_step(Command& bench);
void add_bench_allreduce(Command& bench);
void add_bench_input(Command& bench);
void add_bench_startup(Command& bench);

}  // namespace lockstep
