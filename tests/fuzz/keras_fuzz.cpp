#include "io/files/file_bytes.h"
#include "io/keras/config.h"
#include "io/keras/config_reader.h"
#include "io/keras/keras_file.h"
#include "support/fuzz_target.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

// The whole archive, and its two members by themselves, which the archive's checksums would shield: an input that begins with '{' is
// config.json, with HDF5's signature model.weights.h5.
namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  const TempDir dir;
  Sequential model = small_model(Adam{});
  model.build({2, 3});
  save_model(model, dir / "m.keras");
  return {read_file(dir / "m.keras"), model_config(model), weights_image(model, "weights")};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const testing::TempDir dir;
  const std::string_view bytes = testing::as_text(data, size);
  return testing::fuzz([&] {
    if (bytes.starts_with("{")) {
      model_from_config("config.json", bytes);
    } else if (bytes.starts_with("\x89HDF")) {
      Sequential model = testing::small_model(Adam{});
      model.build({2, 3});
      load_weights_image(model, "model.weights.h5", bytes);
    } else {
      testing::write_file(dir / "m.keras", bytes);
      load_model(dir / "m.keras");
    }
  });
}
