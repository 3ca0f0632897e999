#include "io/import/csv/dialect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "io/import/csv/csv.h"
#include "io/import/csv/encoding.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;

/// Separator and decimal sign as one text.
std::string dialect(const std::string& text) {
  const CsvDialect found = recognise_dialect(text, {}, {});
  return separator_name(found.separator) + " " + found.decimal;
}

TEST(CsvDialect, TheSeparatorIsTheOneThatDividesAllRecordsAlike) {
  EXPECT_EQ(dialect("a,b\n1,2\n"), ", .");
  EXPECT_EQ(dialect("\"fixed acidity\";\"quality\"\n7.4;5\n7.8;5\n"), "; .");
  EXPECT_EQ(dialect("a\tb\n1\t2\n"), "tab .");
  EXPECT_EQ(dialect("a|b\n1|2\n"), "| .");
  EXPECT_EQ(dialect(" 0.1  2.5   3\n 1.1 12.5   4\n"), "space .");
  EXPECT_EQ(dialect("id,place\n1,NEAR BAY\n2,INLAND FAR OFF\n"), ", .");
  EXPECT_EQ(dialect("tags,y\na;b,1\nc,2\n"), ", .");
  EXPECT_EQ(dialect("name;y\n\"Smith, John\";1\n\"Lee, Ann\";2\n"), "; .");
  EXPECT_EQ(dialect("y\n1\n2\n"), ", .");
  EXPECT_EQ(dialect("a,b\n1\n2,3,4\n"), ", .");  // none: the error is that of a comma
}

TEST(CsvDialect, TheDecimalSignIsThatOfMostNumbers) {
  EXPECT_EQ(dialect("a;b\n1,5;2\n3;4,25\n"), "; ,");
  EXPECT_EQ(dialect("52,5;13,4\n53,25;14,5\n"), "; ,");
  EXPECT_EQ(dialect("a;b\n1.5;x,y\n"), "; .");
  EXPECT_EQ(dialect("a\tb\n1,5\t2\n"), "tab ,");
  EXPECT_EQ(recognise_dialect("a;b\n1,5;2\n", {}, '.').decimal, '.');
  EXPECT_EQ(recognise_dialect("a,b;c\n1,2;3\n", ';', {}).separator, ';');
  expect_error([] { recognise_dialect("a,b\n", ',', ','); }, {"comma"});
}

TEST(CsvDialect, Options) {
  for (const std::string text : {",", ";", "|", "tab", "space"}) EXPECT_EQ(separator_name(parse_separator(text)), text);
  expect_error([] { parse_separator(""); }, {"separator"});
  expect_error([] { parse_separator("ab"); }, {"'ab'"});
  expect_error([] { parse_separator("\""); }, {"separator"});
  expect_error([] { parse_decimal(";"); }, {"decimal"});
}

TEST(CsvNumber, OneDecimalSignAndNothingElse) {
  EXPECT_EQ(csv_number(" +2.5\t", '.'), 2.5);
  EXPECT_EQ(csv_number("2,5e1", ','), 25.0);
  EXPECT_EQ(csv_number("7", ','), 7.0);
  EXPECT_FALSE(csv_number("2,5", '.'));
  EXPECT_FALSE(csv_number("2.5", ','));
  EXPECT_FALSE(csv_number("1.234,5", ','));
  EXPECT_FALSE(csv_number("", '.'));
  EXPECT_FALSE(csv_number("12x", '.'));
  EXPECT_FALSE(csv_number(std::string(100, '1') + ",5", ','));
  EXPECT_EQ(csv_number("1e-999", '.'), 0.0);
  EXPECT_TRUE(std::isinf(*csv_number("1e999", '.')));
}

TEST(CsvEncoding, TextBecomesUtf8) {
  EXPECT_EQ(to_utf8("caf\xE9 \x80", TextEncoding::latin1, "f"), "caf\xC3\xA9 \xE2\x82\xAC");
  EXPECT_EQ(to_utf8("caf\xC3\xA9", TextEncoding::utf8, "f"), "caf\xC3\xA9");
  expect_error([] { to_utf8("a,b\ncaf\xE9,1\n", TextEncoding::utf8, "f.csv"); }, {"f.csv, line 2", "0xe9", "--encoding latin-1"});
  EXPECT_EQ(to_utf8(std::string("\xFF\xFE"
                                "a\0\x3D\xD8\x00\xDE",
                                8),
                    TextEncoding::utf8, "f"),
            "a\xF0\x9F\x98\x80");
  EXPECT_EQ(to_utf8(std::string("\xFE\xFF\0a", 4), TextEncoding::utf8, "f"), "a");
  expect_error(
      [] {
        to_utf8(
            "\xFF\xFE"
            "a",
            TextEncoding::utf8, "f");
      },
      {"odd number"});
  expect_error([] { to_utf8(std::string("\xFF\xFE\x3D\xD8", 4), TextEncoding::utf8, "f"); }, {"pair"});
  expect_error([] { parse_encoding("ebcdic"); }, {"'ebcdic'", "latin-1"});
}

TEST(CsvDialect, ShortNumbersAreTheNearestDoubles) {
  for (const char* text :
       {"0.1", "-0.3", "123456789.123456", "0.000001", "999999999999999", "-.5", "5.", "123456.7890123456789", "1e3", "0"}) {
    const auto value = csv_number(text, '.');
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(*value, std::strtod(text, nullptr)) << text;
  }
  EXPECT_TRUE(std::signbit(*csv_number("-0", '.')));
  for (const char* text : {"", ".", "-", "1.2.3", "1-2", "--1", "1 2"}) EXPECT_FALSE(csv_number(text, '.')) << text;
}

}  // namespace
}  // namespace lockstep
