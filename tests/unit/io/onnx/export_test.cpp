// What is in the file; tests/e2e/keras/keras_files.sh compares the outputs of ONNX Runtime with those of Keras.
#include "io/onnx/export.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "io/files/file_bytes.h"
#include "io/onnx/onnx.pb.h"
#include "support/small_model.h"

namespace lockstep {
namespace {

onnx::ModelProto parsed(Sequential& model) {
  onnx::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(onnx_bytes(model)));
  return proto;
}

std::vector<std::string> operators(const onnx::ModelProto& model) {
  std::vector<std::string> names;
  for (const onnx::NodeProto& node : model.graph().node()) names.push_back(node.op_type());
  return names;
}

std::vector<float> values(const onnx::ModelProto& model, const std::string& name) {
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    if (tensor.name() != name) continue;
    std::vector<float> floats(tensor.raw_data().size() / sizeof(float));
    std::memcpy(floats.data(), tensor.raw_data().data(), tensor.raw_data().size());
    return floats;
  }
  ADD_FAILURE() << "no constant " << name;
  return {};
}

TEST(OnnxExport, AChainOfOperatorsWithTheWeights) {
  Sequential model = testing::trained_model(Sgd{});
  const onnx::ModelProto proto = parsed(model);
  EXPECT_EQ(operators(proto),
            (std::vector<std::string>{"Mul", "Add", "Flatten", "Sub", "Div", "MatMul", "Add", "Relu", "MatMul", "Softmax", "Identity"}));
  const std::vector<std::vector<float>> weights = model.get_weights();  // mean, variance, count, kernel, bias, kernel
  EXPECT_EQ(values(proto, "dense/kernel"), weights[3]);
  EXPECT_EQ(values(proto, "normalization/mean"), weights[0]);
  for (int i = 1; i < proto.graph().node_size(); ++i) EXPECT_EQ(proto.graph().node(i).input(0), proto.graph().node(i - 1).output(0));
  ASSERT_EQ(proto.graph().input_size(), 1);
  const onnx::TensorShapeProto& shape = proto.graph().input(0).type().tensor_type().shape();
  ASSERT_EQ(shape.dim_size(), 3);
  EXPECT_EQ(shape.dim(0).dim_param(), "batch");
  EXPECT_EQ(shape.dim(2).dim_value(), 3);
  EXPECT_EQ(proto.graph().output(0).name(), proto.graph().node(proto.graph().node_size() - 1).output(0));
}

TEST(OnnxExport, AKernelIsTurnedAndPaddedAsInKeras) {
  Sequential model{Input{{5, 5, 2}}, Conv2D{.filters = 3, .kernel_size = {2, 4}, .strides = 2, .padding = Padding::same}};
  model.build({5, 5, 2});
  const onnx::ModelProto proto = parsed(model);
  EXPECT_EQ(operators(proto), (std::vector<std::string>{"Transpose", "Conv", "Transpose", "Identity"}));
  const std::vector<float> keras = model.get_weights()[0], turned = values(proto, "conv2d/kernel");
  for (std::size_t y = 0; y < 2; ++y) {
    for (std::size_t x = 0; x < 4; ++x) {
      for (std::size_t c = 0; c < 2; ++c) {
        for (std::size_t f = 0; f < 3; ++f) EXPECT_EQ(turned[((f * 2 + c) * 2 + y) * 4 + x], keras[((y * 4 + x) * 2 + c) * 3 + f]);
      }
    }
  }
  for (const onnx::AttributeProto& attribute : proto.graph().node(1).attribute()) {
    const std::vector<std::int64_t> ints(attribute.ints().begin(), attribute.ints().end());
    if (attribute.name() == "pads") {  // 3 outputs of 5: (3 - 1) * 2 + 2 - 5 = 1 above and below together, 3 left and right
      EXPECT_EQ(ints, (std::vector<std::int64_t>{0, 1, 1, 2}));
    }
  }
}

TEST(OnnxExport, LayersWithoutProducts) {
  Sequential chain{Input{{2, 6}},
                   Reshape{{-1, 2, 2}},
                   RandomFlip{},
                   SpatialDropout2D{0.1F},
                   Permute{{3, 1, 2}},
                   PReLU{.shared_axes = {1}},
                   GaussianNoise{0.1F},
                   ReLU{.max_value = 6.F},
                   LeakyReLU{},
                   ELU{},
                   Softmax{}};
  chain.build({2, 6});
  const onnx::ModelProto proto = parsed(chain);
  EXPECT_EQ(operators(proto),
            (std::vector<std::string>{"Reshape", "Transpose", "PRelu", "LeakyRelu", "Min", "LeakyRelu", "Elu", "Softmax", "Identity"}));
  const onnx::AttributeProto& order = proto.graph().node(1).attribute(0);
  EXPECT_EQ(std::vector<std::int64_t>(order.ints().begin(), order.ints().end()), (std::vector<std::int64_t>{0, 3, 1, 2}));
  Sequential threshold{Input{{6}}, ReLU{.threshold = 1}};
  threshold.build({6});
  EXPECT_EQ(operators(parsed(threshold)), (std::vector<std::string>{"Sub", "Mul", "Greater", "Where", "Identity"}));
  Sequential wide{Input{{2, 6}}, Softmax{{1, 2}}};
  wide.build({2, 6});
  EXPECT_EQ(operators(parsed(wide)), (std::vector<std::string>{"Reshape", "Softmax", "Reshape", "Identity"}));
}

TEST(OnnxExport, NamesAreUnique) {
  Sequential model{Input{{4}, "output"}, Dense{.units = 3, .name = "dense"}, Dense{.units = 3, .name = "dense_1"},
                   Activation{gelu, "gelu"}};
  model.build({4});
  const onnx::ModelProto proto = parsed(model);
  std::set<std::string> names{proto.graph().input(0).name()};
  for (const onnx::TensorProto& tensor : proto.graph().initializer()) EXPECT_TRUE(names.insert(tensor.name()).second) << tensor.name();
  for (const onnx::NodeProto& node : proto.graph().node()) EXPECT_TRUE(names.insert(node.output(0)).second) << node.output(0);
  EXPECT_EQ(proto.graph().input(0).name(), "output");
  EXPECT_EQ(proto.graph().output(0).name(), "output_1");
}

TEST(OnnxExport, ATransposedConvolutionIsPaddedAsInKeras) {
  Sequential model{Input{{3, 4, 2}}, Conv2DTranspose{.filters = 3, .kernel_size = {2, 4}, .strides = {3, 2}, .padding = Padding::same}};
  model.build({3, 4, 2});
  const onnx::ModelProto proto = parsed(model);
  EXPECT_EQ(operators(proto), (std::vector<std::string>{"Transpose", "ConvTranspose", "Transpose", "Identity"}));
  EXPECT_EQ(proto.graph().output(0).type().tensor_type().shape().dim(1).dim_value(), 9);
  for (const onnx::AttributeProto& attribute : proto.graph().node(1).attribute()) {
    const std::vector<std::int64_t> ints(attribute.ints().begin(), attribute.ints().end());
    if (attribute.name() == "pads") {
      EXPECT_EQ(ints, (std::vector<std::int64_t>{0, 1, 0, 1}));  // 3 * 2 + 2 is 8, 2 * 3 + 4 is 10
    } else if (attribute.name() == "output_padding") {
      EXPECT_EQ(ints, (std::vector<std::int64_t>{1, 0}));
    }
  }
}

}  // namespace
}  // namespace lockstep
