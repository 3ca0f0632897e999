#include "io/checkpoint/weights_snapshot.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "io/hdf5/image.h"
#include "io/keras/weights.h"

namespace lockstep {

WeightsSnapshot::WeightsSnapshot(Sequential& model) : file_(create_hdf5_image("checkpoint: model.weights.h5")) {
  if (!model.built() || !model.compiled()) throw Error("a checkpoint needs a compiled model with weights", kUsage);
  write_weights(file_, model);
  memory_ = hdf5_image_memory(file_);
  for (const WeightArray& array : weight_arrays(model)) arrays_.push_back(place(array.dataset, array.values.size_bytes()));
  iterations_ = place(kIterations, sizeof(std::int64_t));
  if (!model.optimizer()->scheduled()) learning_rate_ = place(kLearningRate, sizeof(float));
}

WeightsSnapshot::Place WeightsSnapshot::place(const std::string& dataset, std::size_t bytes) const {
  const std::int64_t offset = file_.info(dataset).file_offset;
  if (offset < 0 || static_cast<std::size_t>(offset) + bytes > memory_.size())
    throw Error(file_.path() + ": data set '" + dataset + "' has no place in the file");
  return {static_cast<std::size_t>(offset), bytes};
}

void WeightsSnapshot::copy(Sequential& model) {
  const auto put = [this](const Place& to, const void* from) { std::memcpy(memory_.data() + to.at, from, to.bytes); };
  const std::vector<WeightArray> arrays = weight_arrays(model);
  for (std::size_t i = 0; i < arrays.size(); ++i) put(arrays_[i], arrays[i].values.data());
  const std::int64_t iterations = model.optimizer()->iterations();
  const float rate = model.optimizer()->learning_rate();
  put(iterations_, &iterations);
  if (!model.optimizer()->scheduled()) put(learning_rate_, &rate);
}

bool WeightsSnapshot::finite() const {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  std::array<std::uint32_t, 1024> piece{};  // data sets lie on any byte
  for (const Place& array : arrays_) {
    for (std::size_t at = 0; at < array.bytes; at += sizeof(piece)) {
      const std::size_t bytes = std::min(sizeof(piece), array.bytes - at);
      std::memcpy(piece.data(), memory_.data() + array.at + at, bytes);
      std::uint32_t bad = 0;
      for (std::size_t i = 0; i < bytes / sizeof(float); ++i) bad |= static_cast<std::uint32_t>((piece[i] & kExponent) == kExponent);
      if (bad != 0) return false;
    }
  }
  return true;
}

}  // namespace lockstep
