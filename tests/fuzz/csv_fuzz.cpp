#include "io/import/csv/csv.h"
#include "io/import/csv/records.h"
#include "io/import/csv/stream.h"
#include "support/fuzz_target.h"
#include "support/temp_dir.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  return {"a,b,y\n1,2.5,3\n-4e3,5,6\n",
          "\xEF\xBB\xBF\"a\",\"b, \"\"c\"\"\",y\r\n1,2,word\r\n3,+4,\"other\nword\"\r\n",
          "a,y\n1,NA\nnan,inf\n1e39,2\n",
          "\"a\";\"b\";\"y\"\n7,4;True;\n1.234,5;False;2\n",
          ",a\tb y\n0,NEAR  BAY\t1\n",
          "Unnamed: 0|b|a|y\n3||1|None\n2|?|-999|x\n",
          "\xFF\xFE"
          "a\0,\0b\0,\0y\0\n\0"
          "1\0,\0\x3D\xD8\x00\xDE,\0"
          "3\0\n\0"s,
          "a,b,y\n\xE9,\x80,1\n"};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  const std::string_view text = testing::as_text(data, size);
  testing::fuzz([&] { read_csv(text, "fuzz.csv", {.targets = {"y"}, .classes = true, .one_hot = {"b"}, .impute = "most-frequent"}); });
  testing::fuzz([&] { read_csv(text, "fuzz.csv", {.targets = {"c1"}, .na = {"-999"}, .impute = "median", .header = false}); });
  testing::fuzz([&] {
    read_csv(text, "fuzz.csv", {.targets = {"y"}, .ordinal = {"b"}, .impute = "mean", .separator = ' ', .encoding = TextEncoding::latin1});
  });
  testing::fuzz([&] {  // what one file was read as is what the next one is read as
    CsvFiles first({.targets = {"y"}, .one_hot = {"b"}, .impute = "mean", .split = "train=0.5,test=0.5"});
    first.add(std::string(text), "fuzz.csv");
    CsvFiles next(first.finish().recipe, "fuzz.h5", {});
    next.add(std::string(text), "fuzz.csv");
    next.finish();
  });
  testing::fuzz([&] {  // new rows for a model
    static const testing::TempDir dir;
    static const std::string reading = [] {
      CsvFiles table({.targets = {"y"}, .one_hot = {"b"}, .impute = "mean"});
      table.add("a,b,y\n1,x,2\n3,word,4\n", "train.csv");
      return recipe_json(table.finish().recipe);
    }();
    testing::write_file(dir / "new.csv", text);
    CsvStream rows(dir / "new.csv", {.reading = reading}, {"a"});
    while (rows.next()) continue;
  });
  testing::fuzz([&] {  // whole records are read without what follows them
    CsvReader reader(text.substr(0, whole_records(text, ',')), "fuzz.csv", ',');
    for (std::vector<std::string_view> fields; reader.next(fields);) continue;
  });
  return testing::fuzz([&] { read_csv(text, "fuzz.csv", {.targets = {"y"}, .drop = {"b"}}); });
}
