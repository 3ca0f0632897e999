// lockstep bench input: the way of rows from a data set into a batch, in memory and streamed, against memcpy.
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <optional>

#include "core/training/plan.h"
#include "launch/bench/commands.h"
#include "launch/bench/model.h"
#include "launch/bench/report.h"
#include "launch/command_line.h"
#include "launch/commands.h"

namespace lockstep {
namespace {

struct InputArguments {
  std::string config;
  std::vector<std::string> sets;
  std::int64_t batch_size = 0, epochs = 7;
  bool json = false;
};

/// All of one run.
class InputBench {
 public:
  InputBench(const InputArguments& arguments, const World& world);
  void operator()();

 private:
  TrainingPlan planned();
  double read_epoch(RowReader& reader, std::int64_t epoch);
  double copy_epoch(std::int64_t epoch);
  double timed(const std::function<void()>& epoch) const;
  std::unique_ptr<RowReader> open(const Dataset& data) const;
  Json figures(const std::vector<double>& seconds, double copying) const;
  std::string text(const Json& document) const;

  const InputArguments& arguments_;
  const World& world_;
  RunConfig config_;
  BenchData data_;
  std::optional<Hdf5Dataset> streamed_;
  std::int64_t row_bytes_ = 0;  // of the features in their own type
  TrainingPlan plan_;
  const Sampler& sampler_ = plan_.sampler;
  const Grains& grains_ = plan_.grains;
  float scale_ = 1, offset_ = 0;
  std::vector<float> features_, truth_, weight_;  // a batch of this rank's slots
  std::vector<std::byte> bytes_, copy_;           // all rows' features in their own type; a batch of them
};

InputBench::InputBench(const InputArguments& arguments, const World& world)
    : arguments_(arguments),
      world_(world),
      config_(bench_config(arguments.config, arguments.sets, world)),
      data_(bench_data(config_, 10'000, world)),
      plan_(planned()) {
  const std::int64_t width = elements(data_.rows->sample_shape());
  row_bytes_ = width * (data_.file == nullptr ? static_cast<std::int64_t>(sizeof(float)) : data_.file->element_bytes());
  if (data_.file != nullptr) {
    Hdf5Options options = config_.train.options;
    options.memory_budget =
        std::max<std::int64_t>(1, data_.rows->rows() * row_bytes_ / world.size() / 8);  // an eighth of what a rank would have to keep
    world.agree([&] { streamed_.emplace(config_.train.file, config_.train.group, options); });
  }
  for (const LayerSpec& layer : config_.model.layers) {
    const auto* const rescaling = std::get_if<Rescaling>(&layer);
    if (rescaling == nullptr || rescaling->scale.values.size() != 1 || rescaling->offset.values.size() != 1) continue;
    scale_ = rescaling->scale.values[0];
    offset_ = rescaling->offset.values[0];
  }
  const auto slots = static_cast<std::size_t>(grains_.own_slots());
  features_.resize(slots * static_cast<std::size_t>(width));
  truth_.resize(slots * static_cast<std::size_t>(data_.rows->truth_width()));
  weight_.resize(slots);
  bytes_.assign(static_cast<std::size_t>(data_.rows->rows() * row_bytes_), std::byte{1});
  copy_.resize(slots * static_cast<std::size_t>(row_bytes_));
}

/// Of a training that takes all rows.
TrainingPlan InputBench::planned() {
  if (arguments_.batch_size > 0) config_.fit.batch_size = arguments_.batch_size;
  config_.fit.validation_split = 0;
  std::optional<TrainingPlan> plan;
  world_.agree([&] {
    Sequential model = config_.make_model();
    model.compile(config_.compile);
    plan = model.plan(*data_.rows, config_.fit, shape_of(world_));
  });
  return *plan;
}

std::unique_ptr<RowReader> InputBench::open(const Dataset& data) const {
  std::unique_ptr<RowReader> reader;
  world_.agree([&] { reader = data.open(sampler_.ranges(grains_.first_slot(), grains_.first_slot() + grains_.own_slots())); });
  return reader;
}

/// Seconds from the first rank's start to the last one's end.
double InputBench::timed(const std::function<void()>& epoch) const {
  world_.barrier();
  const double start = seconds_now();
  world_.agree(epoch);
  world_.barrier();
  return seconds_now() - start;
}

double InputBench::read_epoch(RowReader& reader, std::int64_t epoch) {
  const std::vector<std::int64_t> order = sampler_.order(epoch, grains_.first_slot(), grains_.first_slot() + grains_.own_slots());
  return timed([&] {
    reader.begin(order);
    for (std::int64_t step = 0; step < sampler_.steps(); ++step)
      reader.read(grains_.own_slots(), {features_.data(), truth_.data(), weight_.data(), scale_, offset_});
  });
}

/// The same rows in the same order, nothing but copied.
double InputBench::copy_epoch(std::int64_t epoch) {
  const std::vector<std::int64_t> order = sampler_.order(epoch, grains_.first_slot(), grains_.first_slot() + grains_.own_slots());
  return timed([&] {
    const auto slots = static_cast<std::size_t>(grains_.own_slots());
    for (std::size_t i = 0; i < order.size(); ++i) {
      std::byte* to = copy_.data() + static_cast<std::int64_t>(i % slots) * row_bytes_;
      if (order[i] >= 0) std::memcpy(to, bytes_.data() + order[i] * row_bytes_, static_cast<std::size_t>(row_bytes_));
      asm volatile("" : : "r"(to) : "memory");
    }
  });
}

Json InputBench::figures(const std::vector<double>& seconds, double copying) const {
  std::vector<double> rates;
  for (const double value : seconds) rates.push_back(static_cast<double>(data_.rows->rows()) / value);
  const Spread spread = spread_of(rates);
  return {{"rows_per_second", to_json(spread)},
          {"us_per_batch", spread_of(seconds).median / static_cast<double>(sampler_.steps()) * 1e6},
          {"gb_per_s", spread.median * static_cast<double>(row_bytes_) * 1e-9},
          {"ratio_to_memcpy", spread_of(seconds).median / copying}};
}

std::string InputBench::text(const Json& document) const {
  std::string text = fmt::format("{}, {} a row; batch {}, shuffled\n\n{:<24} {:>13} {:>13} {:>13} {:>10} {:>12} {:>9}\n", data_.description,
                                 bytes_text(static_cast<double>(row_bytes_)), document["batch_size"].get<std::int64_t>(), "rows a second",
                                 "median", "min", "max", "GB/s", "us a batch", "x memcpy");
  for (const char* name : {"memory", "streamed", "memcpy"}) {
    const Json& part = document[name];
    if (part.contains("skipped")) {
      text += fmt::format("{:<24} not measured: {}\n", name, part["skipped"].get<std::string>());
      continue;
    }
    const Json& rate = part["rows_per_second"];
    text += fmt::format("{:<24} {:>13.0f} {:>13.0f} {:>13.0f} {:>10.2f} {:>12.2f} {:>9.2f}\n", name, rate["median"].get<double>(),
                        rate["min"].get<double>(), rate["max"].get<double>(), part["gb_per_s"].get<double>(),
                        part["us_per_batch"].get<double>(), part["ratio_to_memcpy"].get<double>());
  }
  return text;
}

void InputBench::operator()() {
  Json document{{"bench", "input"}, {"setting", bench_setting(world_, 1)}};
  document["data"] = data_.description;
  document["rows"] = data_.rows->rows();
  document["row_bytes"] = row_bytes_;
  document["batch_size"] = plan_.batch_size;
  std::vector<double> memory, streamed, copying;
  const std::unique_ptr<RowReader> in_memory = open(*data_.rows), from_file = streamed_ ? open(*streamed_) : nullptr;
  for (std::int64_t epoch = 0; epoch <= arguments_.epochs; ++epoch) {
    const double first = read_epoch(*in_memory, epoch), second = from_file ? read_epoch(*from_file, epoch) : 0, third = copy_epoch(epoch);
    if (epoch == 0) continue;  // caches
    memory.push_back(first);
    streamed.push_back(second);
    copying.push_back(third);
  }
  const double least = spread_of(copying).median;
  document["memory"] = figures(memory, least);
  document["streamed"] = from_file ? figures(streamed, least) : Json{{"skipped", "there is no data file"}};
  document["memcpy"] = figures(copying, least);
  if (world_.rank() == 0) print_bench(arguments_.json, document, text(document));
}

}  // namespace

void add_bench_input(Command& bench) {
  auto arguments = std::make_shared<InputArguments>();
  Command command = bench.add_command("input", "Rows a second into batches, from memory and streamed from the file, against memcpy");
  command.option("--config", arguments->config, "Configuration whose data to read (default: the built-in one on data/fashion_mnist.h5)");
  command.option("--set", arguments->sets, "Override a key of the configuration").type_name("KEY=VALUE").take_all();
  command.option("--batch-size", arguments->batch_size, "Rows in a batch, of all ranks together").at_least(1);
  command.option("--epochs", arguments->epochs, "Epochs to time, after one to warm up").show_default().at_least(1);
  command.flag("--json", arguments->json, "Print one JSON document");
  command.footer(
      "Reads whole epochs in shuffled order, as training does: every row converted to float and rescaled as the model's Rescaling\n"
      "says. `streamed` may keep an eighth of the rows in memory. memcpy copies the same rows in their own type in the same order and\n"
      "converts nothing.\n"
      "JSON: bench, setting, data, rows, row_bytes, batch_size, memory, streamed, memcpy {rows_per_second, us_per_batch, gb_per_s,\n"
      "ratio_to_memcpy}.\n\n"
      "Example:\n"
      "  mpirun -np 2 lockstep bench input --config configs/fashion_mnist.yaml");
  command.callback([arguments] { run_on_ranks([&](World& world) { InputBench(*arguments, world)(); }); });
}

}  // namespace lockstep
