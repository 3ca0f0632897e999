#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "cluster/status/status.h"
#include "core/training/callbacks.h"

namespace lockstep {

/// One state of Keras' progress bar (keras/src/utils/progbar.py), colours included, without the leading '\b's: `done` of `target` steps,
/// `seconds` since the start of the epoch, `per_step` seconds.
std::string progress_bar(std::int64_t done, std::int64_t target, double seconds, double per_step, const NamedValues& values);

/// Keras' verbose=2 line: "1719/1719 - 2s - 1ms/step - accuracy: 0.6807 - loss: 1.0187".
std::string progress_line(std::int64_t target, double seconds, double per_step, const NamedValues& values);

/// Prints fit()'s progress on rank 0: Keras' bar on a terminal, one line an epoch elsewhere (verbose 1), Keras' two lines (verbose 2); at
/// an epoch's end with the digest of the weights behind it.
class ProgressPrinter final : public Callback {
 public:
  ProgressPrinter(int verbose, bool prints);
  void on_epoch_begin(const FitState& state) override;
  void on_train_batch_end(const FitState& state) override;
  void on_epoch_end(const FitState& state, Logs& logs) override;

 private:
  using Clock = std::chrono::steady_clock;
  void draw(const std::string& bar, std::size_t visible, bool last);
  double per_step(std::int64_t done, Clock::time_point now) const;

  bool prints_, bar_, lines_;
  Clock::time_point start_, first_step_, drawn_;
  std::int64_t first_ = 0;  // steps done before this epoch's first one here
  std::size_t width_ = 0;   // visible characters of the bar on the screen
};

}  // namespace lockstep
