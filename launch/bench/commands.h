#pragma once

namespace CLI {
class App;
}

namespace lockstep {

/// One function per sub-command of `lockstep bench`; `app` is the whole command, which runs them on ranks.
void add_bench_step(CLI::App& bench, const CLI::App& app);
void add_bench_allreduce(CLI::App& bench, const CLI::App& app);
void add_bench_input(CLI::App& bench, const CLI::App& app);
void add_bench_startup(CLI::App& bench, const CLI::App& app);

}  // namespace lockstep
