#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/compile/scorer.h"

namespace lockstep {

class Sequential;

/// Values by name, sorted by code point as Keras sorts them ("accuracy", "loss", "val_accuracy", "val_loss").
using Logs = std::map<std::string, double>;

/// What fit() returns on every rank: Keras' History.
struct History {
  std::vector<std::int64_t> epoch;                     ///< 0-based
  std::map<std::string, std::vector<double>> history;  ///< one value per epoch
  std::int64_t epochs = 0;                             ///< as passed to fit
  std::int64_t steps = 0;                              ///< per epoch
  std::vector<std::uint64_t> digests = {};             ///< Sequential::digest() after the training of each epoch; 0: not known
};

/// What the loss and metrics of an epoch's steps so far are made of, over all ranks: enough to go on in the middle of an epoch and end it
/// with the same bits.
struct EpochSums {
  ScoreSums scores = {};
  double penalty = 0;  ///< sum over steps of the penalty times the batch's rows
  double rows = 0;
  bool finite = true;  ///< the losses and the penalty are
};

/// Where the time of fit() went so far, seconds of this rank: of its steps, and around them.
struct StepProfile {
  double input = 0;          ///< reading rows
  double compute = 0;        ///< forward, loss, backward, forming gradients
  double communication = 0;  ///< waiting for and exchanging with other ranks
  double optimizer = 0;
  double other = 0;  ///< callbacks, bookkeeping
  double start = 0;  ///< before the first step: rows are read, primitives made
  double validation = 0;
  double checkpoint = 0;  ///< held up by checkpoints
  double epochs = 0;      ///< between epochs: order of rows, sums over ranks, callbacks
  double cpu = 0;         ///< of all this, what the training thread had a core for
  double steps() const { return input + compute + communication + optimizer + other; }
  double total() const { return steps() + start + validation + checkpoint + epochs; }
};

/// What a callback may look at during fit(). Numbers of this rank unless they say otherwise.
struct FitState {
  Sequential* model = nullptr;
  std::int64_t epochs = 0, steps_per_epoch = 0, batch_size = 0;
  std::int64_t epoch = 0;                 ///< 0-based
  std::int64_t step = 0;                  ///< steps of this epoch that are done
  std::int64_t global_step = 0;           ///< steps since the model was compiled (the optimizer's iterations)
  std::int64_t samples = 0;               ///< rows of all ranks in this epoch so far
  std::vector<std::string> metric_names;  ///< "loss" first, then declared order
  /// Running values over this rank's rows of the epoch, in the order of metric_names. (Over all ranks: the logs at the epoch's end.) Adds
  /// up and allocates: not to be called every step, but as often as a person looks.
  std::function<std::vector<double>()> running;
  bool interrupted = false;  ///< a stop was agreed on and somebody asked for it by `interrupt`
  StepProfile profile;
  const History* history = nullptr;
  const std::vector<class Callback*>* callbacks = nullptr;  ///< all of this fit()
};

/// What a checkpoint needs beside the FitState.
struct CheckpointMoment {
  const EpochSums& sums;  ///< of the epoch's steps so far; empty between two epochs
  bool stopping = false;  ///< training ends here
  double gathering = 0;   ///< seconds spent gathering weights and sums
};

/// Hooks of fit(), called on every rank in the order given; keras/src/callbacks/callback.py. A hook that is marked Collective may use
/// collectives, since all ranks call it at the same point.
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void on_train_begin(const FitState&) {}  ///< Collective
  virtual void on_epoch_begin(const FitState&) {}  ///< Collective
  /// Every step: must not allocate, lock or wait. The model's weights need not be whole on this rank; at the other hooks they are, save
  /// where on_checkpoint says otherwise.
  virtual void on_train_batch_end(const FitState&) {}
  virtual void on_test_begin(const FitState&) {}                       ///< before the validation; Collective
  virtual void on_epoch_end(const FitState&, Logs&) {}                 ///< logs are those of all ranks; may be added to; Collective
  virtual void on_train_end(const FitState&, const Logs& /*last*/) {}  ///< Collective

  /// Asked before every step, and once more after on_epoch_end. What any rank asks for reaches all ranks with the step's gradients, so that
  /// all act after the same step. What is asked for after on_epoch_end is served there, before a further step.
  struct Request {
    bool stop = false;
    bool checkpoint = false;
    bool interrupt = false;  ///< with stop: the job is to be run again
  };
  virtual Request request() noexcept { return {}; }
  /// Collective. Called after a step if any rank's request() asked for a checkpoint or a stop before it, and after an epoch if any asks
  /// then; in that case epoch is the next one and step is 0. Returns the seconds that training waited for a checkpoint; 0 if none was
  /// taken. Rank 0 has all weights; other ranks have them only between epochs and when training stops.
  virtual double on_checkpoint(const FitState&, const CheckpointMoment&) { return 0; }

  /// What a checkpoint keeps of this callback (a best value, a counter), under a name of its own; a resumed fit() gives it back before
  /// on_train_begin, on every rank. No name: nothing is kept.
  virtual std::string name() const { return ""; }
  virtual std::string save_state() const { return ""; }
  virtual void load_state(const std::string& /*saved*/) {}
};

}  // namespace lockstep
