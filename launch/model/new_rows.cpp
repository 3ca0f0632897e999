#include "launch/model/new_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <optional>
#include <span>

#include "io/data/data_file.h"
#include "io/data/digest.h"
#include "io/data/name_list.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/arrays.h"
#include "io/hdf5/file.h"
#include "io/import/csv/stream.h"
#include "io/import/npz.h"

namespace lockstep {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{32} << 20;  // of features and outputs of all ranks
constexpr std::int64_t kGrainRows = 64;                       // Evaluator's

/// Rows of a block, of which each rank gets whole grains.
std::int64_t block_rows(const Sequential& model, const World& world) {
  const std::int64_t grain = kGrainRows * world.size(), floats = elements(model.input_shape()) + model.output_width();
  return std::max<std::int64_t>(1, kBlockBytes / 4 / floats / grain) * grain;
}

// --- data files ---

/// The group of a data file: the default one may be missing in a file that holds new rows alone.
std::string group_of(const DataConfig& data, const RowRequest& request) {
  std::error_code ignored;
  if (request.data.empty() || !request.group.empty() || !std::filesystem::is_regular_file(data.file, ignored)) return data.group;
  const Hdf5File file = Hdf5File::open(data.file);
  const auto has_rows = [&](const std::string& group) { return file.exists(group + "/" + data.options.features); };
  if (has_rows("/" + data.group)) return data.group;
  std::vector<std::string> found;
  for (const std::string& group : file.groups()) {
    if (has_rows(group)) found.push_back(group);
  }
  if (has_rows("")) found.emplace_back("");
  return found.size() == 1 ? found.front() : data.group;
}

/// Rows of a data set as texts.
void add_texts(const Hdf5File& file, const std::string& name, RowRange rows, std::vector<std::string>& texts) {
  const ArrayInfo info = file.info(name);
  if (info.text && info.row_elements() == 1) {
    const std::vector<std::string> strings = file.read_strings(name, rows.first, rows.last);
    texts.insert(texts.end(), strings.begin(), strings.end());
    return;
  }
  if (info.type == ElementType::other || info.row_elements() != 1) {
    throw Error(fmt::format("{}: data set '{}': expected a number or string for each row to carry through, found {}", file.path(), name,
                            info.type == ElementType::other ? "another type" : "more than one"),
                kUsage);
  }
  const auto count = static_cast<std::size_t>(rows.size());
  if (is_floating(info.type)) {
    std::vector<double> values(count);
    file.read_rows<double>(name, rows.first, rows.last, values);
    for (const double value : values) texts.push_back(fmt::format("{}", value));
  } else {
    std::vector<std::int64_t> values(count);
    file.read_rows<std::int64_t>(name, rows.first, rows.last, values);
    for (const std::int64_t value : values) texts.push_back(std::to_string(value));
  }
}

class DataFileRows final : public NewRows {
 public:
  DataFileRows(const SavedModel& saved, const RowRequest& request, const World& world) : request_(request), world_(world) {
    world.agree([&] {
      DataConfig chosen = choose_data(saved, request.data, request.group);
      const std::string group = group_of(chosen, request);
      if (group != chosen.group) notes_.push_back(fmt::format("{}: rows of group '/{}'", chosen.file, group.substr(group.find('/') + 1)));
      chosen.group = group;
      if (request.rows) chosen.options.rows = *request.rows;
      chosen.options.not_features = {chosen.options.truth};
      chosen.options.truth = "";  // answers need no truth
      chosen.options.names = saved.model.names();
      data_.emplace(chosen.file, chosen.group, chosen.options);
      class_names_ = data_->class_names();
      notes_.insert(notes_.end(), data_->notes().begin(), data_->notes().end());
      warn_of_classes(saved.model.names());
      block_ = block_rows(saved.model, world);
      const RowArray::Part& part = data_->arrays().arrays.features.parts.front();
      const std::int64_t chunk = part.info.chunk.empty() ? 1 : part.info.chunk.front();
      if (chunk * part.info.row_bytes() <= kBlockBytes) block_ = (block_ + chunk - 1) / chunk * chunk;  // each chunk is decoded once
    });
    expect_same_data(world, *data_);
  }

  const Dataset* next() override {
    const std::int64_t first = next_, last = std::min(next_ + block_, data_->rows());
    if (first >= last) return nullptr;
    next_ = last;
    first_row_ = data_->range().first + first;
    slice_.emplace(*data_, RowRange{first, last});
    world_.agree([&] {
      if (world_.rank() == 0) read_ids(first_row_, first_row_ + (last - first));
    });
    return &*slice_;
  }

 private:
  /// A file may have classes that the model does not know.
  void warn_of_classes(const DataNames& model) {
    if (model.class_names.empty() || world_.rank() != 0) return;
    for (const std::string& path : data_->files()) {
      std::vector<std::string> unknown;
      const DataNames names = read_names(Hdf5File::open(path));
      if (names.class_names == model.class_names) continue;
      std::copy_if(names.class_names.begin(), names.class_names.end(), std::back_inserter(unknown), [&](const std::string& name) {
        return std::find(model.class_names.begin(), model.class_names.end(), name) == model.class_names.end();
      });
      if (unknown.empty()) continue;
      warnings_.push_back(fmt::format("{} has classes that {} does not have: {}; every row is answered with one of {}", path, model.origin,
                                      name_list(unknown), name_list(model.class_names)));
    }
  }

  void read_ids(std::int64_t first, std::int64_t last) {
    ids_.assign(request_.ids.size(), {});
    const Hdf5Dataset::Arrays& arrays = data_->arrays();
    for (const RowArray::Part& part : arrays.arrays.features.parts) {
      const RowRange rows{std::max(first - part.first, std::int64_t{0}), std::min(last - part.first, part.info.rows())};
      if (request_.ids.empty() || rows.first >= rows.last) continue;
      const Hdf5File file = Hdf5File::open(part.path);
      for (std::size_t i = 0; i < ids_.size(); ++i) add_texts(file, arrays.group + "/" + request_.ids[i], rows, ids_[i]);
    }
  }

  const RowRequest request_;
  const World& world_;
  std::optional<Hdf5Dataset> data_;
  std::optional<RowSlice> slice_;
  std::int64_t next_ = 0, block_ = 0;
};

// --- what rank 0 reads ---

using Rows = CsvStream::Rows;

/// Rows that a function of rank 0 gives.
class RowsOfRankZero final : public NewRows {
 public:
  using Read = std::function<std::optional<Rows>()>;
  RowsOfRankZero(const SavedModel& saved, const RowRequest& request, const World& world, Read read,
                 std::function<std::vector<std::string>()> notes)
      : shape_(saved.model.input_shape()),
        request_(request),
        wanted_(request.rows.value_or(RowRange{0, -1})),
        world_(world),
        read_(std::move(read)),
        told_(std::move(notes)) {}

  const Dataset* next() override {
    Rows rows;
    world_.agree([&] {
      if (world_.rank() == 0) rows = next_rows();
    });
    world_.broadcast(std::as_writable_bytes(std::span(&rows.rows, 1)));
    if (rows.rows == 0) return nullptr;
    world_.agree([&] { rows.features.resize(static_cast<std::size_t>(rows.rows * elements(shape_))); });
    world_.broadcast(std::as_writable_bytes(std::span(rows.features)));
    first_row_ = next_;
    next_ += rows.rows;
    ids_ = std::move(rows.ids);
    data_.emplace(shape_, std::move(rows.features));
    return &*data_;
  }

 private:
  /// Of the rows that are asked for; no rows at the end.
  Rows next_rows() {
    while (wanted_.last < 0 || read_rows_ < wanted_.last) {
      std::optional<Rows> rows = read_();
      if (!rows) break;
      if (read_rows_ == 0) notes_ = told_();
      expect_width(*rows);
      const RowRange own{std::max(wanted_.first - read_rows_, std::int64_t{0}),
                         wanted_.last < 0 ? rows->rows : std::min(wanted_.last - read_rows_, rows->rows)};
      next_ = read_rows_ + own.first;
      read_rows_ += rows->rows;
      if (own.first >= own.last) continue;
      if (own.size() < rows->rows) cut(*rows, own);
      return std::move(*rows);
    }
    if (!any_ || (wanted_.last >= 0 && read_rows_ < wanted_.last)) {
      throw Error(fmt::format("{}: expected rows {} to {} (end excluded), but it has {}", request_.data, wanted_.first,
                              wanted_.last < 0 ? "the end" : std::to_string(wanted_.last), read_rows_),
                  kUsage);
    }
    return {};
  }

  void expect_width(const Rows& rows) {
    any_ = any_ || read_rows_ + rows.rows > wanted_.first;
    const std::int64_t width = static_cast<std::int64_t>(rows.features.size()) / rows.rows;
    if (width == elements(shape_)) return;
    throw Error(fmt::format("{}: a row has {} features, but the model takes rows of shape {}", request_.data, width, to_string(shape_)),
                kUsage);
  }

  void cut(Rows& rows, RowRange own) const {
    const auto part = [&](auto& values, std::int64_t width) {
      values.erase(values.begin() + own.last * width, values.end());
      values.erase(values.begin(), values.begin() + own.first * width);
    };
    part(rows.features, elements(shape_));
    for (std::vector<std::string>& texts : rows.ids) part(texts, 1);
    rows.rows = own.size();
  }

  const Shape shape_;
  const RowRequest request_;
  const RowRange wanted_;
  const World& world_;
  const Read read_;
  const std::function<std::vector<std::string>()> told_;
  std::optional<ArrayDataset> data_;
  std::int64_t read_rows_ = 0, next_ = 0;  // of rank 0
  bool any_ = false;
};

void expect_no_group(const RowRequest& request) {
  if (!request.group.empty()) throw Error(fmt::format("--group {}: {} has no groups", request.group, request.data), kUsage);
}

std::unique_ptr<NewRows> table_rows(const SavedModel& saved, const RowRequest& request, const World& world) {
  std::shared_ptr<CsvStream> stream;
  world.agree([&] {
    expect_no_group(request);
    if (world.rank() == 0) stream = std::make_shared<CsvStream>(request.data, saved.model.names(), request.ids);
  });
  return std::make_unique<RowsOfRankZero>(
      saved, request, world, [stream] { return stream->next(); }, [stream] { return stream->notes(); });
}

std::unique_ptr<NewRows> numpy_rows(const SavedModel& saved, const RowRequest& request, const World& world) {
  std::shared_ptr<NumpyRows> rows;
  world.agree([&] {
    if (world.rank() == 0) rows = std::make_shared<NumpyRows>(request.data, request.group, request.ids);
  });
  const std::int64_t block = block_rows(saved.model, world);
  const auto read = [rows, block]() -> std::optional<Rows> {
    Rows next;
    next.rows = rows->next(block, next.features, next.ids);
    return next.rows == 0 ? std::nullopt : std::optional(std::move(next));
  };
  return std::make_unique<RowsOfRankZero>(saved, request, world, read, [rows] { return std::vector{rows->note()}; });
}

bool ends_in(std::string name, std::initializer_list<const char*> endings) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return std::any_of(endings.begin(), endings.end(), [&](const char* ending) { return name.ends_with(ending); });
}

}  // namespace

std::unique_ptr<NewRows> open_rows(const SavedModel& saved, const RowRequest& request, const World& world) {
  if (ends_in(request.data, {".csv", ".tsv", ".txt"})) return table_rows(saved, request, world);
  if (ends_in(request.data, {".npz", ".npy"})) return numpy_rows(saved, request, world);
  return std::make_unique<DataFileRows>(saved, request, world);
}

}  // namespace lockstep
