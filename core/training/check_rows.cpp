// Sequential::check_rows: truth and weights of a data set against the loss, before anything is trained.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/data/truth_error.h"
#include "core/training/model_state.h"
#include "core/training/sequential.h"

namespace lockstep {
namespace {

/// Checks rows of a data set as they come.
class RowCheck {
 public:
  RowCheck(const Dataset& data, const LossSpec& loss, std::int64_t classes, const std::map<std::int64_t, float>& class_weight)
      : data_(data), loss_(loss), classes_(classes), class_weight_(class_weight), width_(static_cast<std::size_t>(data.truth_width())) {
    const bool yes_or_no = wants_sigmoid(loss) && width_ == 1;
    facts_.classes.resize(has_classes(loss) ? static_cast<std::size_t>(classes) : yes_or_no ? 2 : 0);
  }

  void operator()(std::int64_t first, std::span<const float> truth, std::span<const float> weight) {
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const std::int64_t row = first + static_cast<std::int64_t>(i);
      if (!(weight[i] >= 0) || std::isinf(weight[i])) {
        throw Error(fmt::format("{}: weight {} is not a finite number of at least 0", data_.where(row, RowPart::weight), weight[i]));
      }
      facts_.weight += static_cast<double>(weight[i]);
      const std::span<const float> own = truth.subspan(i * width_, width_);
      if (weight[i] == 0 || without_weight(own)) continue;
      ++counting_;
      count_class(own);
      const std::string flaw = truth_flaw(loss_, own, classes_);
      if (!flaw.empty()) throw Error(data_.where(row, RowPart::truth) + ": " + flaw);
    }
  }

  /// Rows whose weight is not 0.
  std::int64_t counting() const { return counting_; }
  const RowFacts& facts() const { return facts_; }

 private:
  bool without_weight(std::span<const float> truth) const {
    if (class_weight_.empty()) return false;
    const auto found = class_weight_.find(class_of(truth));
    return found != class_weight_.end() && found->second == 0;
  }

  /// A fraction between two classes, as label smoothing makes it, is of neither.
  void count_class(std::span<const float> truth) {
    if (facts_.classes.empty() || (width_ == 1 && truth[0] != std::floor(truth[0])) || is_ignored(loss_, truth[0])) return;
    const std::int64_t label = class_of(truth);
    if (label >= 0 && label < static_cast<std::int64_t>(facts_.classes.size())) ++facts_.classes[static_cast<std::size_t>(label)];
  }

  const Dataset& data_;
  const LossSpec& loss_;
  const std::int64_t classes_;
  const std::map<std::int64_t, float>& class_weight_;
  const std::size_t width_;
  std::int64_t counting_ = 0;
  RowFacts facts_;
};

}  // namespace

RowFacts Sequential::check_rows(const Dataset& data, const World& world, const std::map<std::int64_t, float>& class_weight) {
  RowFacts facts;
  std::vector<std::int64_t> counts;  // of rows: those that count, then those of each class
  world.agree([&] {
    check(data);
    RowCheck rows(data, compile_options().loss, output_width(), class_weight);
    data.each_truth({data.rows() * world.rank() / world.size(), data.rows() * (world.rank() + 1) / world.size()},
                    [&](std::int64_t first, std::span<const float> truth, std::span<const float> weight) {
                      rows(first, truth, weight);
                      world.activity().beat();
                    });
    facts = rows.facts();
    counts = facts.classes;
    counts.insert(counts.begin(), rows.counting());
  });
  world.sum(counts);
  world.sum(std::span(&facts.weight, 1));
  facts.rows = data.rows();
  facts.classes.assign(counts.begin() + 1, counts.end());
  world.agree([&] {
    if (counts.front() == 0) {
      throw Error(data.description() + ": the weights of all " + std::to_string(data.rows()) +
                  " rows are 0, so no row counts; give some rows a positive weight");
    }
  });
  return facts;
}

}  // namespace lockstep
