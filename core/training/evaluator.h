#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cluster/world.h"
#include "core/compile/scorer.h"
#include "core/data/dataset.h"
#include "core/data/sampler.h"
#include "core/network/pass.h"
#include "core/training/model_state.h"

namespace lockstep {

/// Rows of a thread's block.
constexpr std::int64_t kEvaluationRows = 64;
/// Rows of a batch, for a loss that depends on its batch; as in Keras' evaluate. Grains are whole batches.
constexpr std::int64_t kEvaluationBatch = 32;

/// Forward passes over all rows of a data set, each row once, in order. Rows are cut into grains of a fixed size and every rank takes a
/// contiguous range of grains, so results have the same bits at every number of ranks. Keeps its reader: a second run() finds rows in
/// memory.
class Evaluator {
 public:
  /// Collective (opens this rank's rows; an unreadable file is an AgreedError).
  Evaluator(ModelState& model, const Dataset& data, const World& world, int threads);

  /// RowReader::expect_finite for what is read from now on. Collective.
  void expect_finite();
  /// Loss and metrics, loss first. `confusion`, unless null: Scores::confusion. Collective.
  std::vector<double> score(std::vector<std::int64_t>* confusion = nullptr);
  /// This rank's rows of the output (rows, output width), in order. Not collective.
  std::vector<float> predict();

 private:
  /// Runs `use(first grain, grains)` after each forward over a few grains of this rank.
  void each(bool logits, bool truth, const std::function<void(std::int64_t, std::int64_t)>& use);
  void mark_present(std::int64_t first_grain);
  void score_grain(Scorer& scorer, std::int64_t first_grain, std::int64_t grain);

  ModelState& model_;
  const Dataset& data_;
  const World& world_;
  Grains grains_;
  Pass pass_;
  std::vector<std::int64_t> order_;  // this rank's rows, the last grain padded with -1
  std::unique_ptr<RowReader> reader_;
  std::vector<float> truth_, weight_, present_;  // of the grains in pass_
  Buffer probabilities_;
  std::vector<double> value_;
};

}  // namespace lockstep
