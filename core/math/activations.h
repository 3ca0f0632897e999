#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

/// Activation functions, Keras 3's definitions (keras/src/activations/activations.py), x a pre-activation:
/// linear x | relu max(x,0) | softmax e^x/sum(e^x) over the last axis | sigmoid 1/(1+e^-x) | tanh | elu x>0 ? x : e^x-1 | selu
/// 1.0507..*(x>0 ? x : 1.6732..*(e^x-1)) | gelu 0.5x(1+erf(x/sqrt2)) | silu x*sigmoid(x) | softplus log(1+e^x) | leaky_relu x>0 ? x : 0.2x
/// | relu6 min(max(x,0),6) | celu as elu | log_sigmoid -log(1+e^-x) | log_softmax log(softmax(x)) | exponential e^x | softsign x/(1+|x|)
/// | hard_sigmoid relu6(x+3)/6 | hard_silu x*hard_sigmoid(x) | hard_tanh min(max(x,-1),1) | mish x*tanh(softplus(x)) | squareplus
/// (x+sqrt(x^2+4))/2 | sparse_plus x<=-1 ? 0 : x>=1 ? x : (x+1)^2/4 | sparse_sigmoid min(max((x+1)/2,0),1) | soft_shrink x moved by 0.5
/// towards 0, at most to 0 | hard_shrink |x|>0.5 ? x : 0 | tanh_shrink x-tanh(x).
/// Left out: glu and threshold, which Keras cannot take by name alone, and sparsemax, whose outputs in Keras 3.15 do not sum to 1.
enum class ActivationFunction {
  linear,
  relu,
  softmax,
  sigmoid,
  tanh,
  elu,
  selu,
  gelu,
  silu,
  softplus,
  leaky_relu,
  relu6,
  celu,
  log_sigmoid,
  log_softmax,
  exponential,
  softsign,
  hard_sigmoid,
  hard_silu,
  hard_tanh,
  mish,
  squareplus,
  sparse_plus,
  sparse_sigmoid,
  soft_shrink,
  hard_shrink,
  tanh_shrink,
};

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
inline constexpr ActivationFunction relu6 = ActivationFunction::relu6;
inline constexpr ActivationFunction celu = ActivationFunction::celu;
inline constexpr ActivationFunction log_sigmoid = ActivationFunction::log_sigmoid;
inline constexpr ActivationFunction log_softmax = ActivationFunction::log_softmax;
inline constexpr ActivationFunction exponential = ActivationFunction::exponential;
inline constexpr ActivationFunction softsign = ActivationFunction::softsign;
inline constexpr ActivationFunction hard_sigmoid = ActivationFunction::hard_sigmoid;
inline constexpr ActivationFunction hard_silu = ActivationFunction::hard_silu;
inline constexpr ActivationFunction hard_tanh = ActivationFunction::hard_tanh;
inline constexpr ActivationFunction mish = ActivationFunction::mish;
inline constexpr ActivationFunction squareplus = ActivationFunction::squareplus;
inline constexpr ActivationFunction sparse_plus = ActivationFunction::sparse_plus;
inline constexpr ActivationFunction sparse_sigmoid = ActivationFunction::sparse_sigmoid;
inline constexpr ActivationFunction soft_shrink = ActivationFunction::soft_shrink;
inline constexpr ActivationFunction hard_shrink = ActivationFunction::hard_shrink;
inline constexpr ActivationFunction tanh_shrink = ActivationFunction::tanh_shrink;

/// Keras' identifier ("relu"); aliases such as "swish" are read. An unknown name is an Error (kUsage) that lists the known ones.
std::string_view name_of(ActivationFunction function);
ActivationFunction activation_from_name(std::string_view name);

/// True where the derivative can be had from the output y alone, so that the pre-activation need not be kept (all but gelu,
/// silu, hard_silu, mish and tanh_shrink).
bool derivative_from_output(ActivationFunction function);

/// y[r, :] = f(x[r, :]) for `rows` rows of `width` floats; x may be y.
void activate(ActivationFunction function, const float* x, float* y, std::int64_t rows, std::int64_t width);

/// dx[r, :] = dL/dx from dy = dL/dy, the pre-activation x (read only where derivative_from_output() is false) and the output y; dx may be
/// dy.
void activation_gradient(ActivationFunction function, const float* x, const float* y, const float* dy, float* dx, std::int64_t rows,
                         std::int64_t width);

}  // namespace lockstep
