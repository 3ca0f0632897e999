#pragma once
#include <string>
#include <vector>

#include "io/hdf5/file.h"
#include "io/keras/stored_model.h"

// Weights and optimizer state in an HDF5 file, in whichever of Keras' layouts.
namespace lockstep {

/// Where a file keeps a model's arrays.
struct StoredWeights {
  std::vector<std::string> weights;    ///< data set of each of Sequential::weights(), in their order
  std::vector<std::string> optimizer;  ///< data sets of the optimizer's state in Keras' order; empty: none
  std::string optimizer_name;          ///< whose state it is, in small letters; empty: the file does not say
};

/// An optimizer's array, beside a trainable weight or a number of its own.
struct SlotView {
  std::string name;  ///< "dense/kernel/momentum"
  Shape shape;
  std::span<float> values;
};
/// The optimizer's arrays in the order of Keras' files: groups of slots (OptimizerSlot::group), then its numbers.
std::vector<SlotView> slot_views(Sequential& model);

/// Whether read_weights() takes the state of the model's optimizer; `always`: a file without it is an Error.
enum class TakeState { where_it_fits, always, never };

/// Puts the arrays into a built model; an Error leaves the model as it was. Returns whether the optimizer's state was taken (load_weights()
/// in weights.h). A data set of another shape than its weight is an Error that names both.
bool read_weights(Sequential& model, const Hdf5File& file, const StoredWeights& stored, TakeState state);

/// Writes a weight as Keras does: floats, and Normalization's count as an integer.
void write_weight(Hdf5File& file, const std::string& dataset, const WeightView& weight);
/// Normalization's count, which no training changes; all other weights are floats.
bool stored_as_int32(const WeightView& weight);

/// The layers of a model as Lockstep writes them: one below the other, without Input.
std::vector<StoredLayer> stored_layers(const Sequential& model);
/// The layers one below the other, those of models in the place of their model.
std::vector<StoredLayer> flattened(const std::vector<StoredLayer>& layers);

}  // namespace lockstep
