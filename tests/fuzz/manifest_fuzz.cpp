#include "io/checkpoint/checkpoint.h"
#include "io/files/file_bytes.h"
#include "support/fuzz_target.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace lockstep::testing {
namespace {

/// A checkpoint whose manifest is replaced by the input.
struct Checkpoint {
  Checkpoint() {
    Sequential model = small_model(Sgd{});
    model.build({2, 3});
    path = write_checkpoint(dir.path(), model, CheckpointState{}).path;
  }
  TempDir dir;
  std::string path;
};

}  // namespace

std::vector<std::string> fuzz_seeds() { return {read_file(Checkpoint().path + "/manifest.json")}; }

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const testing::Checkpoint checkpoint;
  testing::write_file(checkpoint.path + "/manifest.json", testing::as_text(data, size));
  return testing::fuzz([] { verify_checkpoint(checkpoint.path); });
}
