#include <array>
#include <filesystem>
#include <numeric>

#include "io/data/data_file.h"
#include "io/data/data_summary.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/dataset.h"
#include "support/fuzz_target.h"
#include "support/temp_dir.h"

namespace lockstep::testing {

std::vector<std::string> fuzz_seeds() {
  const TempDir dir;
  {
    Hdf5File file = Hdf5File::create(dir / "d.h5");
    const std::vector<float> x(24, 0.5F);
    file.write<float>("/train/x", {4, 6}, x);
    file.write<std::int64_t>("/train/y", {4}, std::array<std::int64_t, 4>{0, 1, 2, 1});
    file.write<float>("/train/weight", {4}, std::array<float, 4>{1, 1, 2, 1});
    file.write<std::uint8_t>("/test/x", {1, 2, 3}, std::array<std::uint8_t, 6>{1, 2, 3, 4, 5, 6});
    write_names(file, {{"a", "b", "c"}, {"f", "g"}, {}, "a description", ""});
    write_int_attribute(file, "/train", "number", 7);
    write_double_attribute(file, "/", "share", 0.5);
    file.close();
  }
  return {read_file(dir / "d.h5")};
}

namespace {

/// What `lockstep data show` and the opening of a training read.
void read_all(const std::string& path) {
  const Hdf5File file = Hdf5File::open(path);
  fuzz([&] { read_names(file); });
  for (const std::string& group : file.groups()) {
    fuzz([&] {
      for (const std::string& name : attribute_names(file, group)) {
        fuzz([&] { read_strings_attribute(file, group, name); });
        fuzz([&] { read_int_attribute(file, group, name); });
        fuzz([&] { read_double_attribute(file, group, name); });
      }
    });
  }
  for (const std::string& name : file.datasets()) {
    fuzz([&] {
      const ArrayInfo info = file.info(name);
      if (!info.shape.empty() && info.row_elements() == 1) label_histogram(file, name);
      if (info.shape.size() <= 2) column_stats(file, name);
    });
  }
}

void train_on(const std::string& path) {
  const Hdf5Dataset data(path, "train", {.memory_budget = 1 << 20});
  const std::int64_t rows = std::min<std::int64_t>(data.rows(), 16), width = elements(data.sample_shape());
  if (width > 1 << 16 || data.truth_width() > 1 << 16) return;
  const auto reader = data.open({{0, rows}});
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  std::vector<float> x(static_cast<std::size_t>(rows * width)), y(static_cast<std::size_t>(rows * data.truth_width())),
      weight(order.size());
  reader->begin(order);
  reader->read(rows, {.features = x.data(), .truth = y.data(), .weight = weight.data()});
}

}  // namespace
}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep::testing;
  static const TempDir dir;
  write_file(dir / "d.h5", as_text(data, size));
  fuzz([] { read_all(dir / "d.h5"); });
  return fuzz([] { train_on(dir / "d.h5"); });
}
