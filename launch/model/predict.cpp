// lockstep predict: a trained model's answers for the rows of a data set, as a table on the terminal, CSV or HDF5.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>

#include "io/data/data_file.h"
#include "io/data/digest.h"
#include "io/run/run_directory.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/model/saved_model.h"

namespace lockstep {
namespace {

struct PredictArguments {
  std::string model, data, group, rows, out;
  bool proba = false, force = false;
};

/// "a:b" -> rows [a, b); either may be left out.
RowRange parse_rows(const std::string& text) {
  const std::size_t colon = text.find(':');
  RowRange rows{0, -1};
  const auto number = [&](const std::string& part, std::int64_t& value) {
    if (part.empty()) return;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value < 0)
      throw Error("--rows " + text + ": expected FIRST:LAST, e.g. 0:3", kUsage);
  };
  if (colon == std::string::npos) throw Error("--rows " + text + ": expected FIRST:LAST, e.g. 0:3", kUsage);
  number(text.substr(0, colon), rows.first);
  number(text.substr(colon + 1), rows.last);
  if (rows.last >= 0 && rows.last <= rows.first)
    throw Error("--rows " + text + ": holds no row; expected FIRST below LAST, e.g. 0:3", kUsage);
  return rows;
}

/// How the model's outputs are to be read.
enum class Answer { classes, yes_no, numbers };

Answer answer_of(const Sequential& model) {
  const ActivationFunction last = model.output_activation();
  return last == softmax ? Answer::classes : last == sigmoid && model.output_width() == 1 ? Answer::yes_no : Answer::numbers;
}

/// Outputs of rows first_row, first_row + 1, ... with what is needed to name them.
struct Predictions {
  Answer answer = Answer::numbers;
  std::int64_t first_row = 0, rows = 0, width = 0;
  std::vector<float> outputs;  // (rows, width)
  std::vector<std::string> class_names;

  const float* row(std::int64_t r) const { return outputs.data() + r * width; }
  std::int64_t label(std::int64_t r) const {
    return answer == Answer::yes_no ? (*row(r) > 0.5F ? 1 : 0) : std::max_element(row(r), row(r) + width) - row(r);
  }
  std::string name(std::int64_t label) const {
    return label < static_cast<std::int64_t>(class_names.size()) ? class_names[static_cast<std::size_t>(label)] : std::to_string(label);
  }
};

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + "\"";
}

std::string csv(const Predictions& p, bool proba) {
  std::string text = "row";
  if (p.answer != Answer::numbers) text += ",class,name";
  const bool values = proba || p.answer == Answer::numbers;
  for (std::int64_t k = 0; values && k < p.width; ++k)
    text += "," + (p.answer == Answer::classes ? quoted(p.name(k)) : "output_" + std::to_string(k));
  text += "\n";
  for (std::int64_t r = 0; r < p.rows; ++r) {
    text += std::to_string(p.first_row + r);
    if (p.answer != Answer::numbers) text += fmt::format(",{},{}", p.label(r), quoted(p.name(p.label(r))));
    for (std::int64_t k = 0; values && k < p.width; ++k) text += fmt::format(",{}", p.row(r)[k]);
    text += "\n";
  }
  return text;
}

void write_hdf5(const Predictions& p, const PredictArguments& arguments) {
  DataFileWriter writer(arguments.out, arguments.force);
  if (p.answer != Answer::numbers) {
    std::vector<std::int64_t> labels;
    for (std::int64_t r = 0; r < p.rows; ++r) labels.push_back(p.label(r));
    writer.file().write<std::int64_t>("/class", {p.rows}, labels);
  }
  if (arguments.proba || p.answer == Answer::numbers) writer.file().write<float>("/output", {p.rows, p.width}, p.outputs);
  write_names(writer.file(), {p.class_names, {}, {}, "predictions of " + arguments.model, ""});
  writer.commit();
}

void print(const Predictions& p, bool proba) {
  constexpr std::int64_t kMost = 20;
  for (std::int64_t r = 0; r < std::min(p.rows, kMost); ++r) {
    fmt::print("row {:<8}", p.first_row + r);
    if (p.answer == Answer::numbers) {
      for (std::int64_t k = 0; k < p.width; ++k) fmt::print(" {:.6g}", p.row(r)[k]);
    } else {
      const float certain = p.answer == Answer::yes_no ? std::max(*p.row(r), 1 - *p.row(r)) : p.row(r)[p.label(r)];
      fmt::print(" {:<20} {:.4f}", p.name(p.label(r)), certain);
    }
    for (std::int64_t k = 0; proba && p.answer == Answer::classes && k < p.width; ++k)
      fmt::print("{} {}: {:.4f}", k == 0 ? "  |" : ",", p.name(k), p.row(r)[k]);
    fmt::print("\n");
  }
  if (p.rows > kMost) fmt::print("... {} rows in all; --out FILE.csv or FILE.h5 writes them\n", p.rows);
}

/// What is not finite in this row; empty: nothing.
std::string feature_flaw(const Dataset& data, std::int64_t row) {
  const std::unique_ptr<RowReader> reader = data.open({{row, row + 1}});
  const std::array order{row};
  std::vector<float> features(static_cast<std::size_t>(elements(data.sample_shape())));
  try {
    reader->expect_finite();
    reader->begin(order);
    reader->read(1, {features.data(), nullptr, nullptr});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Such rows are answered all the same: argmax always has an answer.
void warn_of_nan(const Predictions& p, const Dataset& data) {
  std::int64_t count = 0, first = 0;
  for (std::int64_t r = p.rows; r-- > 0;) {
    if (std::none_of(p.row(r), p.row(r) + p.width, [](float value) { return std::isnan(value); })) continue;
    ++count;
    first = r;
  }
  if (count == 0) return;
  const std::string flaw = feature_flaw(data, first);
  fmt::print(stderr, "warning: the model's output is nan for {} of {} rows, the first is row {}: {}; {}\n", count, p.rows,
             p.first_row + first, p.answer == Answer::numbers ? "those are no answers" : "the classes given for them mean nothing",
             flaw.empty() ? "look for nan or inf in the model's weights" : flaw);
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void check_out(const PredictArguments& arguments) {
  if (arguments.out.empty()) return;
  if (!ends_with(arguments.out, ".csv") && !ends_with(arguments.out, ".h5"))
    throw Error("--out " + arguments.out + ": the name must end in .csv or .h5", kUsage);
  if (!arguments.force && std::filesystem::exists(arguments.out))
    throw Error(arguments.out + " exists; give another name, or --force to replace it", kUsage);
}

void predict(const PredictArguments& arguments, const World& world) {
  SavedModel saved = load_saved_model(arguments.model, world);
  std::optional<Hdf5Dataset> data;
  Predictions p;
  world.agree([&] {
    check_out(arguments);
    DataConfig chosen = choose_data(saved, arguments.data, arguments.group);
    if (!arguments.rows.empty()) chosen.options.rows = parse_rows(arguments.rows);
    p.first_row = chosen.options.rows.first;
    chosen.options.truth = "";  // answers need no truth
    data.emplace(chosen.file, chosen.group, chosen.options);
    p.class_names = data->class_names();
  });
  expect_same_data(world, *data);
  p.outputs = saved.model.predict(*data, world);
  p.answer = answer_of(saved.model);
  p.rows = data->rows();
  p.width = saved.model.output_width();
  world.agree([&] {
    if (world.rank() != 0) return;
    print_notes(*data);
    warn_of_nan(p, *data);
    if (arguments.out.empty()) return print(p, arguments.proba);
    if (ends_with(arguments.out, ".csv")) {
      write_text_file(arguments.out, csv(p, arguments.proba));
    } else {
      write_hdf5(p, arguments);
    }
    fmt::print("{} rows written to {}\n", p.rows, arguments.out);
  });
}

}  // namespace

void add_predict(Command& app) {
  auto arguments = std::make_shared<PredictArguments>();
  Command command = app.add_command("predict", "A trained model's answers for the rows of a data set");
  command.option("model", arguments->model, kSavedModels).required();
  command.option("--data", arguments->data, "Data file (default: the run's; see --group)");
  command.option("--group", arguments->group,
                 "Group of the data file (default: test; of a run without test rows, its validation or else its training rows)");
  command.option("--rows", arguments->rows, "Only rows FIRST:LAST, e.g. 0:3");
  command.option("--out", arguments->out, "FILE.csv or FILE.h5 (default: the first rows are printed)");
  command.flag("--proba", arguments->proba, "Also the probability of every class");
  command.flag("--force", arguments->force, "Replace an existing output file");
  command.footer(
      "Class names come from the data file's attribute class_names.\n\n"
      "Examples:\n  lockstep predict runs/fashion_mnist-20260101-120000 --rows 0:3 --proba\n"
      "  mpirun -np 4 lockstep predict model.keras --data data/fashion_mnist.h5 --group test --out answers.csv");
  command.callback([arguments] {
    if (arguments->force && arguments->out.empty()) throw Error("predict: --force replaces the file of --out; give that, too", kUsage);
    run_on_ranks([&](World& world) { predict(*arguments, world); });
  });
}

}  // namespace lockstep
