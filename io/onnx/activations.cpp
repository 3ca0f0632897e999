#include "io/onnx/activations.h"

#include <map>
#include <string_view>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr float kSqrtHalf = 0.70710678F;
constexpr std::int64_t kLastAxis = -1;

using Emit = void (*)(OnnxGraph&);

/// x * f(x), f being the end of the chain.
void times(OnnxGraph& graph, const std::string& x) { graph.add("Mul", {x}); }

void clip(OnnxGraph& graph, float least, float most) { graph.add("Clip", {graph.constant("min", least), graph.constant("max", most)}); }

void gelu(OnnxGraph& graph) {
  const std::string x = graph.end();
  graph.add("Mul", {graph.constant("sqrt_half", kSqrtHalf)});
  graph.add("Erf");
  graph.add("Add", {graph.constant("one", 1)});
  times(graph, x);
  graph.add("Mul", {graph.constant("half", 0.5F)});
}

void silu(OnnxGraph& graph) {
  const std::string x = graph.end();
  graph.add("Sigmoid");
  times(graph, x);
}

void mish(OnnxGraph& graph) {
  const std::string x = graph.end();
  graph.add("Softplus");
  graph.add("Tanh");
  times(graph, x);
}

void log_sigmoid(OnnxGraph& graph) {
  graph.add("Neg");
  graph.add("Softplus");
  graph.add("Neg");
}

void tanh_shrink(OnnxGraph& graph) {
  const std::string x = graph.end();
  graph.set_end(graph.beside("Sub", {x, graph.beside("Tanh", {x})}));
}

void squareplus(OnnxGraph& graph) {  // (x + sqrt(x^2 + 4)) / 2
  const std::string x = graph.end();
  graph.add("Mul", {x});
  graph.add("Add", {graph.constant("four", 4)});
  graph.add("Sqrt");
  graph.add("Add", {x});
  graph.add("Mul", {graph.constant("half", 0.5F)});
}

void sparse_plus(OnnxGraph& graph) {  // (c + 1)^2 / 4 + max(x - 1, 0), c being x between -1 and 1
  const std::string x = graph.end(), one = graph.constant("one", 1);
  clip(graph, -1, 1);
  graph.add("Add", {one});
  graph.add("Mul", {graph.end()});
  graph.add("Mul", {graph.constant("quarter", 0.25F)});
  graph.add("Add", {graph.beside("Relu", {graph.beside("Sub", {x, one})})});
}

/// By Keras' names: the functions that ONNX's operators give.
const std::map<std::string_view, Emit>& table() {
  static const std::map<std::string_view, Emit> functions{
      {"linear", [](OnnxGraph&) {}},
      {"relu", [](OnnxGraph& graph) { graph.add("Relu"); }},
      {"relu6", [](OnnxGraph& graph) { clip(graph, 0, 6); }},
      {"leaky_relu",
       [](OnnxGraph& graph) {
         graph.add("LeakyRelu", {}, {{"alpha", 0.2F}});
       }},
      {"elu", [](OnnxGraph& graph) { graph.add("Elu"); }},
      {"selu", [](OnnxGraph& graph) { graph.add("Selu"); }},
      {"celu", [](OnnxGraph& graph) { graph.add("Celu"); }},
      {"gelu", gelu},
      {"silu", silu},
      {"mish", mish},
      {"softplus", [](OnnxGraph& graph) { graph.add("Softplus"); }},
      {"softsign", [](OnnxGraph& graph) { graph.add("Softsign"); }},
      {"squareplus", squareplus},
      {"sparse_plus", sparse_plus},
      {"sparse_sigmoid",
       [](OnnxGraph& graph) {
         graph.add("HardSigmoid", {}, {{"alpha", 0.5F}, {"beta", 0.5F}});
       }},
      {"sigmoid", [](OnnxGraph& graph) { graph.add("Sigmoid"); }},
      {"log_sigmoid", log_sigmoid},
      {"hard_sigmoid",
       [](OnnxGraph& graph) {
         graph.add("HardSigmoid", {}, {{"alpha", 1.0F / 6}});
       }},
      {"hard_silu", [](OnnxGraph& graph) { graph.add("HardSwish"); }},
      {"hard_tanh", [](OnnxGraph& graph) { clip(graph, -1, 1); }},
      {"hard_shrink",
       [](OnnxGraph& graph) {
         graph.add("Shrink", {}, {{"lambd", 0.5F}});
       }},
      {"soft_shrink",
       [](OnnxGraph& graph) {
         graph.add("Shrink", {}, {{"bias", 0.5F}, {"lambd", 0.5F}});
       }},
      {"tanh", [](OnnxGraph& graph) { graph.add("Tanh"); }},
      {"tanh_shrink", tanh_shrink},
      {"exponential", [](OnnxGraph& graph) { graph.add("Exp"); }},
      {"softmax",
       [](OnnxGraph& graph) {
         graph.add("Softmax", {}, {{"axis", kLastAxis}});
       }},
      {"log_softmax",
       [](OnnxGraph& graph) {
         graph.add("LogSoftmax", {}, {{"axis", kLastAxis}});
       }},
  };
  return functions;
}

}  // namespace

void add_activation(OnnxGraph& graph, ActivationFunction function) {
  const auto found = table().find(name_of(function));
  if (found == table().end()) throw Error("ONNX has no operators for the activation " + std::string(name_of(function)), kUsage);
  found->second(graph);
}

}  // namespace lockstep
