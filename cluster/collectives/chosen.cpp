#include <map>

#include "cluster/collectives/algorithms.h"
#include "cluster/collectives/allreduce_table.h"

namespace lockstep {
namespace {

/// For every buffer what a table has for its size.
class ChosenAllreduce final : public Allreduce {
 public:
  ChosenAllreduce(const World& world, const AllreduceTable& table) : table_(table), name_(table.text()) {
    for (const AllreduceTable::Row& row : table_.rows()) {
      if (auto& algorithm = algorithms_[row.algorithm]; !algorithm) algorithm = make_allreduce(world, row.algorithm);
    }
  }

  std::string_view name() const override { return name_; }
  void sum(std::span<float> data) override { for_size(data.size_bytes()).sum(data); }
  void sum(std::span<double> data) override { for_size(data.size_bytes()).sum(data); }
  std::span<float> allocate(std::size_t count) override { return arena_.allocate(count); }
  bool advances() const override { return true; }
  void start(std::span<float> data) override {
    active_ = &for_size(data.size_bytes());
    active_->start(data);
  }
  bool advance() override { return active_->advance(); }
  void finish() override { active_->finish(); }

 private:
  Allreduce& for_size(std::size_t bytes) { return *algorithms_.find(table_.at(bytes))->second; }

  AllreduceTable table_;
  std::string name_;
  std::map<AllreduceAlgorithm, std::unique_ptr<Allreduce>> algorithms_;
  Allreduce* active_ = nullptr;
  PrivateArena arena_;
};

}  // namespace

std::unique_ptr<Allreduce> make_allreduce(const World& world, const AllreduceTable& table) {
  if (table.rows().size() == 1) return make_allreduce(world, table.rows()[0].algorithm);
  return std::make_unique<ChosenAllreduce>(world, table);
}

}  // namespace lockstep
