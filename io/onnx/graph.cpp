#include "io/onnx/graph.h"

#include <set>

#include "cluster/error.h"
#include "io/onnx/onnx.pb.h"
#include "io/run/versions.h"

namespace lockstep {
namespace {

constexpr std::int64_t kIrVersion = 8, kOperators = 17;  // of ONNX 1.12, which every runtime since 2022 reads

void describe(onnx::ValueInfoProto* value, const std::string& name, const Shape& sample) {
  value->set_name(name);
  onnx::TypeProto::Tensor* type = value->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param("batch");
  for (const std::int64_t axis : sample) type->mutable_shape()->add_dim()->set_dim_value(axis);
}

void describe(onnx::AttributeProto* to, const OnnxGraph::Attribute& attribute) {
  using Type = OnnxGraph::Attribute::Type;
  to->set_name(attribute.name);
  switch (attribute.type) {
    case Type::number:
      to->set_type(onnx::AttributeProto::FLOAT);
      to->set_f(attribute.number);
      break;
    case Type::integer:
      to->set_type(onnx::AttributeProto::INT);
      to->set_i(attribute.integer);
      break;
    case Type::text:
      to->set_type(onnx::AttributeProto::STRING);
      to->set_s(attribute.text);
      break;
    case Type::integers:
      to->set_type(onnx::AttributeProto::INTS);
      to->mutable_ints()->Add(attribute.integers.begin(), attribute.integers.end());
      break;
  }
}

}  // namespace

struct OnnxGraph::Parts {
  onnx::ModelProto model;
  std::set<std::string> names;  // of tensors and nodes
};

OnnxGraph::OnnxGraph(const std::string& model, const std::string& input, const Shape& sample)
    : parts_(std::make_unique<Parts>()), end_(input) {
  onnx::ModelProto& proto = parts_->model;
  proto.set_ir_version(kIrVersion);
  proto.set_producer_name("lockstep");
  proto.set_producer_version(all_versions().at("lockstep"));
  proto.add_opset_import()->set_version(kOperators);
  proto.mutable_graph()->set_name(model);
  describe(proto.mutable_graph()->add_input(), unique(input), sample);
}

OnnxGraph::~OnnxGraph() = default;

void OnnxGraph::begin(const std::string& layer) { layer_ = layer; }

std::string OnnxGraph::unique(const std::string& name) {
  std::string free = name;
  for (int number = 1; !parts_->names.insert(free).second; ++number) free = name + "_" + std::to_string(number);
  return free;
}

std::string OnnxGraph::unique_in_layer(const std::string& name) { return unique(layer_ + "/" + name); }

std::string OnnxGraph::node(const char* op, const std::vector<std::string>& inputs, const std::vector<Attribute>& attributes) {
  onnx::NodeProto* node = parts_->model.mutable_graph()->add_node();
  const std::string name = unique_in_layer(op);
  node->set_op_type(op);
  node->set_name(name);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(name);
  for (const Attribute& attribute : attributes) describe(node->add_attribute(), attribute);
  return name;
}

void OnnxGraph::add(const char* op, const std::vector<std::string>& others, const std::vector<Attribute>& attributes) {
  std::vector<std::string> inputs{end_};
  inputs.insert(inputs.end(), others.begin(), others.end());
  end_ = node(op, inputs, attributes);
}

std::string OnnxGraph::beside(const char* op, const std::vector<std::string>& inputs, const std::vector<Attribute>& attributes) {
  return node(op, inputs, attributes);
}

std::string OnnxGraph::constant(const char* name, const Shape& shape, std::span<const float> values) {
  onnx::TensorProto* tensor = parts_->model.mutable_graph()->add_initializer();
  tensor->set_name(unique_in_layer(name));
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t axis : shape) tensor->add_dims(axis);
  tensor->set_raw_data(values.data(), values.size_bytes());
  return tensor->name();
}

std::string OnnxGraph::constant(const char* name, float value) { return constant(name, {}, std::span<const float>(&value, 1)); }

std::string OnnxGraph::constant(const char* name, const std::vector<std::int64_t>& values) {
  onnx::TensorProto* tensor = parts_->model.mutable_graph()->add_initializer();
  tensor->set_name(unique_in_layer(name));
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(static_cast<std::int64_t>(values.size()));
  tensor->set_raw_data(values.data(), values.size() * sizeof(std::int64_t));
  return tensor->name();
}

std::string OnnxGraph::bytes(const Shape& sample) {
  const std::string output = unique("output");
  onnx::GraphProto* graph = parts_->model.mutable_graph();
  onnx::NodeProto* node = graph->add_node();  // gives the output its name
  node->set_op_type("Identity");
  node->set_name(output);
  node->add_input(end_);
  node->add_output(output);
  describe(graph->add_output(), output, sample);
  std::string bytes;
  constexpr std::size_t kMost = INT32_MAX;  // of a protobuf message
  if (parts_->model.ByteSizeLong() > kMost || !parts_->model.SerializeToString(&bytes))
    throw Error("an ONNX file cannot hold more than 2 GiB; this model has " + std::to_string(parts_->model.ByteSizeLong()) + " bytes",
                kUsage);
  return bytes;
}

}  // namespace lockstep
