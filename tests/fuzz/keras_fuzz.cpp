#include "io/files/file_bytes.h"
#include "io/hdf5/image.h"
#include "io/keras/archive.h"
#include "io/keras/config.h"
#include "io/keras/config_reader.h"
#include "io/keras/keras_file.h"
#include "io/keras/legacy_file.h"
#include "io/keras/legacy_weights.h"
#include "io/onnx/export.h"
#include "support/fuzz_target.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

// The whole archive, and its two members by themselves, which the archive's checksums would shield: an input that begins with '{' is
// config.json; one with HDF5's signature is a legacy .h5 file, and model.weights.h5. What is read is converted into every format.
namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  const TempDir dir;
  Sequential model = small_model(Adam{});
  model.build({2, 3});
  model.set_names({.class_names = {"cat", "dog"}, .feature_names = {"a", "b"}, .target_names = {"y"}, .reading = R"({"columns": ["a"]})"});
  save_model(model, dir / "m.keras");
  return {read_file(dir / "m.keras"), model_config(model), weights_image(model, "weights"), legacy_model_image(model, "m.h5"),
          legacy_weights_image(model, "w.h5")};
}

namespace {

void convert(Sequential model) {
  fuzz([&] { archive_bytes(model, "m.keras"); });
  fuzz([&] { legacy_model_image(model, "m.h5"); });
  fuzz([&] { onnx_bytes(model); });
}

}  // namespace
}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const testing::TempDir dir;
  const std::string_view bytes = testing::as_text(data, size);
  return testing::fuzz([&] {
    if (bytes.starts_with("{")) {
      read_model_config("config.json", bytes);
    } else if (bytes.starts_with("\x89HDF")) {
      testing::fuzz([&] { testing::convert(read_legacy_model(open_hdf5_image("m.h5", bytes)).model); });
      Sequential model = testing::small_model(Adam{});
      model.build({2, 3});
      load_weights_image(model, "model.weights.h5", bytes);
    } else {
      testing::write_file(dir / "m.keras", bytes);
      testing::convert(open_model(dir / "m.keras").model);
    }
  });
}
