// lockstep predict: a trained model's answers for the rows of a data set, as a table on the terminal, CSV or HDF5.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>

#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/model/answers.h"
#include "launch/model/new_rows.h"
#include "launch/model/saved_model.h"

namespace lockstep {
namespace {

struct PredictArguments {
  std::string model, rows;
  RowRequest request;
  AnswerOptions answers;
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

/// Rows whose answer is nan. They are answered all the same: argmax always has an answer.
class NanRows {
 public:
  void look(const Answers& answers, std::int64_t width, const Dataset& data) {
    for (std::int64_t r = 0; r < answers.rows; ++r) {
      const float* const row = answers.row(r, width);
      if (std::none_of(row, row + width, [](float value) { return std::isnan(value); })) continue;
      if (count_++ > 0) continue;
      first_ = answers.first_row + r;
      flaw_ = feature_flaw(data, r);
    }
  }
  void warn(std::int64_t rows, bool classes) const {
    if (count_ == 0) return;
    fmt::print(stderr, "warning: the model's output is nan for {} of {} rows, the first is row {}: {}; {}\n", count_, rows, first_,
               classes ? "the classes given for them mean nothing" : "those are no answers",
               flaw_.empty() ? "look for nan or inf in the model's weights" : flaw_);
  }

 private:
  std::int64_t count_ = 0, first_ = 0;
  std::string flaw_;
};

void predict(PredictArguments arguments, const World& world) {
  SavedModel saved = load_saved_model(arguments.model, world);
  const bool leads = world.rank() == 0;
  world.agree([&] {
    if (leads) check_answer_options(arguments.answers);
    if (!arguments.rows.empty()) arguments.request.rows = parse_rows(arguments.rows);
  });
  const std::unique_ptr<NewRows> source = open_rows(saved, arguments.request, world);
  std::optional<AnswerNames> names;
  std::unique_ptr<AnswerWriter> writer;
  NanRows nan_rows;
  std::int64_t rows = 0;
  while (const Dataset* data = source->next()) {
    Answers answers{source->first_row(), data->rows(), saved.model.predict(*data, world), source->ids()};
    world.agree([&] {
      if (!leads) return;
      if (!names) {
        const std::vector<std::string>& own = saved.model.names().class_names;
        names.emplace(saved.model, own.empty() ? source->class_names() : own);
        for (const std::string& note : source->notes()) fmt::print(stderr, "note: {}\n", note);
        for (const std::string& warning : source->warnings()) fmt::print(stderr, "warning: {}\n", warning);
        writer = make_answer_writer(*names, arguments.answers);
      }
      nan_rows.look(answers, names->width, *data);
      writer->add(answers);
    });
    rows += data->rows();
  }
  world.agree([&] {
    if (!leads) return;
    if (!writer) throw Error(arguments.request.data + ": has no rows", kUsage);
    nan_rows.warn(rows, names->has_class());
    writer->finish(rows);
    if (!arguments.answers.out.empty()) fmt::print("{} rows written to {}\n", rows, arguments.answers.out);
  });
}

}  // namespace

void add_predict(Command& app) {
  auto arguments = std::make_shared<PredictArguments>();
  Command command = app.add_command("predict", "A trained model's answers for the rows of a data set");
  RowRequest& request = arguments->request;
  AnswerOptions& answers = arguments->answers;
  command.option("model", arguments->model, kSavedModels).required();
  command.option("--data", request.data,
                 "Data file, table (.csv, .tsv, .txt, gzipped or not), .npz or .npy (default: the run's; see --group)");
  command.option(
      "--group", request.group,
      "Group of the data file (default: test; of a run without test rows, its validation or else its training rows), or array of "
      "the .npz file");
  command
      .option("--id", request.ids,
              "Column of the table, data set beside the rows, or array, to write beside each answer; may be given several times")
      .one_word();
  command.option("--rows", arguments->rows, "Only rows FIRST:LAST, e.g. 0:3");
  command.option("--out", answers.out, "FILE.csv or FILE.h5 (default: the first rows are printed)");
  command.flag("--proba", answers.proba, "Also the probability of every class");
  command.flag("--force", answers.force, "Replace an existing output file");
  command.footer(
      "A table needs no target column. It is read as the table of the training data was read: columns by name, the same encodings and "
      "fillings. Names of classes and columns are the model's, else those of the data file.\n\n"
      "Examples:\n  lockstep predict runs/fashion_mnist-20260101-120000 --rows 0:3 --proba\n"
      "  lockstep predict runs/housing --data new.csv --id house --out answers.csv\n"
      "  mpirun -np 4 lockstep predict model.keras --data data/fashion_mnist.h5 --group test --out answers.csv");
  command.callback([arguments] {
    arguments->answers.ids = arguments->request.ids;
    arguments->answers.model = arguments->model;
    if (arguments->answers.force && arguments->answers.out.empty())
      throw Error("predict: --force replaces the file of --out; give that, too", kUsage);
    run_on_ranks([&](World& world) { predict(*arguments, world); });
  });
}

}  // namespace lockstep
