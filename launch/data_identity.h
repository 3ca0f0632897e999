#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/callbacks.h"
#include "io/data_digest.h"

namespace lockstep {

/// What the data sets of a run hold, by content (DataDigest): the same on all hosts, kept in checkpoints, compared with the checkpoint that the run
/// goes on from.
///
/// Data sets within data.memory are read before the first step. Larger ones are read beside the training, at a low priority, and compared before
/// the first checkpoint: one within an epoch is put off until then, the end of the epoch waits, and one at a stop is written without their digest.
class DataIdentity final : public Callback {
 public:
  explicit DataIdentity(const World& world) : world_(world) {}

  /// `name`: "training", "validation", "test". Hosts whose rows differ are an AgreedError. Collective.
  void add(const std::string& name, const Hdf5Dataset& data);

  /// How a difference to the checkpoint is taken.
  struct Before {
    std::map<std::string, std::string> texts;  ///< as known() was when the checkpoint was written
    bool middle = false;     ///< of an epoch: other training rows are an Error (kUsage)
    bool same_run = false;   ///< --continue in the run's own directory: as well; the message names it
    std::string run_dir;
  };
  /// On every rank, with the same. What is known by now is compared at once, the rest when it is; a warning of rank 0 where a difference is none.
  void expect(Before before);

  /// Content of the data sets by name, as far as it is known.
  const std::map<std::string, std::string>& known() const { return known_; }
  /// Whether all have been compared, or this rank has read its part of those that have not.
  bool read() const noexcept;
  bool compared() const { return unread_.empty(); }

  void on_checkpoint(const FitState& state) override;
  void on_epoch_end(const FitState&, Logs&) override { compare(); }
  void on_train_end(const FitState& state, const Logs&) override;

 private:
  void compare();
  void compare(const std::string& name, DataDigest& digest);
  void check(const std::string& name) const;
  void warn(const std::string& text) const;

  const World& world_;
  std::map<std::string, std::string> known_, places_;  // places: where the data are, for messages
  std::vector<std::pair<std::string, std::unique_ptr<DataDigest>>> unread_;
  std::unique_ptr<const Before> before_;
};

}  // namespace lockstep
