#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

/// Activation functions, Keras 3's definitions (keras/src/activations/activations.py), x a pre-activation:
/// linear x | relu max(x,0) | sigmoid 1/(1+e^-x) | tanh | softmax over the last axis | elu x>0 ? x : e^x-1 | selu 1.0507..*(x>0 ? x :
/// 1.6732..*(e^x-1)) | gelu 0.5x(1+erf(x/sqrt2)) | silu x*sigmoid(x) | softplus log(1+e^x) | leaky_relu x>0 ? x : 0.2x.
enum class ActivationFunction { linear, relu, softmax, sigmoid, tanh, elu, selu, gelu, silu, softplus, leaky_relu };

// The names of user code: Dense{300, relu}. tanh has an underscore because <cmath> has taken its name.
inline constexpr ActivationFunction linear = ActivationFunction::linear;
inline constexpr ActivationFunction relu = ActivationFunction::relu;
inline constexpr ActivationFunction softmax = ActivationFunction::softmax;
inline constexpr ActivationFunction sigmoid = ActivationFunction::sigmoid;
inline constexpr ActivationFunction tanh_ = ActivationFunction::tanh;
inline constexpr ActivationFunction elu = ActivationFunction::elu;
inline constexpr ActivationFunction selu = ActivationFunction::selu;
inline constexpr ActivationFunction gelu = ActivationFunction::gelu;
inline constexpr ActivationFunction silu = ActivationFunction::silu;
inline constexpr ActivationFunction softplus = ActivationFunction::softplus;
inline constexpr ActivationFunction leaky_relu = ActivationFunction::leaky_relu;

/// Keras' identifier ("relu"); aliases such as "swish" are read. An unknown name is an Error (kUsage) that lists the known ones.
std::string_view name_of(ActivationFunction function);
ActivationFunction activation_from_name(std::string_view name);

/// True where the derivative can be had from the output y alone, so that the pre-activation need not be kept (all but gelu and silu).
bool derivative_from_output(ActivationFunction function);

/// y[r, :] = f(x[r, :]) for `rows` rows of `width` floats; x may be y.
void activate(ActivationFunction function, const float* x, float* y, std::int64_t rows, std::int64_t width);

/// dx[r, :] = dL/dx from dy = dL/dy, the pre-activation x (only read by gelu and silu) and the output y; dx may be dy.
void activation_gradient(ActivationFunction function, const float* x, const float* y, const float* dy, float* dx, std::int64_t rows,
                         std::int64_t width);

}  // namespace lockstep
