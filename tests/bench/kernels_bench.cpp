// The kernels that a step is made of, each by itself on one thread: the products of Dense layers, gather with rescaling, softmax with its
// loss, the optimizers' passes. Shapes are those of 784-300-100-10. Counters: GFLOP/s of products, GB/s of what is bound by memory.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "cluster/buffer.h"
#include "core/compile/losses/losses.h"
#include "core/compile/optimizers/optimizer.h"
#include "core/data/dataset.h"
#include "core/math/gemm/products.h"
#include "core/math/onednn/library.h"

namespace lockstep {
namespace {

Buffer numbers(std::int64_t count) {
  Buffer buffer(count);
  for (std::int64_t i = 0; i < count; ++i) buffer.data()[i] = static_cast<float>(i % 13) * 0.1F - 0.6F;
  return buffer;
}

void set_rate(benchmark::State& state, const char* name, double an_iteration) {
  state.counters[name] = benchmark::Counter(an_iteration * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

// --- products: rows, in, out ---

void DenseForward(benchmark::State& state) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const Buffer x = numbers(rows * in), w = numbers(in * out), b = numbers(out);
  Buffer y(rows * out);
  for (auto _ : state) product_forward(x.data(), w.data(), b.data(), true, y.data(), rows, in, out, 0, out);
  set_rate(state, "GFLOP/s", 2.0 * static_cast<double>(rows * in * out));
}

void DenseBackwardData(benchmark::State& state) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const Buffer dy = numbers(rows * out), w = numbers(in * out);
  Buffer dx(rows * in);
  for (auto _ : state) product_backward_data(dy.data(), w.data(), dx.data(), rows, in, out);
  set_rate(state, "GFLOP/s", 2.0 * static_cast<double>(rows * in * out));
}

void WeightGradientAdd(benchmark::State& state) {
  const ThreadScope one(1);
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const Buffer x = numbers(rows * in), d = numbers(rows * out);
  Buffer w = numbers(in * out);
  const WeightGradient gradient{x.data(), d.data(), rows, in, out, 0, in, 0, out};
  for (auto _ : state) gradient.add(-1e-9F, w.data());
  set_rate(state, "GFLOP/s", 2.0 * static_cast<double>(rows * in * out));
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "in", "out"});
  for (const std::int64_t rows : {8, 32, 256}) {
    bench->Args({rows, 784, 300})->Args({rows, 300, 100})->Args({rows, 100, 10});
  }
}

BENCHMARK(DenseForward)->Apply(shapes);
BENCHMARK(DenseBackwardData)->Apply(shapes);
BENCHMARK(WeightGradientAdd)->Apply(shapes);

// --- a batch from rows in memory: gathered in random order, rescaled on the way ---

void GatherRescale(benchmark::State& state) {
  const std::int64_t batch = state.range(0), rows = 16'384, width = 784;
  std::vector<float> pixels(static_cast<std::size_t>(rows * width), 3.F);
  const ArrayDataset data({width}, std::move(pixels));
  const auto reader = data.open({{0, rows}});
  std::vector<std::int64_t> order;
  std::minstd_rand random(1);
  for (std::int64_t i = 0; i < rows; ++i) order.push_back(static_cast<std::int64_t>(random()) % rows);
  Buffer features(batch * width);
  std::int64_t left = 0;
  for (auto _ : state) {
    if (left < batch) {
      reader->begin(order);
      left = rows;
    }
    reader->read(batch, {features.data(), nullptr, nullptr, 1.F / 255, 0});
    left -= batch;
  }
  set_rate(state, "GB/s", static_cast<double>(batch * width) * sizeof(float));
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(GatherRescale)->ArgName("rows")->Arg(32)->Arg(256);

void SoftmaxLoss(benchmark::State& state) {
  const std::int64_t rows = state.range(0), width = 10;
  const Buffer logits = numbers(rows * width);
  Buffer probabilities(rows * width), delta(rows * width), weight(rows), truth(rows);
  std::vector<double> value(static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    weight.data()[r] = 1;
    truth.data()[r] = static_cast<float>(r % width);
  }
  const LossRows block{.truth = truth.data(),
                       .weight = weight.data(),
                       .input = logits.data(),
                       .output = probabilities.data(),
                       .delta = delta.data(),
                       .value = value.data(),
                       .rows = rows,
                       .width = width,
                       .truth_width = 1,
                       .scale = 1.F / static_cast<float>(rows)};
  for (auto _ : state) loss_rows(SparseCategoricalCrossentropy{}, true, block);
  state.SetItemsProcessed(state.iterations() * rows);
}
BENCHMARK(SoftmaxLoss)->ArgName("rows")->Arg(8)->Arg(32)->Arg(256);

// --- optimizers: one pass over the weights of 784-300-100-10, and over ones that no cache holds ---

void OptimizerPass(benchmark::State& state, const OptimizerSpec& spec, int floats_moved) {
  const ThreadScope one(1);
  const std::int64_t count = state.range(0);
  Optimizer optimizer(spec, count, {{0, count}});
  Buffer w = numbers(count), g = numbers(count);
  for (auto _ : state) optimizer.step(w.span(), g.span());
  set_rate(state, "GB/s", static_cast<double>(count) * floats_moved * sizeof(float));
}
BENCHMARK_CAPTURE(OptimizerPass, sgd, Sgd{}, 3)->ArgName("floats")->Arg(266'610)->Arg(20'000'000);
BENCHMARK_CAPTURE(OptimizerPass, momentum, Sgd{.momentum = 0.9F}, 5)->ArgName("floats")->Arg(266'610)->Arg(20'000'000);
BENCHMARK_CAPTURE(OptimizerPass, adam, Adam{}, 7)->ArgName("floats")->Arg(266'610)->Arg(20'000'000);
BENCHMARK_CAPTURE(OptimizerPass, rmsprop, RMSprop{}, 5)->ArgName("floats")->Arg(266'610)->Arg(20'000'000);

}  // namespace
}  // namespace lockstep

BENCHMARK_MAIN();
