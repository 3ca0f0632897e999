// Keras' own tables (keras 3, columns 80 as when the output is no terminal).
#include "core/summary.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Summary, EqualsKerasTableOfTheClassifier) {
  const SummaryModel model{"sequential", {{"flatten", "Flatten", "(None, 784)", 0}, {"dense", "Dense", "(None, 300)", 235500}}, 266610, 0, 2, 12};
  EXPECT_EQ(summary_table(model, 80),
            "Model: \"sequential\"\n"
            "┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓\n"
            "┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃\n"
            "┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩\n"
            "│ flatten (Flatten)               │ (None, 784)            │             0 │\n"
            "├─────────────────────────────────┼────────────────────────┼───────────────┤\n"
            "│ dense (Dense)                   │ (None, 300)            │       235,500 │\n"
            "└─────────────────────────────────┴────────────────────────┴───────────────┘\n"
            " Total params: 266,612 (1.02 MB)\n"
            " Trainable params: 266,610 (1.02 MB)\n"
            " Non-trainable params: 0 (0.00 B)\n"
            " Optimizer params: 2 (12.00 B)\n");
}

TEST(Summary, WrapsBeforeTheParenthesisAndCutsLongWords) {
  const SummaryModel model{"m",
                           {{"batch_normalization", "BatchNormalization", "(None, 8)", 32},
                            {"a_very_very_long_layer_name_that_does_not_fit", "Dense", "?", -1}},
                           0, 32, 0, 0};
  const std::string table = summary_table(model, 80);
  EXPECT_NE(table.find("│ batch_normalization             │ (None, 8)"), std::string::npos) << table;
  EXPECT_NE(table.find("│ (BatchNormalization)            │                        │               │"), std::string::npos) << table;
  EXPECT_NE(table.find("│ a_very_very_long_layer_name_th… │ ?                      │   0 (unbuilt) │"), std::string::npos) << table;
  EXPECT_EQ(table.find("Optimizer"), std::string::npos);
}

TEST(Summary, IsAtMost88Wide) {
  const SummaryModel model{"m", {{"dense", "Dense", "(None, 8)", 32}}, 32, 0, 0, 0};
  const std::string table = summary_table(model, 200);  // columns of 38, 29 and 17 characters, blanks included
  const std::string row = "│ dense (Dense)" + std::string(24, ' ') + "│ (None, 8)" + std::string(19, ' ') + "│" + std::string(14, ' ') + "32 │";
  EXPECT_NE(table.find(row), std::string::npos) << table;
}

}  // namespace
}  // namespace lockstep
