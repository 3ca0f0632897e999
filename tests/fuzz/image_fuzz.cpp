#include "io/import/images/image.h"
#include "support/fuzz_target.h"
#include "support/import/images.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  return {png({4, 3, 1, std::vector<std::uint8_t>(12, 7)}), png({2, 2, 3, std::vector<std::uint8_t>(12, 9)}),
          jpeg({8, 8, 1, std::vector<std::uint8_t>(64, 100)}), jpeg({9, 5, 3, std::vector<std::uint8_t>(135, 30)})};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  const std::string_view bytes = testing::as_text(data, size);
  return testing::fuzz([&] {
    const ImageInfo info = image_info(bytes, "fuzz");
    if (info.height * info.width > 1 << 20) return;  // time and memory, not a flaw
    for (const bool colour : {false, true}) resized(decode_image(bytes, colour, "fuzz"), 5, 4);
  });
}
