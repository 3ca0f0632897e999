#include "io/checkpoint/writer.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cluster/host/process_limits.h"
#include "io/checkpoint/folder.h"
#include "io/files/durable_file.h"
#include "io/keras/config.h"
#include "io/run/run_directory.h"

namespace lockstep {
namespace {

constexpr int kNice = 10;  // a step comes first where cores are taken

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

CheckpointWriter::CheckpointWriter(std::string run_dir, Sequential& model, Options options, Events events)
    : run_dir_(std::move(run_dir)),
      config_(model_config(model)),
      options_(std::move(options)),
      events_(std::move(events)),
      snapshot_(model) {
  thread_ = std::thread([this] { run(); });
}

CheckpointWriter::~CheckpointWriter() {
  wait();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CheckpointWriter::save(Sequential& model, CheckpointState state) {
  wait();
  snapshot_.copy(model);
  busy_.store(true, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    asked_ = std::move(state);
  }
  changed_.notify_all();
}

void CheckpointWriter::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !busy_.load(std::memory_order_acquire); });
}

std::string CheckpointWriter::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void CheckpointWriter::run() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // of this thread alone; where it is not allowed nothing is lost
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || asked_; });
    if (!asked_) return;
    CheckpointState state = std::move(*asked_);
    asked_.reset();
    lock.unlock();
    write(std::move(state));
    lock.lock();
  }
}

void CheckpointWriter::write(CheckpointState state) {
  std::string failure;
  try {
    state.healthy = state.healthy && snapshot_.finite();
    try_to_write(state);
  } catch (const std::exception& error) {
    failure = fmt::format("no checkpoint of step {}: {}", state.global_step, error_text(error));
    events_.failed(failure);
  }
  finished(failure);
}

void CheckpointWriter::try_to_write(const CheckpointState& state) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t tries = 0;; ++tries) {
    try {
      options_.before_write();
      const CheckpointInfo info = write_checkpoint(run_dir_, snapshot_.bytes(), config_, state);
      events_.written(info, seconds_since(start));
      break;
    } catch (const SystemError& error) {
      if (!error.transient() || tries == options_.retry_after.size()) throw;
      events_.warning(fmt::format("checkpoint of step {}: {}; trying again in {:.1f} s", state.global_step, error_text(error),
                                  std::chrono::duration<double>(options_.retry_after[tries]).count()));
      std::this_thread::sleep_for(options_.retry_after[tries]);
    }
  }
  try {
    options_.before_write();
    prune_checkpoints(run_dir_, options_.keep);
  } catch (const RunDirectoryLost&) {
    throw;
  } catch (const std::exception& error) {
    events_.warning(std::string("an old checkpoint stays: ") + error_text(error));
  }
}

void CheckpointWriter::finished(std::string failure) {
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
    busy_.store(false, std::memory_order_release);
  }
  changed_.notify_all();
}

}  // namespace lockstep
