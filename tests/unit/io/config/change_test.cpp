#include "io/config/change.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

const std::string kRun =
    "seed: 1\ndata: {train: {file: a.h5, group: train}}\n"
    "model:\n  - Dense: {units: 3}\n  - Flatten\ntraining: {batch_size: 32, epochs: 2}\ncheckpoint: {keep: 3}\n";

std::string changed(const std::string& from, const std::string& to) {
  std::string other = kRun;
  other.replace(other.find(from), from.size(), to);
  return config_change(kRun, other);
}

TEST(ConfigChange, NamesWhatDiffersFirst) {
  EXPECT_EQ(config_change(kRun, kRun), "");
  EXPECT_EQ(changed("batch_size: 32", "batch_size: 16"), "training.batch_size: 32 there, 16 here");
  EXPECT_EQ(changed("units: 3", "units: 4"), "model.0.Dense.units: 3 there, 4 here");
  EXPECT_EQ(changed("batch_size: 32, ", ""), "training.batch_size: 32 there, nothing here");
  EXPECT_EQ(changed("seed: 1\n", "seed: 1\nname: a\n"), "name: nothing there, a here");
  EXPECT_NE(changed("  - Flatten\n", ""), "");
}

TEST(ConfigChange, HowLongAndWhereARunTrainsMayChange) {
  EXPECT_EQ(changed("epochs: 2", "epochs: 3"), "");
  EXPECT_EQ(changed("keep: 3", "keep: 9"), "");
  EXPECT_EQ(changed("checkpoint: {keep: 3}", "cluster: {threads: 2}"), "");
  EXPECT_EQ(changed("file: a.h5", "file: /scratch/a.h5"), "");
  EXPECT_EQ(changed("group: train", "group: test"), "data.train.group: train there, test here");
}

}  // namespace
}  // namespace lockstep
