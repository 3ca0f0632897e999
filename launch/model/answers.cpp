#include "launch/model/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <span>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/data/name_list.h"
#include "io/data/row_appender.h"
#include "io/files/partial_file.h"

namespace lockstep {
namespace {

AnswerNames::Kind kind_of_answers(const Sequential& model) {
  const ActivationFunction last = model.output_activation();
  return last == softmax                                ? AnswerNames::Kind::classes
         : last == sigmoid && model.output_width() == 1 ? AnswerNames::Kind::yes_no
                                                        : AnswerNames::Kind::numbers;
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + "\"";
}

class Terminal final : public AnswerWriter {
 public:
  Terminal(AnswerNames names, AnswerOptions options) : names_(std::move(names)), options_(std::move(options)) {}
  void add(const Answers& answers) override {
    for (std::int64_t r = 0; r < answers.rows && shown_ < kMost; ++r, ++shown_) print(answers, r);
  }
  void finish(std::int64_t rows) override {
    if (rows > kMost) fmt::print("... {} rows in all; --out FILE.csv or FILE.h5 writes them\n", rows);
  }

 private:
  static constexpr std::int64_t kMost = 20;

  void print(const Answers& answers, std::int64_t r) const {
    const float* const row = answers.row(r, names_.width);
    fmt::print("row {:<8}", answers.first_row + r);
    for (const auto& texts : answers.ids) fmt::print(" {:<12}", shown_name(texts[static_cast<std::size_t>(r)]));
    if (!names_.has_class()) {
      for (std::int64_t k = 0; k < names_.width; ++k) fmt::print(" {:.6g}", row[k]);
    } else {
      const std::int64_t label = names_.label(row);
      const float certain = names_.kind == AnswerNames::Kind::yes_no ? std::max(*row, 1 - *row) : row[label];
      fmt::print(" {:<20} {:.4f}", shown_name(names_.label_name(label)), certain);
    }
    const bool all = options_.proba && names_.kind == AnswerNames::Kind::classes;
    for (std::int64_t k = 0; all && k < names_.width; ++k)
      fmt::print("{} {}: {:.4f}", k == 0 ? "  |" : ",", shown_name(names_.label_name(k)), row[k]);
    fmt::print("\n");
  }

  const AnswerNames names_;
  const AnswerOptions options_;
  std::int64_t shown_ = 0;
};

/// Rows are told by their ids, if there are any, else by their numbers.
class CsvWriter final : public AnswerWriter {
 public:
  CsvWriter(AnswerNames names, AnswerOptions options) : names_(std::move(names)), options_(std::move(options)), file_(options_.out) {
    std::string head = options_.ids.empty() ? "row" : "";
    for (const std::string& id : options_.ids) head += (head.empty() ? "" : ",") + quoted(id);
    if (names_.has_class()) head += ",class,name";
    for (std::int64_t k = 0; values() && k < names_.width; ++k) head += "," + quoted(names_.output_name(k));
    file_.write(head + "\n");
  }
  void add(const Answers& answers) override {
    std::string text;
    for (std::int64_t r = 0; r < answers.rows; ++r) {
      add_row(answers, r, text);
      if (text.size() < kBuffer) continue;
      file_.write(text);
      text.clear();
    }
    file_.write(text);
  }
  void finish(std::int64_t) override { file_.commit(); }

 private:
  static constexpr std::size_t kBuffer = 1 << 16;

  bool values() const { return options_.proba || !names_.has_class(); }

  void add_row(const Answers& answers, std::int64_t r, std::string& text) const {
    const float* const row = answers.row(r, names_.width);
    const auto out = std::back_inserter(text);
    if (answers.ids.empty()) fmt::format_to(out, "{}", answers.first_row + r);
    for (std::size_t i = 0; i < answers.ids.size(); ++i) {
      if (i > 0) text += ",";
      text += quoted(answers.ids[i][static_cast<std::size_t>(r)]);
    }
    if (names_.has_class()) fmt::format_to(out, ",{},{}", names_.label(row), quoted(names_.label_name(names_.label(row))));
    for (std::int64_t k = 0; values() && k < names_.width; ++k) fmt::format_to(out, ",{}", row[k]);
    text += "\n";
  }

  const AnswerNames names_;
  const AnswerOptions options_;
  PartialFile file_;
};

class Hdf5Writer final : public AnswerWriter {
 public:
  Hdf5Writer(AnswerNames names, AnswerOptions options)
      : names_(std::move(names)), options_(std::move(options)), writer_(options_.out, options_.force) {
    DataNames of_file{.class_names = names_.class_names, .description = "predictions of " + options_.model};
    if (!names_.has_class()) of_file.target_names = names_.target_names;
    write_names(writer_.file(), of_file);
  }
  void add(const Answers& answers) override {
    for (std::size_t i = 0; i < answers.ids.size(); ++i) append_texts(writer_.file(), "/" + options_.ids[i], answers.ids[i]);
    if (names_.has_class()) {
      std::vector<std::int64_t> labels;
      for (std::int64_t r = 0; r < answers.rows; ++r) labels.push_back(names_.label(answers.row(r, names_.width)));
      append_rows<std::int64_t>(writer_.file(), "/class", {}, labels);
    }
    if (options_.proba || !names_.has_class()) append_rows<float>(writer_.file(), "/output", {names_.width}, answers.outputs);
  }
  void finish(std::int64_t) override { writer_.commit(); }

 private:
  const AnswerNames names_;
  const AnswerOptions options_;
  DataFileWriter writer_;
};

}  // namespace

AnswerNames::AnswerNames(const Sequential& model, std::vector<std::string> given)
    : kind(kind_of_answers(model)), width(model.output_width()), class_names(std::move(given)), target_names(model.names().target_names) {}

std::int64_t AnswerNames::label(const float* row) const {
  return kind == Kind::yes_no ? (*row > 0.5F ? 1 : 0) : std::max_element(row, row + width) - row;
}

std::string AnswerNames::label_name(std::int64_t label) const {
  return label < static_cast<std::int64_t>(class_names.size()) ? class_names[static_cast<std::size_t>(label)] : std::to_string(label);
}

std::string AnswerNames::output_name(std::int64_t output) const {
  const auto named = [this](const std::vector<std::string>& names) { return static_cast<std::int64_t>(names.size()) == width; };
  if (kind == Kind::classes) return label_name(output);
  if (kind == Kind::yes_no && class_names.size() == 2) return class_names[1];
  if (kind == Kind::numbers && named(target_names)) return target_names[static_cast<std::size_t>(output)];
  if (kind == Kind::numbers && named(class_names)) return class_names[static_cast<std::size_t>(output)];
  return "output_" + std::to_string(output);
}

void check_answer_options(const AnswerOptions& options) {
  std::set<std::string> taken{"class", "name", "output"};
  for (const std::string& id : options.ids) {
    const bool path = options.out.ends_with(".h5") && (id.empty() || id.find('/') != std::string::npos || id == ".");
    if (path || !taken.insert(id).second)
      throw Error(
          fmt::format("--id {}: the answers cannot have a column of this name{}", id, path ? " in an HDF5 file" : " (or a second one)"),
          kUsage);
  }
  if (options.out.empty()) return;
  if (!options.out.ends_with(".csv") && !options.out.ends_with(".h5"))
    throw Error("--out " + options.out + ": the name must end in .csv or .h5", kUsage);
  std::error_code ignored;
  if (!options.force && std::filesystem::exists(options.out, ignored))
    throw Error(options.out + " exists; give another name, or --force to replace it", kUsage);
}

std::unique_ptr<AnswerWriter> make_answer_writer(const AnswerNames& names, const AnswerOptions& options) {
  if (options.out.empty()) return std::make_unique<Terminal>(names, options);
  if (options.out.ends_with(".csv")) return std::make_unique<CsvWriter>(names, options);
  return std::make_unique<Hdf5Writer>(names, options);
}

}  // namespace lockstep
