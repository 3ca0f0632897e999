#include "io/files/file_bytes.h"
#include "io/import/idx.h"
#include "support/fuzz_target.h"
#include "support/gzip.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  const std::string labels = "\0\0\x08\1\0\0\0\5\0\1\2\3\4"s, floats = "\0\0\x0D\2\0\0\0\1\0\0\0\2\x3f\x80\0\0\x40\0\0\0"s;
  return {labels, floats, "\0\0\x0B\3\0\0\0\1\0\0\0\2\0\0\0\2\0\1\0\2\0\3\0\4"s, gzip(labels), gzip(floats) + gzip(floats)};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return testing::fuzz([&] {
    std::string bytes(testing::as_text(data, size));
    if (bytes.starts_with("\x1f\x8b")) bytes = gunzip(bytes, "fuzz.gz");
    const IdxArray array = parse_idx(bytes, "fuzz.idx");
    idx_labels(array, 3, "fuzz.idx");
  });
}
