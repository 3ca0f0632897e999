#include "io/import/npz.h"
#include "support/fuzz_target.h"
#include "support/import/npz.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  const std::string x = npy("<f4", "(2, 1)", "\0\0\x80?\0\0\0@"s), y = npy("|u1", "(2,)", "\0\1"s);
  return {x,
          y,
          npy(">i2", "(2, 2)", "\0\1\0\2\0\3\0\4"s, true),
          npy("<U2", "(2,)", "a\0\0\0b\0\0\0c\0\0\0\0\0\0\0"s),
          npy("|S2", "(2,)", "nosi"),
          npy("|O", "(1,)", "x"),
          npz({{"x_train", x}, {"y_train", y}}, true),
          npz({{"x", x}, {"y", y}}, false)};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  const std::string_view bytes = testing::as_text(data, size);
  testing::fuzz([&] { parse_npy(bytes, "fuzz.npy"); });
  return testing::fuzz([&] { read_npz(bytes, "fuzz.npz", {}); });
}
