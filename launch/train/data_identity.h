#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/training/callbacks.h"
#include "io/data/digest.h"

namespace lockstep {

/// Compares the content of a run's data sets (DataDigest) between hosts, and with the checkpoint that the run goes on from. Checkpoints
/// store it.
///
/// Data sets within data.memory are read before the first step. Larger ones are read in the background and compared at the first checkpoint
/// at which all ranks have read them, at the latest at the end of the first epoch, which waits. Checkpoints before that are written without
/// their digest. After a resume that other training data would end, the first checkpoint waits, too.
class DataIdentity final : public Callback {
 public:
  explicit DataIdentity(const World& world) : world_(world) {}

  /// `name`: "training", "validation", "test". Hosts whose rows differ are an AgreedError. Collective.
  void add(const std::string& name, const Hdf5Dataset& data);

  /// The checkpoint's data, and whether a difference is an error.
  struct Before {
    std::map<std::string, std::string> texts;  ///< as known() was when the checkpoint was written
    bool middle = false;                       ///< in the middle of an epoch: other training rows are an Error (kUsage)
    bool same_run = false;                     ///< --continue in the run's own directory: other training rows are an Error (kUsage)
    std::string run_dir;                       ///< for its message
  };
  /// Compares with the checkpoint: data sets that are known at once, others as soon as they are. A difference that is no Error is a warning
  /// of rank 0. Call it on every rank with equal arguments; not collective.
  void expect(Before before);

  /// Content of the data sets by name, as far as it is known.
  const std::map<std::string, std::string>& known() const { return known_; }
  /// Whether all data sets have been compared.
  bool compared() const { return unread_.empty(); }

  double on_checkpoint(const FitState& state, const CheckpointMoment& moment) override;
  void on_epoch_end(const FitState&, Logs&) override { compare(); }
  void on_train_end(const FitState& state, const Logs&) override;

 private:
  void compare();
  void compare(const std::string& name, DataDigest& digest);
  void check(const std::string& name) const;
  bool may_refuse() const;
  void warn(const std::string& text) const;

  const World& world_;
  std::map<std::string, std::string> known_, places_;  // places: where the data are, for messages
  std::vector<std::pair<std::string, std::unique_ptr<DataDigest>>> unread_;
  std::unique_ptr<const Before> before_;
};

}  // namespace lockstep
