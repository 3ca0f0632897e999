#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/training/sequential.h"
#include "io/hdf5/file.h"

namespace lockstep {

/// A copy of all that training changes in a model, as the bytes of a weight file (io/keras/weights.h): the file is made once, in memory,
/// and each copy() puts weights and optimizer state where they lie in it. A copy costs what its memcpy costs, and what is then to be
/// written is finished: no second copy of the weights is ever made.
class WeightsSnapshot {
 public:
  /// Of a built and compiled model, and of its present state.
  explicit WeightsSnapshot(Sequential& model);
  /// The state of the same model now.
  void copy(Sequential& model);
  /// The file; until the next copy().
  std::string_view bytes() const { return {reinterpret_cast<const char*>(memory_.data()), memory_.size()}; }
  /// Whether every weight and slot is a finite number.
  bool finite() const;

 private:
  struct Place {
    std::size_t at, bytes;
  };
  Place place(const std::string& dataset, std::size_t bytes) const;

  Hdf5File file_;
  std::span<std::byte> memory_;
  std::vector<Place> arrays_;  // in the order of weight_arrays()
  Place iterations_{}, learning_rate_{};
};

}  // namespace lockstep
