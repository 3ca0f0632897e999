#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/training/sequential.h"
#include "io/hdf5/file.h"
#include "io/keras/stored_model.h"

// Keras 3's weight files (.weights.h5): /layers/dense/vars/0 (kernel), /1 (bias), /layers/dense_1/..., /optimizer/vars/N. Layers are
// counted per class in model order, whatever their own names. keras/src/saving/saving_lib.py.
namespace lockstep {

/// An array of floats of such a file and what it holds: the model's own memory.
struct WeightArray {
  std::string dataset;  ///< "/layers/dense/vars/0", "/optimizer/vars/2"
  std::span<float> values;
};
/// Everything of a built model that training changes, in the order of the file, but for the number of steps: weights, optimizer's slots.
std::vector<WeightArray> weight_arrays(Sequential& model);
inline constexpr const char* kIterations = "/optimizer/vars/0";    ///< number of steps, one std::int64_t
inline constexpr const char* kLearningRate = "/optimizer/vars/1";  ///< one float; absent with a schedule

/// Writes weights and, of a compiled model, the optimizer's state. A name that ends in ".weights.h5" is Keras 3's; another one that ends in
/// ".h5" gets the layout of Keras 2, without the optimizer. Written beside and renamed. The model must be built. Call on one rank.
void save_weights(Sequential& model, const std::string& path);

/// Reads weights, in the layout of Keras 3 or of a legacy .h5 file, into a built model of the same architecture; an Error leaves the model
/// as it was. Returns true if the optimizer's state was read as well; false if the model is not compiled, or if the file's state is of
/// another optimizer or missing, which Keras passes over with a warning. State with the right count but wrong shapes is an Error. Of
/// another optimizer: the file names another one of Keras', or the number of arrays is another one.
bool load_weights(Sequential& model, const std::string& path);
/// The same; `layers`: those of the file that the model comes from, which may hold models. The weight file may have its layout or ours.
bool load_weights(Sequential& model, const std::string& path, const std::vector<StoredLayer>& layers);
/// The same without the optimizer's state.
void load_weights_alone(Sequential& model, const std::string& path, const std::vector<StoredLayer>& layers);
/// The same for a compiled model, where a file without the state of its optimizer is an Error that names both optimizers.
void load_weights_and_optimizer(Sequential& model, const std::string& path);

/// The same on the bytes of a file; `name` is for messages.
std::string weights_image(Sequential& model, const std::string& name);
/// The same into a file in memory.
void write_weights(Hdf5File& file, Sequential& model);
bool load_weights_image(Sequential& model, const std::string& name, std::string_view bytes);
/// `layers`: those of the file's model, which may hold models.
bool load_weights_image(Sequential& model, const std::string& name, std::string_view bytes, const std::vector<StoredLayer>& layers);

}  // namespace lockstep
