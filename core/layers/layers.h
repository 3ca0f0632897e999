#pragma once
#include <string>
#include <variant>

#include "core/layers/activation.h"
#include "core/layers/convolution/conv.h"
#include "core/layers/convolution/conv_transpose.h"
#include "core/layers/convolution/depthwise_conv.h"
#include "core/layers/convolution/separable_conv.h"
#include "core/layers/dense.h"
#include "core/layers/embedding.h"
#include "core/layers/normalization/batch_normalization.h"
#include "core/layers/normalization/layer_normalization.h"
#include "core/layers/pooling/global_pooling.h"
#include "core/layers/pooling/pooling.h"
#include "core/layers/prelu.h"
#include "core/layers/preprocessing/augmentation.h"
#include "core/layers/preprocessing/center_crop.h"
#include "core/layers/preprocessing/normalization.h"
#include "core/layers/preprocessing/rescaling.h"
#include "core/layers/regularization/activity_regularization.h"
#include "core/layers/regularization/dropout.h"
#include "core/layers/regularization/gaussian.h"
#include "core/layers/reshaping/margins.h"
#include "core/layers/reshaping/reshape.h"
#include "core/layers/reshaping/up_sampling.h"

namespace lockstep {

/// Every layer that a Sequential can have.
using LayerSpec = std::variant<Input, Rescaling, Flatten, Dense, Activation, Dropout, Normalization, BatchNormalization, LayerNormalization,
                               GroupNormalization, UnitNormalization, Embedding, Conv1D, Conv2D, Conv1DTranspose, Conv2DTranspose,
                               DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D, MaxPooling1D, MaxPooling2D,
                               AveragePooling1D, AveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalAveragePooling1D,
                               GlobalAveragePooling2D, ReLU, LeakyReLU, PReLU, ELU, Softmax, Reshape, Permute, RepeatVector, ZeroPadding1D,
                               ZeroPadding2D, Cropping1D, Cropping2D, UpSampling1D, UpSampling2D, SpatialDropout1D, SpatialDropout2D,
                               GaussianNoise, GaussianDropout, ActivityRegularization, CenterCrop, RandomFlip, RandomTranslation>;

/// Keras' class name ("Dense") and the layer's own name.
std::string class_name(const LayerSpec& layer);
const std::string& layer_name(const LayerSpec& layer);
std::string& layer_name(LayerSpec& layer);
/// Whether training changes its weights. An Input has none.
bool layer_trainable(const LayerSpec& layer);
void set_layer_trainable(LayerSpec& layer, bool trainable);

}  // namespace lockstep
