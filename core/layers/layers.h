#pragma once
#include <string>
#include <variant>

#include "core/layers/activation.h"
#include "core/layers/dense.h"
#include "core/layers/normalization/batch_normalization.h"
#include "core/layers/preprocessing/normalization.h"
#include "core/layers/preprocessing/rescaling.h"
#include "core/layers/regularization/dropout.h"
#include "core/layers/reshaping/reshape.h"

namespace lockstep {

/// Every layer that a Sequential can have.
using LayerSpec = std::variant<Input, Rescaling, Flatten, Dense, Activation, Dropout, Normalization, BatchNormalization>;

/// Keras' class name ("Dense") and the layer's own name.
std::string class_name(const LayerSpec& layer);
const std::string& layer_name(const LayerSpec& layer);
std::string& layer_name(LayerSpec& layer);

}  // namespace lockstep
