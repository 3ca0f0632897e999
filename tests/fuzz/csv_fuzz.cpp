#include "io/import/csv.h"
#include "support/fuzz_target.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  return {"a,b,y\n1,2.5,3\n-4e3,5,6\n", "\xEF\xBB\xBF\"a\",\"b, \"\"c\"\"\",y\r\n1,2,word\r\n3,+4,\"other\nword\"\r\n",
          "a,y\n1,NA\nnan,inf\n1e39,2\n"};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  const std::string_view text = testing::as_text(data, size);
  testing::fuzz([&] { read_csv(text, "fuzz.csv", {.targets = {"y"}, .drop = {}, .classes = true}); });
  return testing::fuzz([&] { read_csv(text, "fuzz.csv", {.targets = {"y"}, .drop = {"b"}}); });
}
