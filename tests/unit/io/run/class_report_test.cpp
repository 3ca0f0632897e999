#include "io/run/class_report.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(ClassReport, ScoresOfEachClass) {
  const std::vector<std::int64_t> confusion = {8, 2, 0, 1, 3, 0, 0, 0, 0};  // class 2 is nowhere
  const std::vector<ClassScore> scores = class_scores(confusion);
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_DOUBLE_EQ(scores[0].precision, 8.0 / 9);
  EXPECT_DOUBLE_EQ(scores[0].recall, 0.8);
  EXPECT_DOUBLE_EQ(scores[0].f1, 16.0 / 19);
  EXPECT_EQ(scores[0].support, 10);
  EXPECT_DOUBLE_EQ(scores[1].precision, 0.6);
  EXPECT_DOUBLE_EQ(scores[1].recall, 0.75);
  EXPECT_EQ(scores[2].precision + scores[2].recall + scores[2].f1, 0);
  EXPECT_EQ(classes_json(confusion, {"cat", "dog"})[1]["name"], "dog");
  EXPECT_EQ(classes_json(confusion, {"cat", "dog"})[2]["name"], "2");
  EXPECT_EQ(confusion_json(confusion), Json::parse("[[8, 2, 0], [1, 3, 0], [0, 0, 0]]"));
}

TEST(ClassReport, HasATableAndTheMatrix) {
  const std::string text = class_report(std::vector<std::int64_t>{8, 2, 1, 3}, {"größe", "a name that is longer than a column"});
  EXPECT_NE(text.find("größe                       0.8889    0.8000    0.8421        10\n"), std::string::npos) << text;
  EXPECT_NE(text.find("a name that is longer .."), std::string::npos) << text;
  EXPECT_NE(text.find("mean of rows                0.8063    0.7857    0.7920        14\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  0 größe                        8     2\n"), std::string::npos) << text;
}

TEST(ClassReport, OfManyClassesIsTheWorst) {
  constexpr std::int64_t kClasses = 40;
  std::vector<std::int64_t> confusion(kClasses * kClasses);
  for (std::int64_t c = 0; c < kClasses; ++c) confusion[static_cast<std::size_t>(c * kClasses + c)] = 100;
  for (std::int64_t c = 1; c < kClasses; ++c) confusion[static_cast<std::size_t>(c * kClasses)] = c;
  const std::string text = class_report(confusion, {});
  EXPECT_NE(text.find("the 30 of lowest f1 of 40 classes"), std::string::npos) << text;
  EXPECT_NE(text.find("39                       0                               39\n"), std::string::npos) << text;
  EXPECT_NE(text.find("29 more pairs"), std::string::npos) << text;
}

}  // namespace
}  // namespace lockstep
