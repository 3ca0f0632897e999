// A kind that stands in no list of the tree: its names and settings reach every visitor by kKind and fields() alone.
#include "core/compile/kinds.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <variant>

#include "cluster/json.h"
#include "core/compile/losses.h"
#include "core/compile/optimizers.h"
#include "io/keras/settings.h"
#include "support/throws.h"

namespace lockstep {

struct Toy {
  static constexpr Kind kKind = {.class_name = "ToyKind", .name = "toy_kind", .short_name = "toy"};
  float rate = 0.1F;
  std::int64_t units = 3;
  bool shown = true;
  float off = 0;
};
template <Is<Toy> S, class Visit>
void fields(S& toy, Visit&& visit) {
  visit(Field{"rate", from_to_below(0, 1)}, toy.rate);
  visit(Field{.name = "units", .bounds = at_least(1), .required = true}, toy.units);
  visit(Field{"shown"}, toy.shown);
  visit(Field{.name = "off", .null_if_zero = true}, toy.off);
  visit(Fixed{"data_format", "channels_last"});
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
  const Toy written{.rate = 0.2F, .units = 7, .shown = false};
  fields(written, KerasSettingWriter(config));
  EXPECT_EQ(config.dump(), R"({"rate":0.2,"units":7,"shown":false,"off":null,"data_format":"channels_last"})");
  KerasArguments arguments("toy", Json::parse(config.dump()));
  Toy read;
  fields(read, KerasSettingReader(arguments));
  arguments.finish();
  EXPECT_EQ(read.rate, 0.2F);
  EXPECT_EQ(read.units, 7);
  EXPECT_FALSE(read.shown);

  config["units"] = 0;
  KerasArguments wrong("toy", Json::parse(config.dump()));
  testing::expect_error([&] { fields(read, KerasSettingReader(wrong)); }, {"toy: 'units': expected a whole number at least 1, found 0"});
}

}  // namespace
}  // namespace lockstep
