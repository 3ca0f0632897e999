#include "cluster/watchdog/diagnosis.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

RankState state(int rank, Stage stage, std::int64_t step = 10, double quiet = 60) {
  RankState result;
  result.rank = rank;
  result.host = "h" + std::to_string(rank);
  result.pid = 100 + rank;
  result.step = step;
  result.stage = stage;
  result.quiet = quiet;
  result.process = 'S';
  return result;
}

Diagnosis of(const std::vector<RankState>& ranks) { return diagnose(ranks, 5, "why"); }
bool says(const Diagnosis& diagnosis, const std::string& text) { return diagnosis.text.find(text) != std::string::npos; }

TEST(Diagnosis, DeadIsSurerThanStoppedThanUnheardThanIdleThanBehind) {
  std::vector<RankState> ranks{state(0, Stage::messages), state(1, Stage::messages, 9), state(2, Stage::reading),
                               state(3, Stage::messages), state(4, Stage::messages),    state(5, Stage::messages)};
  ranks[3].unheard = 6;
  ranks[4].process = 'T';
  ranks[5].process = 'X';
  EXPECT_EQ(of(ranks).rank, 5);
  EXPECT_EQ(of(ranks).host, "h5");
  ranks.pop_back();
  EXPECT_EQ(of(ranks).rank, 4);
  ranks.pop_back();
  EXPECT_EQ(of(ranks).rank, 3);
  ranks.pop_back();
  EXPECT_EQ(of(ranks).rank, 2);
  ranks.pop_back();
  EXPECT_EQ(of(ranks).rank, 1);
}

TEST(Diagnosis, NamesRankHostPidStepPlaceAndTheOthers) {
  std::vector<RankState> ranks{state(0, Stage::host_flags, 11), state(1, Stage::computing, 11), state(2, Stage::messages, 12)};
  ranks[1].process = 'X';
  const Diagnosis found = of(ranks);
  EXPECT_EQ(found.step, 12) << "that of the job, by which launch tells one failure from another";
  EXPECT_TRUE(says(found, "rank 1 on h1 (pid 101) has died")) << found.text;
  EXPECT_TRUE(says(found, "signal 9"));
  EXPECT_TRUE(says(found, "last step was 11, where it was computing"));
  EXPECT_TRUE(says(found, "why"));
  EXPECT_TRUE(says(found, "rank 0 on h0 waiting for the ranks of its host after step 11"));
  EXPECT_TRUE(says(found, "rank 2 on h2 waiting for messages of other hosts after step 12"));
}

TEST(Diagnosis, NamesTheConnectionThatARankWaitsForInsideMpi) {
  std::vector<RankState> ranks{state(0, Stage::host_flags), state(1, Stage::collective)};
  ranks[1].note = "10.0.0.5:4711, which has connected to its port 1024";
  const Diagnosis found = of(ranks);
  EXPECT_EQ(found.rank, 1) << "though all wait";
  EXPECT_TRUE(says(found, "inside MPI and waits for bytes from 10.0.0.5:4711, which has connected to its port 1024")) << found.text;
}

TEST(Diagnosis, SaysThatWhatIsKnownOfAnUnheardRankIsWhatWasHeardLast) {
  std::vector<RankState> ranks{state(0, Stage::messages, 42), state(1, Stage::agreement, 0)};
  ranks[1].unheard = 6;
  const Diagnosis found = of(ranks);
  EXPECT_EQ(found.rank, 1);
  EXPECT_EQ(found.step, 42);
  EXPECT_TRUE(says(found, "The last step that was heard of was 0, where it was waiting for all ranks to agree")) << found.text;
}

TEST(Diagnosis, SaysWhatIsKnownOfTheCause) {
  std::vector<RankState> ranks{state(0, Stage::messages), state(1, Stage::reading)};
  EXPECT_TRUE(says(of(ranks), "disk or file system that holds the data")) << of(ranks).text;
  ranks[1].process = 'D';
  EXPECT_TRUE(says(of(ranks), "(state D)"));
  ranks[1].process = 'T';
  EXPECT_TRUE(says(of(ranks), "kill -CONT 101"));
  ranks[1].process = 'X';
  ranks[1].note = "crashed: SIGSEGV after step 10, computing";
  EXPECT_TRUE(says(of(ranks), "has died: crashed: SIGSEGV"));
  ranks[1].process = 'S';
  ranks[1].unheard = 12;
  ranks[1].note.clear();
  EXPECT_TRUE(says(of(ranks), "not been heard for 12 s"));
}

TEST(Diagnosis, TellsWhenAllWait) {
  const Diagnosis found = of({state(0, Stage::messages), state(1, Stage::agreement)});
  EXPECT_TRUE(says(found, "waits like all others")) << found.text;
}

TEST(Diagnosis, AThousandRanksAreStillOneLine) {
  std::vector<RankState> ranks;
  for (int r = 0; r < 1000; ++r) ranks.push_back(state(r, Stage::messages));
  ranks[7].process = 'T';
  const Diagnosis found = of(ranks);
  EXPECT_EQ(found.rank, 7);
  EXPECT_LT(found.text.size(), 800U);
  EXPECT_TRUE(says(found, "and 995 more")) << found.text;
}

}  // namespace
}  // namespace lockstep
