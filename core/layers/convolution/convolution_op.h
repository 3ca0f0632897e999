#pragma once
#include <memory>
#include <optional>

#include "core/layers/op.h"
#include "core/math/onednn/convolution.h"

namespace lockstep {

/// The weights of an op that convolves. An empty bias: none.
struct ConvolutionWeights {
  Weight kernel;  ///< in Keras' layout, as Convolution wants it
  std::optional<Weight> bias = {};
};

/// y = f(x * W + b), x (rows, height, width, in), y (rows, height, width, out), by oneDNN. `shape`'s bias is set here.
/// Source: keras/src/layers/convolutional/base_conv.py.
std::unique_ptr<Op> convolution_op(ConvolutionShape shape, ConvolutionWeights weights, ActivationFunction activation);

/// The same of a transposed convolution: `shape` is that of the convolution whose input gradient it is, from y to x.
/// Source: keras/src/layers/convolutional/base_conv_transpose.py.
std::unique_ptr<Op> transposed_convolution_op(ConvolutionShape shape, ConvolutionWeights weights, ActivationFunction activation);

/// `op` with an activation behind it that reads what the op wrote, where `activation` needs its input kept, and with the regularizer of
/// what comes out, if it is on.
BuiltLayer convolution_layer(Shape output, std::unique_ptr<Op> op, ActivationFunction activation, const Regularizer& activity);

/// The activation that an op can end in itself: `wanted`, or linear where that needs its input kept.
ActivationFunction fused(ActivationFunction wanted);

}  // namespace lockstep
