// A kind that stands in no list of the tree: its names and settings reach every visitor by kKind and fields() alone.
#include "core/compile/kinds.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string_view>
#include <utility>
#include <variant>

#include "cluster/json.h"
#include "core/compile/losses/losses.h"
#include "core/compile/optimizers.h"
#include "io/keras/settings.h"
#include "support/throws.h"

namespace lockstep {

enum class Corner { top, bottom };
constexpr std::array<std::pair<std::string_view, Corner>, 2> choices(Corner) {
  return {{{"top", Corner::top}, {"bottom", Corner::bottom}}};
}

struct Toy {
  static constexpr Kind kKind = {.class_name = "ToyKind", .name = "toy_kind", .short_name = "toy"};
  float rate = 0.1F;
  std::int64_t units = 3;
  bool shown = true;
  float off = 0;
  Sizes<2> window = 2;
  Corner corner = Corner::top;
  Margins margins = 1;
  Range range = 0;
  std::optional<float> limit = {};
  std::vector<std::optional<std::int64_t>> axes = {};
};
template <Is<Toy> S, class Visit>
void fields(S& toy, Visit&& visit) {
  visit(Field{"rate", from_to_below(0, 1)}, toy.rate);
  visit(Field{.name = "units", .bounds = at_least(1), .required = true}, toy.units);
  visit(Field{"shown"}, toy.shown);
  visit(Field{.name = "off", .null_if_zero = true}, toy.off);
  visit(Field{"window", at_least(1)}, toy.window);
  visit(Field{"corner"}, toy.corner);
  visit(Field{"margins", at_least(0)}, toy.margins);
  visit(Field{"range", between(-1, 1)}, toy.range);
  visit(Field{"limit", at_least(0)}, toy.limit);
  visit(Field{"axes", at_least(1)}, toy.axes);
  visit(Fixed{"data_format", "channels_last"});
  visit(Fixed{"newer_format", "channels_last", false});
}

namespace {

using ToySpec = std::variant<Huber, Toy>;

TEST(Kinds, AreFoundByEveryNameThatKerasKnows) {
  for (const char* name : {"ToyKind", "toy_kind", "toy", "TOY"}) EXPECT_EQ(alternative_called<ToySpec>(name)->index(), 1U) << name;
  for (const char* name : {"", "Toy", "TOY_KIND", "toykind"}) EXPECT_FALSE(alternative_called<ToySpec>(name)) << name;
  EXPECT_EQ(known_names<ToySpec>(), "huber, toy_kind (toy)");
  EXPECT_EQ(kind_of(ToySpec(Huber{})).class_name, "Huber");
}

TEST(Kinds, BoundsSayWhatTheyAllow) {
  EXPECT_EQ(at_least(0).text(), "at least 0");
  EXPECT_EQ(above(0).text(), "above 0");
  EXPECT_EQ(between(0, 1).text(), "in [0, 1]");
  EXPECT_EQ(from_to_below(0, 1).text(), "in [0, 1)");
  EXPECT_TRUE(at_least(0).hold(0));
  EXPECT_FALSE(above(0).hold(0));
  EXPECT_TRUE(between(0, 1).hold(1));
  EXPECT_FALSE(from_to_below(0, 1).hold(1));
  EXPECT_FALSE(at_least(0).hold(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(at_least(0).hold(std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(Bounds().hold(-std::numeric_limits<double>::infinity()));
  EXPECT_EQ(Bounds().text(), "a finite number");
}

TEST(Kinds, ANumberBeyondItsBoundsIsAnError) {
  Toy toy;
  fields(std::as_const(toy), BoundsCheck("toy"));
  toy.rate = 1;
  testing::expect_error([&] { fields(std::as_const(toy), BoundsCheck("toy")); }, {"toy: rate is 1, it must be in [0, 1)"});
  toy = {.units = 0};
  testing::expect_error([&] { fields(std::as_const(toy), BoundsCheck("toy")); }, {"toy: units is 0, it must be at least 1"});
}

TEST(Kinds, KerasSettingsAreWrittenInOrderAndReadAgain) {
  Json config = Json::object();
  const Toy written{.rate = 0.2F,
                    .units = 7,
                    .shown = false,
                    .window = {3, 5},
                    .corner = Corner::bottom,
                    .margins = {{1, 2}, 3},
                    .range = {-0.5F, 0.25F},
                    .limit = 6.F,
                    .axes = {{}, 1}};
  fields(written, KerasSettingWriter(config));
  EXPECT_EQ(config.dump(), R"({"rate":0.2,"units":7,"shown":false,"off":null,"window":[3,5],"corner":"bottom","margins":[[1,2],[3,3]],)"
                           R"("range":[-0.5,0.25],"limit":6.0,"axes":[null,1],"data_format":"channels_last"})");
  KerasArguments arguments("toy", Json::parse(config.dump()));
  Toy read;
  fields(read, KerasSettingReader(arguments));
  arguments.finish();
  EXPECT_EQ(read.rate, 0.2F);
  EXPECT_EQ(read.units, 7);
  EXPECT_FALSE(read.shown);
  EXPECT_EQ(read.window, (Sizes<2>{3, 5}));
  EXPECT_EQ(read.corner, Corner::bottom);
  EXPECT_EQ(read.margins, written.margins);
  EXPECT_EQ(read.range, written.range);
  EXPECT_EQ(read.limit, written.limit);
  EXPECT_EQ(read.axes, written.axes);

  config["units"] = 0;
  KerasArguments wrong("toy", Json::parse(config.dump()));
  testing::expect_error([&] { fields(read, KerasSettingReader(wrong)); },
                        {"toy: 'units': expected a whole number that is at least 1, found 0"});
}

TEST(Kinds, KerasSizesAreANumberOrAListAndWordsAreKnown) {
  const auto read = [](const char* config) {
    KerasArguments arguments("toy", Json::parse(config));
    Toy toy;
    fields(toy, KerasSettingReader(arguments));
    return toy;
  };
  EXPECT_EQ(read(R"({"window": 4})").window, (Sizes<2>{4, 4}));
  EXPECT_EQ(read(R"({"window": null, "corner": null})").window, (Sizes<2>{2, 2}));
  for (const char* window : {"[4]", "[4, 5, 6]", "[4, 0]", "0", "1.5", "\"4\"", "[[4, 5]]"}) {
    testing::expect_error([&] { read((R"({"window": )" + std::string(window) + "}").c_str()); },
                          {"toy: 'window': expected a whole number or a list of 2, each at least 1, found "});
  }
  testing::expect_error([&] { read(R"({"corner": "left"})"); }, {"toy: 'corner': unknown word 'left'; there are: top, bottom"});

  EXPECT_EQ(read(R"({"margins": 4})").margins, Margins(4));
  EXPECT_EQ(read(R"({"margins": [4, [5, 6]]})").margins, Margins(4, {5, 6}));
  for (const char* margins : {"[4]", "[4, 5, 6]", "[[4], 5]", "[-1, 0]", "1.5", "\"4\"", "[[4, 5], [6, 7], [8, 9]]"}) {
    testing::expect_error([&] { read((R"({"margins": )" + std::string(margins) + "}").c_str()); },
                          {"toy: 'margins': expected a whole number, or a list of two, each a number or a pair, each at least 0, found "});
  }
  EXPECT_EQ(read(R"({"range": 0.5})").range, Range(-0.5F, 0.5F));
  for (const char* range : {"[0.5]", "[0.1, 0.2, 0.3]", "2", "[0, 2]", "[]"}) {
    testing::expect_error([&] { read((R"({"range": )" + std::string(range) + "}").c_str()); },
                          {"toy: 'range': expected a number or a list of two, each in [-1, 1], found "});
  }
  EXPECT_FALSE(read(R"({"limit": null})").limit);
  testing::expect_error([&] { read(R"({"limit": -1})"); }, {"toy: 'limit': expected a number that is at least 0, found -1"});
  testing::expect_error([&] { read(R"({"axes": [0]})"); }, {"toy: 'axes': expected whole numbers or null, each at least 1, found [0]"});
  EXPECT_EQ(read(R"({"newer_format": "channels_last"})").units, 3);
  testing::expect_error([&] { read(R"({"newer_format": "channels_first"})"); }, {"toy: 'newer_format': expected"});
}

}  // namespace
}  // namespace lockstep
