#include "cluster/trace/trace.h"

#include <gtest/gtest.h>

#include <set>

#include "cluster/json.h"
#include "core/training/sequential.h"
#include "io/run/trace_file.h"

namespace lockstep {
namespace {

TEST(Trace, KeepsTheFirstQuarterAndTheLast) {
  Trace trace(8);
  for (std::int64_t i = 0; i < 21; ++i) trace.add(SpanKind::step, i, i + 1, i);
  std::vector<std::int64_t> numbers;
  for (const Trace::Span& span : trace.spans()) numbers.push_back(span.number);
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{0, 1, 15, 16, 17, 18, 19, 20}));
  EXPECT_EQ(trace.dropped(), 13U);
}

TEST(Trace, KeepsAllWhileThereIsRoom) {
  Trace trace(8);
  for (std::int64_t i = 0; i < 8; ++i) trace.add(SpanKind::step, i, i + 1, i);
  EXPECT_EQ(trace.spans().size(), 8U);
  EXPECT_EQ(trace.spans().back().number, 7);
  EXPECT_EQ(trace.dropped(), 0U);
}

TEST(Trace, RoomIsBoundedForAllRanksTogether) {
  EXPECT_EQ(Trace::room(1), 65536U);
  EXPECT_EQ(Trace::room(4), 65536U);
  EXPECT_EQ(Trace::room(64), 4096U);
}

TEST(Trace, ASpanWithoutATraceIsNothing) { const TraceSpan span(nullptr, SpanKind::step); }

TEST(TraceFile, IsWhatChromeReads) {
  RankTrace first{.host = "node \"1\"", .clock_error = 0, .dropped = 0, .layers = {"dense", "dense_1"}, .spans = {}};
  first.spans = {{1'000'000'500, 1'000'002'000, 7, SpanKind::step}, {1'000'001'000, 1'000'001'250, 1, SpanKind::backward}};
  RankTrace second{
      .host = "node2", .clock_error = 40, .dropped = 3, .layers = {}, .spans = {{1'000'000'000, 1'000'003'000, -1, SpanKind::exchange}}};
  const Json json = Json::parse(trace_json({first, second}));
  std::vector<Json> spans;
  std::set<std::string> processes;
  for (const Json& event : json.at("traceEvents")) {
    if (event.at("ph") == "X") spans.push_back(event);
    if (event.at("name") == "process_name") processes.insert(event.at("args").at("name").get<std::string>());
  }
  EXPECT_EQ(processes, (std::set<std::string>{"rank 0 on node \"1\"", "rank 1 on node2"}));
  ASSERT_EQ(spans.size(), 3U);
  EXPECT_EQ(spans[0], (Json{{"ph", "X"}, {"name", "step"}, {"pid", 0}, {"tid", 0}, {"ts", 0.5}, {"dur", 1.5}, {"args", {{"step", 7}}}}));
  EXPECT_EQ(spans[1], (Json{{"ph", "X"}, {"name", "backward dense_1"}, {"pid", 0}, {"tid", 0}, {"ts", 1.0}, {"dur", 0.25}}));
  EXPECT_EQ(spans[2], (Json{{"ph", "X"}, {"name", "exchange"}, {"pid", 1}, {"tid", 0}, {"ts", 0.0}, {"dur", 3.0}}));
}

TEST(TraceFile, OfNothing) { EXPECT_TRUE(Json::parse(trace_json({})).at("traceEvents").empty()); }

/// Every part of every step, inside its step, and what comes between steps; the numbers of steps without a gap.
TEST(Trace, OfATraining) {
  Sequential model{Input{{4}}, Dense{3, relu}, Dense{1}};
  model.compile({.loss = MeanSquaredError{}, .optimizer = Adam{}});
  const ArrayDataset data({4}, std::vector<float>(4 * 20, 0.5F), std::vector<float>(20, 1.F));
  Trace trace(4096);
  model.fit(data, {.epochs = 2, .batch_size = 8, .validation_data = &data, .trace = &trace, .verbose = 0});
  std::map<SpanKind, int> counts;
  std::vector<Trace::Span> steps;
  for (const Trace::Span& span : trace.spans()) {
    EXPECT_LE(span.start, span.end);
    ++counts[span.kind];
    if (span.kind == SpanKind::step) steps.push_back(span);
  }
  ASSERT_EQ(steps.size(), 6U);
  for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i].number, static_cast<std::int64_t>(i));
  for (const SpanKind kind : {SpanKind::input, SpanKind::forward, SpanKind::loss, SpanKind::update, SpanKind::callbacks})
    EXPECT_EQ(counts[kind], 6) << name_of(kind);
  EXPECT_EQ(counts[SpanKind::backward], 12) << "two layers";
  EXPECT_GE(counts[SpanKind::gradient], 6);
  EXPECT_GE(counts[SpanKind::exchange], 6);
  EXPECT_EQ(counts[SpanKind::start], 1);
  EXPECT_EQ(counts[SpanKind::validation], 2);
  EXPECT_EQ(counts[SpanKind::epoch_end], 2);
  for (const Trace::Span& span : trace.spans()) {
    if (span.kind != SpanKind::input && span.kind != SpanKind::forward && span.kind != SpanKind::loss && span.kind != SpanKind::backward)
      continue;
    const bool inside =
        std::any_of(steps.begin(), steps.end(), [&](const Trace::Span& step) { return step.start <= span.start && span.end <= step.end; });
    EXPECT_TRUE(inside) << name_of(span.kind);
  }
  EXPECT_EQ(trace.layers, (std::vector<std::string>{"dense", "dense_1"}));
}

}  // namespace
}  // namespace lockstep
