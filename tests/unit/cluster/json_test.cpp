#include "cluster/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace lockstep {
namespace {

void expect_json_error(const std::function<void()>& call, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "no JsonError; expected one with '" << part << "'";
  } catch (const JsonError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Json, IsWrittenInTheOrderOfItsKeys) {
  Json json{{"name", "run"}, {"epoch", 2}, {"none", nullptr}};
  json["losses"] = std::vector<double>{0.5, 1};
  json["best"]["epoch"] = std::uint64_t{3};
  json["versions"] = std::map<std::string, std::string>{{"b", "2"}, {"a", "1"}};
  json["epoch"] = -1;  // stays where it was
  json["seconds"] = std::optional<double>();
  EXPECT_EQ(json.dump(),
            R"({"name":"run","epoch":-1,"none":null,"losses":[0.5,1.0],"best":{"epoch":3},"versions":{"a":"1","b":"2"},"seconds":null})");
}

TEST(Json, IsIndented) {
  const Json json{{"a", Json::array({1, Json::array(), Json{{"b", true}}})}, {"c", Json::object()}};
  EXPECT_EQ(json.dump(2), "{\n  \"a\": [\n    1,\n    [],\n    {\n      \"b\": true\n    }\n  ],\n  \"c\": {}\n}");
  EXPECT_EQ(Json().dump(2), "null");
}

TEST(Json, NumbersAreTheShortestThatReadBackAlike) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Json::array({0.1, 0.1F, 1e300, -0.0, 100, kInfinity, std::nan("")}).dump(),
            "[0.1,0.10000000149011612,1e+300,-0.0,100,null,null]");
  for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308}) EXPECT_EQ(Json::parse(Json(value).dump()).get<double>(), value);
  const auto largest = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(Json(largest).dump(), "18446744073709551615");
  EXPECT_EQ(Json::parse("18446744073709551615").get<std::uint64_t>(), largest);
  EXPECT_EQ(Json::parse("-9223372036854775808").get<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
}

TEST(Json, TextIsEscapedAndBytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(Json("a\"\\\n\x01\u00e4").dump(), R"("a\"\\\n\u0001)"
                                              "\u00e4\"");
  EXPECT_EQ(Json("a\xff"
                 "b")
                .dump(),
            "\"a\uFFFD"
            "b\"");
  EXPECT_EQ(Json({{"\xff", 1}}).dump(), "{\"\uFFFD\":1}");
  EXPECT_EQ(Json::parse(R"("\u00e4\n")").get<std::string>(), "\u00e4\n");
}

TEST(Json, IsReadAsItWasWritten) {
  const std::string text = R"({"z":[1,-2,3.5,"x",null,true,{"y":[]}],"a":{"b":{}}})";
  EXPECT_EQ(Json::parse(text).dump(), text);
  EXPECT_EQ(Json::parse(" [1 , 2] ").dump(), "[1,2]");
}

TEST(Json, OfTwoMembersOfOneKeyTheLaterCounts) {
  EXPECT_EQ(Json::parse(R"({"a": 1, "b": 2, "a": {"c": 3}, "b": [4]})").dump(), R"({"a":{"c":3},"b":[4]})");
}

TEST(Json, WhatIsNotJsonIsAnError) {
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "nul", "1 2", "1e999", "\"\xff\"", "{'a': 1}", "NaN"}) {
    EXPECT_THROW(Json::parse(text), JsonError) << text;
    EXPECT_TRUE(Json::parse_or_null(text).is_null()) << text;
  }
  expect_json_error([] { Json::parse("{\n\"a\": x}"); }, "line 2, column 6");
}

TEST(Json, NestsNoDeeperThanAHundred) {
  EXPECT_EQ(Json::parse(std::string(100, '[') + std::string(100, ']')).size(), 1U);
  expect_json_error([] { Json::parse(std::string(101, '[')); }, "nested more than 100 deep");
  expect_json_error([] { Json::parse(std::string(1'000'000, '[')); }, "nested more than 100 deep");
}

TEST(Json, ValuesOfAnotherKindAreErrors) {
  const Json json = Json::parse(R"({"text": "x", "number": 1.5, "negative": -1, "large": 3000000000, "list": [1, "2"], "null": null})");
  expect_json_error([&] { json["text"].get<double>(); }, "expected a number, found a string");
  expect_json_error([&] { json["number"].get<std::int64_t>(); }, "expected an integer, found 1.5");
  expect_json_error([&] { json["negative"].get<std::uint64_t>(); }, "expected an integer from 0 on, found -1");
  expect_json_error([&] { json["large"].get<int>(); }, "expected an integer of 32 bits, found 3000000000");
  expect_json_error([&] { json["null"].get<bool>(); }, "expected true or false, found null");
  expect_json_error([&] { json["number"].get<std::string>(); }, "expected a string");
  expect_json_error([&] { json["list"].get<std::vector<int>>(); }, "expected an integer, found a string");
  expect_json_error([&] { json["list"].get<std::map<std::string, int>>(); }, "expected an object, found an array");
  expect_json_error([&] { json["text"].elements(); }, "expected an array, found a string");
  expect_json_error([&] { json.at("missing"); }, "key 'missing' is missing");
  expect_json_error([&] { json["text"].at("key"); }, "expected an object, found a string");
  expect_json_error([&] { Json(1)["key"] = 2; }, "expected an object, found 1");
  expect_json_error([&] { Json(1).push_back(2); }, "expected an array, found 1");
}

TEST(Json, GivesItsValues) {
  const Json json = Json::parse(R"({"i": 7, "list": [1, 2], "map": {"a": "b"}, "null": null, "yes": true, "half": 0.5})");
  EXPECT_EQ(json["i"].get<int>(), 7);
  EXPECT_EQ(json["i"].get<float>(), 7.F);
  EXPECT_EQ(json["list"].get<std::vector<std::int64_t>>(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(json["list"][1].get<int>(), 2);
  EXPECT_EQ((json["map"].get<std::map<std::string, std::string>>()), (std::map<std::string, std::string>{{"a", "b"}}));
  EXPECT_EQ(json["null"].get<std::optional<int>>(), std::nullopt);
  EXPECT_EQ(json["i"].get<std::optional<int>>(), 7);
  EXPECT_TRUE(json["yes"].get<bool>());
  EXPECT_EQ(json.value("half", 1.0), 0.5);
  EXPECT_EQ(json.value("quarter", 0.25), 0.25);
  EXPECT_EQ(json.value("name", "nobody"), "nobody");
  EXPECT_TRUE(json.contains("null"));
  EXPECT_FALSE(json["i"].contains("x"));
  EXPECT_TRUE(json["none"]["of"]["these"].is_null());
  EXPECT_EQ(json.size(), 6U);
  EXPECT_TRUE(json["null"].empty());
}

TEST(Json, KnowsItsKind) {
  const Json list = Json::array({nullptr, true, 1, 1.0, "text", Json::array(), Json::object()});
  const std::vector<bool (Json::*)() const> kinds{&Json::is_null,   &Json::is_bool,  &Json::is_integer, nullptr,
                                                  &Json::is_string, &Json::is_array, &Json::is_object};
  for (std::size_t value = 0; value < list.size(); ++value) {
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      if (kinds[kind] == nullptr) continue;  // no kind is a double alone
      EXPECT_EQ((list[value].*kinds[kind])(), value == kind) << value << " " << kind;
    }
    EXPECT_EQ(list[value].is_number(), value == 2 || value == 3) << value;
  }
}

TEST(Json, EqualsByValue) {
  EXPECT_EQ(Json(1), Json(1.0));
  EXPECT_EQ(Json(std::uint64_t{5}), 5);
  EXPECT_NE(Json(1), true);
  EXPECT_NE(Json(0), nullptr);
  EXPECT_NE(Json("1"), 1);
  EXPECT_EQ(Json("x"), "x");
  EXPECT_EQ(Json::parse(R"([{"a": 1}])"), Json::array({Json{{"a", 1}}}));
  EXPECT_NE(Json::parse(R"({"a": 1, "b": 2})"), Json::parse(R"({"b": 2, "a": 1})"));
}

TEST(Json, IsIteratedOver) {
  std::string text;
  for (const Json& element : Json::array({1, 2})) text += element.dump() + ";";
  const Json object{{"b", 1}, {"a", 2}};
  for (const auto& [key, value] : object.members()) text += key + value.dump();
  EXPECT_EQ(text, "1;2;b1a2");
  for (const Json& element : Json()) ADD_FAILURE() << element.dump();
}

}  // namespace
}  // namespace lockstep
