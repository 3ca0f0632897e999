#include "core/training/summary.h"

#include <gtest/gtest.h>

#include <sstream>

namespace lockstep {
namespace {

// The tables below were printed by Keras 3.15.1.

SummaryModel classifier() {
  return {"sequential",
          {{"flatten", "Flatten", "(None, 784)", 0},
           {"dense", "Dense", "(None, 300)", 235'500},
           {"dense_1", "Dense", "(None, 100)", 30'100},
           {"dense_2", "Dense", "(None, 10)", 1'010}},
          {266'610, 1'066'440},
          {}};
}

TEST(Summary, TheClassifier) {
  SummaryModel model = classifier();
  const std::string table = R"(Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten (Flatten)               │ (None, 784)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 300)            │       235,500 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 100)            │        30,100 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_2 (Dense)                 │ (None, 10)             │         1,010 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
)";
  EXPECT_EQ(summary_table(model, 80), table + R"( Total params: 266,610 (1.02 MB)
 Trainable params: 266,610 (1.02 MB)
 Non-trainable params: 0 (0.00 B)
)");
  model.optimizer = SummaryCount{2, 12};
  EXPECT_EQ(summary_table(model, 80), table + R"( Total params: 266,612 (1.02 MB)
 Trainable params: 266,610 (1.02 MB)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 2 (12.00 B)
)");
}

TEST(Summary, LayersThatAreNotBuilt) {
  EXPECT_EQ(summary_table({"sequential", {{"dense", "Dense", "", -1}, {"dense_1", "Dense", "", -1}}, {}, {}}, 80), R"(Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ ?                      │   0 (unbuilt) │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ ?                      │   0 (unbuilt) │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
)");
}

TEST(Summary, LongNamesWrapBeforeTheClassOrAreCut) {
  const SummaryModel model = {std::string(90, 'x'),
                              {{"flatten", "Flatten", "(None, 784)", 0},
                               {"a_very_very_long_layer_name_that_does_not_fit_at_all", "Dense", "(None, 300)", 235'500},
                               {"batch_normalization", "BatchNormalization", "(None, 300)", 1'200}},
                              {236'100, 944'400},
                              {600, 2'400}};
  EXPECT_EQ(summary_table(model, 80), "Model: \n\"" + std::string(79, 'x') + "\n" + std::string(11, 'x') + R"("
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten (Flatten)               │ (None, 784)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ a_very_very_long_layer_name_th… │ (None, 300)            │       235,500 │
│ (Dense)                         │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ batch_normalization             │ (None, 300)            │         1,200 │
│ (BatchNormalization)            │                        │               │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 236,700 (924.61 KB)
 Trainable params: 236,100 (922.27 KB)
 Non-trainable params: 600 (2.34 KB)
)");
}

TEST(Summary, ANarrowTerminal) {
  const SummaryModel model = {"my model my model my model my model my model my model ",
                              {{"dropout_56", "Dropout", "(None, 8)", 0}, {"bc___e_ceed_1", "Dense", "(None, 3)", 27}},
                              {39, 156},
                              {13, 52},
                              SummaryCount{80, 320}};
  EXPECT_EQ(summary_table(model, 38), R"(Model: "my model my model my model my 
model my model my model "
┏━━━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━┓
┃              ┃ Output   ┃ Par… ┃
┃ Layer (type) ┃ Shape    ┃    # ┃
┡━━━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━┩
│ dropout_56   │ (None,   │    0 │
│ (Dropout)    │ 8)       │      │
├──────────────┼──────────┼──────┤
│ bc___e_ceed… │ (None,   │   27 │
│ (Dense)      │ 3)       │      │
└──────────────┴──────────┴──────┘
 Total params: 132 (528.00 B)
 Trainable params: 39 (156.00 B)
 Non-trainable params: 13 (52.00 B)
 Optimizer params: 80 (320.00 B)
)");
}

TEST(Summary, WidthsFollowTheTerminalUpToEightyEight) {
  const auto rule_of = [](int columns) {
    std::istringstream lines(summary_table(classifier(), columns));
    std::string line;
    std::getline(lines, line);
    std::getline(lines, line);
    return line.size() / 3;  // each character of the rule takes three bytes
  };
  EXPECT_EQ(rule_of(80), 76U);
  EXPECT_EQ(rule_of(92), 88U);
  EXPECT_EQ(rule_of(300), 88U);
  EXPECT_EQ(rule_of(61), 57U);
  EXPECT_EQ(rule_of(20), 16U);
  for (const int columns : {-5, 0, 1, 10}) EXPECT_NE(summary_table(classifier(), columns).find("┏━━━━━━┳━━━┳━━━┓"), std::string::npos);
}

TEST(Summary, Sizes) {
  const auto total_of = [](std::int64_t params, std::int64_t bytes) {
    const std::string table = summary_table({"m", {}, {params, bytes}, {}}, 80);
    const std::size_t at = table.find(" Total params: ") + 15;
    return table.substr(at, table.find('\n', at) - at);
  };
  EXPECT_EQ(total_of(255, 1020), "255 (1020.00 B)");
  EXPECT_EQ(total_of(256, 1024), "256 (1.00 KB)");
  EXPECT_EQ(total_of(1'000, 4'000), "1,000 (3.91 KB)");
  EXPECT_EQ(total_of(1'234'567'890, 4'938'271'560), "1,234,567,890 (4.60 GB)");
}

}  // namespace
}  // namespace lockstep
