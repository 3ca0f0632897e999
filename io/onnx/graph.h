#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/data/shape.h"

namespace lockstep {

/// A chain of ONNX operators that grows at its end, and its constants. Names begin with that of the layer being written.
class OnnxGraph {
 public:
  /// One attribute of an operator.
  struct Attribute {
    enum class Type { number, integer, text, integers };
    Attribute(const char* of, float value) : name(of), type(Type::number), number(value) {}
    Attribute(const char* of, std::int64_t value) : name(of), type(Type::integer), integer(value) {}
    Attribute(const char* of, const char* value) : name(of), type(Type::text), text(value) {}
    Attribute(const char* of, std::vector<std::int64_t> values) : name(of), type(Type::integers), integers(std::move(values)) {}

    const char* name;
    Type type;
    float number = 0;
    std::int64_t integer = 0;
    std::string text;
    std::vector<std::int64_t> integers;
  };

  /// `input`: name and shape of a sample; the graph takes any number of them.
  OnnxGraph(const std::string& model, const std::string& input, const Shape& sample);
  ~OnnxGraph();

  /// Names of what comes next begin with `layer`.
  void begin(const std::string& layer);
  /// The tensor at the end of the chain.
  const std::string& end() const { return end_; }
  /// An operator on the end of the chain and, after it, other tensors; its output is the new end.
  void add(const char* op, const std::vector<std::string>& others = {}, const std::vector<Attribute>& attributes = {});
  /// The same on any tensors, beside the chain; returns the name of its output.
  std::string beside(const char* op, const std::vector<std::string>& inputs, const std::vector<Attribute>& attributes = {});
  /// Goes on from another tensor.
  void set_end(const std::string& tensor) { end_ = tensor; }
  std::string constant(const char* name, const Shape& shape, std::span<const float> values);
  std::string constant(const char* name, float value);
  std::string constant(const char* name, const std::vector<std::int64_t>& values);

  /// The bytes of the model, whose output has this shape of a sample. It is called "output", or "output_1" where the input is called so.
  std::string bytes(const Shape& sample);

 private:
  struct Parts;
  std::string unique(const std::string& name);
  std::string unique_in_layer(const std::string& name);
  std::string node(const char* op, const std::vector<std::string>& inputs, const std::vector<Attribute>& attributes);

  std::unique_ptr<Parts> parts_;
  std::string layer_, end_;
};

}  // namespace lockstep
