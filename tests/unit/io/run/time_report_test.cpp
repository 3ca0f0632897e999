#include "io/run/time_report.h"

#include <gtest/gtest.h>

#include "io/run/advice.h"

namespace lockstep {
namespace {

double sum(const TimeParts& p) { return p.compute + p.communication + p.input + p.validation + p.checkpoint + p.start + p.other; }

TEST(TimeReport, PartsAddUpToTheWholeAndTheBusiestRankIsTold) {
  const StepProfile slow{
      .input = 1, .compute = 6, .communication = 0.5, .optimizer = 1, .other = 0.25, .start = 0.5, .validation = 0.25, .epochs = 0.5};
  StepProfile fast = slow;
  fast.compute = 2;
  fast.communication = 4.5;
  const TimeReport report = time_report({fast, slow});
  EXPECT_DOUBLE_EQ(report.seconds, 10);
  EXPECT_EQ(report.busiest, 1U);
  EXPECT_NEAR(report.mean.compute, 0.5, 1e-12);
  EXPECT_NEAR(report.mean.communication, 0.25, 1e-12);
  EXPECT_NEAR(report.mean.other, 0.075, 1e-12);
  EXPECT_NEAR(report.ranks[1].compute, 0.7, 1e-12);
  EXPECT_NEAR(sum(report.mean), 1, 1e-12);
  EXPECT_NEAR(sum(report.ranks[0]), 1, 1e-12);
}

TEST(TimeReport, OthersWaitForTheCheckpointsOfRankZero) {
  const StepProfile first{.compute = 6, .checkpoint = 4}, second{.compute = 6, .communication = 4}, third{.compute = 9, .communication = 1};
  const TimeReport report = time_report({first, second, third});
  EXPECT_NEAR(report.ranks[1].checkpoint, 0.4, 1e-12);
  EXPECT_NEAR(report.ranks[1].communication, 0, 1e-12);
  EXPECT_NEAR(report.ranks[2].checkpoint, 0.1, 1e-12) << "no more than it has waited";
  EXPECT_NEAR(sum(report.ranks[2]), 1, 1e-12);
}

TEST(TimeReport, OfNoTimeAtAll) { EXPECT_NEAR(sum(time_report({StepProfile{}}).mean), 1, 1e-12); }

// --- the knob: one case a rule; 8 ranks of one thread on a host with 8 cores, 16 grains of 8 rows, unless the case says otherwise ---

RunFacts facts_of(int ranks, int host_cores, std::int64_t grains) {
  RunFacts facts;
  for (int r = 0; r < ranks; ++r) facts.places.push_back({r, "node1", 100 + r, 1, 1, host_cores});
  facts.grain_rows = 8;
  facts.grains = grains;
  facts.batch_size = grains * 8;
  facts.checkpoint_every = 1;
  return facts;
}

/// Of ranks that have their cores for themselves.
TimeReport report_of(int ranks, StepProfile profile) {
  if (profile.cpu == 0) profile.cpu = profile.total();
  return time_report(std::vector<StepProfile>(static_cast<std::size_t>(ranks), profile));
}

std::string knob(const StepProfile& profile, const RunFacts& facts) {
  const Advice advice = advise(report_of(static_cast<int>(facts.places.size()), profile), facts);
  EXPECT_EQ(advice.text.rfind(advice.knob, 0), 0U) << advice.text;
  EXPECT_LE(advice.gain, 1);
  return advice.knob;
}

TEST(Advice, NothingStandsOutWhereAllIsCompute) {
  const Advice advice = advise(report_of(8, {.compute = 99, .communication = 1}), facts_of(8, 8, 16));
  EXPECT_EQ(advice.knob, "");
  EXPECT_NE(advice.text.find("99 % of the time is compute"), std::string::npos) << advice.text;
}

TEST(Advice, MoreRanksThanCores) { EXPECT_EQ(knob({.compute = 50, .communication = 50}, facts_of(8, 2, 16)), "mpirun -np"); }

TEST(Advice, MoreThreadsThanCores) {
  RunFacts facts = facts_of(2, 4, 16);
  for (RankPlace& place : facts.places) place.threads = 4;
  EXPECT_EQ(knob({.compute = 50, .communication = 50}, facts), "cluster.threads");
}

TEST(Advice, CoresLieIdle) {
  const Advice advice = advise(report_of(1, {.compute = 90, .other = 10}), facts_of(1, 4, 16));
  EXPECT_EQ(advice.knob, "mpirun -np");
  EXPECT_NEAR(advice.gain, 0.9 * 0.75, 1e-12);
}

TEST(Advice, FewerGrainsThanRanks) {
  const Advice advice = advise(report_of(8, {.compute = 40, .communication = 60}), facts_of(8, 8, 4));
  EXPECT_EQ(advice.knob, "training.batch_size");
  EXPECT_NE(advice.text.find("4 of 8 ranks have nothing to do; 64 rows"), std::string::npos) << advice.text;
}

TEST(Advice, GrainsThatDoNotDivide) {
  const Advice advice = advise(report_of(8, {.compute = 70, .communication = 30}), facts_of(8, 8, 9));
  EXPECT_EQ(advice.knob, "training.batch_size");
  EXPECT_NE(advice.text.find("9 grains of 8 rows do not divide among 8 ranks; a multiple of 64"), std::string::npos) << advice.text;
}

TEST(Advice, RanksWaitForEachOther) { EXPECT_EQ(knob({.compute = 60, .communication = 40}, facts_of(8, 8, 16)), "training.batch_size"); }

TEST(Advice, FarCores) {
  RunFacts facts = facts_of(2, 2, 16);
  facts.far_cores = true;
  EXPECT_EQ(knob({.compute = 60, .communication = 40}, facts), "mpirun --map-by");
}

TEST(Advice, OneRankIsSlower) {
  const TimeReport report = time_report({{.compute = 50, .communication = 50, .cpu = 100},
                                         {.compute = 98, .communication = 2, .cpu = 100},
                                         {.compute = 52, .communication = 48, .cpu = 100}});
  RunFacts facts = facts_of(3, 3, 18);
  facts.batch_size = 144;
  const Advice advice = advise(report, facts);
  EXPECT_EQ(advice.knob, "mpirun --bind-to");
  EXPECT_NE(advice.text.find("rank 1 on node1"), std::string::npos) << advice.text;
}

TEST(Advice, OtherProgramsOnTheCores) {
  EXPECT_EQ(knob({.compute = 60, .communication = 40, .cpu = 50}, facts_of(8, 8, 16)), "other programs");
  EXPECT_EQ(knob({.compute = 60, .communication = 40, .cpu = 50}, facts_of(8, 2, 16)), "mpirun -np") << "they are our own";
}

TEST(Advice, ManyThreadsOfOneRank) {
  RunFacts facts = facts_of(1, 2, 16);
  facts.places[0].threads = 64;
  const Advice advice = advise(report_of(1, {.compute = 100, .cpu = 3}), facts);
  EXPECT_EQ(advice.knob, "cluster.threads");
  EXPECT_NE(advice.text.find("64 threads on the 2 cores of node1"), std::string::npos) << advice.text;
}

TEST(Advice, AQuotaIsNamedWithItsEvidence) {
  RunFacts facts = facts_of(1, 1, 16);
  facts.cores = {{0.5, "/sys/fs/cgroup/job", 100, 95, ""}};
  const TimeReport report = report_of(1, {.compute = 100, .cpu = 50});
  const Advice advice = advise(report, facts);
  EXPECT_EQ(advice.knob, "CPU quota");
  EXPECT_NE(advice.text.find("/sys/fs/cgroup/job allows 0.5 CPUs"), std::string::npos) << advice.text;
  EXPECT_NE(advice.text.find("95 of 100 periods"), std::string::npos) << advice.text;
  facts.cores[0].throttled = 2;
  EXPECT_EQ(advise(report, facts).knob, "other programs") << "the quota was hardly ever reached";
}

TEST(Advice, AnotherJobOnTheSameCore) {
  RunFacts facts = facts_of(1, 1, 16);
  facts.places[0].mask = {3};
  facts.cores = {{0, "", 0, 0, "pid 4242 (lockstep)"}};
  const Advice advice = advise(report_of(1, {.compute = 100, .cpu = 50}), facts);
  EXPECT_EQ(advice.knob, "mpirun --bind-to none");
  EXPECT_NE(advice.text.find("bound to core 3, and so is pid 4242 (lockstep)"), std::string::npos) << advice.text;
}

TEST(Advice, OwnRanksOnTheSameCore) {
  RunFacts facts = facts_of(2, 1, 16);
  for (RankPlace& place : facts.places) {
    place.mask = {0};
    place.job_cores = 4;
  }
  const Advice advice = advise(report_of(2, {.compute = 50, .communication = 50}), facts);
  EXPECT_EQ(advice.knob, "mpirun --bind-to none");
  EXPECT_NE(advice.text.find("2 ranks on node1 are bound to core 0, and the host has 4 cores"), std::string::npos) << advice.text;
}

TEST(Advice, RanksThatSleepWhileTheNetworkIsBusyLackNoCore) {
  RunFacts facts = facts_of(2, 1, 16);
  facts.places[1].host = "node2";
  EXPECT_EQ(knob({.compute = 5, .communication = 95, .cpu = 5}, facts), "training.batch_size");
}

TEST(Advice, ThreadsThatWaitForOneWithoutACore) {
  RunFacts facts = facts_of(1, 2, 16);
  const TimeReport report = report_of(1, {.compute = 100, .cpu = 50});
  EXPECT_EQ(advise(report, facts).text.find("--threads 1"), std::string::npos) << "it has one thread";
  facts.places[0].threads = 2;
  const Advice advice = advise(report, facts);
  EXPECT_EQ(advice.knob, "other programs");
  EXPECT_NE(advice.text.find("--threads 1"), std::string::npos) << advice.text;
}

TEST(Advice, RowsStream) {
  RunFacts facts = facts_of(2, 2, 16);
  facts.streams = true;
  facts.shard_bytes = std::int64_t{300} << 20;
  EXPECT_EQ(knob({.input = 40, .compute = 60}, facts), "data.memory");
}

TEST(Advice, ManyCheckpoints) { EXPECT_EQ(knob({.compute = 60, .checkpoint = 40}, facts_of(2, 2, 16)), "checkpoint.every_epochs"); }
TEST(Advice, MuchValidation) { EXPECT_EQ(knob({.compute = 60, .validation = 40}, facts_of(2, 2, 16)), "data.validation.rows"); }
TEST(Advice, ShortRuns) { EXPECT_EQ(knob({.compute = 60, .start = 40}, facts_of(2, 2, 16)), "training.epochs"); }

}  // namespace
}  // namespace lockstep
