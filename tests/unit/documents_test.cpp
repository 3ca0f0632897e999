// The tree and its documents agree: files and sections that comments and documents name exist, folders stay small, sentences short.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace lockstep::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 25;
constexpr std::ptrdiff_t kMostLines = 200;  // of README.md
constexpr std::size_t kMostWords = 35, kMedianWords = 15;

fs::path root() {
  const char* const source = std::getenv("LOCKSTEP_SOURCE");
  if (source == nullptr) throw std::runtime_error("LOCKSTEP_SOURCE must name the checkout");
  return source;
}

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Every file of the project, relative to the root.
const std::set<std::string>& tree() {
  static const std::set<std::string> paths = [] {
    std::set<std::string> found;
    for (const char* folder : {"cluster", "core", "io", "launch", "tests", "configs"}) {
      for (const auto& entry : fs::recursive_directory_iterator(root() / folder)) {
        const std::string path = fs::relative(entry.path(), root());
        if (entry.is_regular_file() && path.find("__pycache__") == std::string::npos) found.insert(path);
      }
    }
    for (const auto& entry : fs::directory_iterator(root())) {
      if (entry.is_regular_file()) found.insert(entry.path().filename());
    }
    return found;
  }();
  return paths;
}

std::vector<std::string> documents() {
  std::vector<std::string> found;
  for (const std::string& path : tree()) {
    if (path.ends_with(".md")) found.push_back(path);
  }
  return found;
}

/// Whether the tree has a file or folder of this path or, for one without folders, of this name. NAME and * stand for any text.
bool exists(const std::string& mention) {
  const std::string escaped = std::regex_replace(mention, std::regex(R"([.+])"), "\\$&");
  const std::string any = std::regex_replace(escaped, std::regex(R"(\*|NAME)"), "[^/]*");
  const std::regex pattern("(?:" + std::string(mention.find('/') == std::string::npos ? ".*/)?" : ")?") + any + "(?:/.*)?");
  return std::any_of(tree().begin(), tree().end(), [&](const std::string& path) { return std::regex_match(path, pattern); });
}

bool has_heading(const std::string& document, const std::string& heading) {
  return read(root() / document).find("\n## " + heading + "\n") != std::string::npos;
}

std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) found.push_back((*match)[1]);
  return found;
}

/// The comments of a C++ file, in one line; "<mpi.h>", and so files of others, left out.
std::string comments(const std::string& text) {
  static const std::regex comment(R"((?:^|\n|\s)//+<?([^\n]*))"), others(R"(<[^ >]*>|keras/src/\S*)");
  std::string all;
  for (const std::string& line : matches(text, comment)) all += line + " ";
  return std::regex_replace(all, others, "");
}

/// Files and sections named there that do not exist.
std::vector<std::string> dead_mentions(const std::string& comment) {
  static const std::regex file(R"(([A-Za-z0-9_./*]*[A-Za-z0-9_*]\.(?:h|cpp|proto|md)\b))"), section(R"x(README's "([^"]*)")x");
  std::vector<std::string> dead;
  for (const std::string& mention : matches(comment, file)) {
    if (!exists(mention)) dead.push_back(mention);
  }
  for (const std::string& heading : matches(comment, section)) {
    if (!has_heading("README.md", heading)) dead.push_back("README.md, section " + heading);
  }
  return dead;
}

/// Paths, files and links of a document that do not exist. A file without a folder is one of the document's own folder or below.
std::vector<std::string> dead_paths(const std::string& document, const std::string& text) {
  static const std::regex span(R"(`((?:cluster|core|io|launch|tests|configs)/[A-Za-z0-9_./*]*)`)"), link(R"(\]\(([^):]*)\))");
  static const std::regex file(R"(`([A-Za-z0-9_]+\.(?:h|cpp|proto|py|sh|sbatch|cmake))`)");
  std::istringstream lines(text);
  std::string prose;
  bool code = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) code = !code;
    if (!code && !line.starts_with("```") && !line.starts_with("    ")) prose += line + "\n";
  }
  std::vector<std::string> dead;
  for (const std::string& path : matches(prose, span)) {
    if (!exists(path.ends_with("/") ? path.substr(0, path.size() - 1) : path)) dead.push_back(path);
  }
  const std::string folder = fs::path(document).parent_path();
  for (const std::string& name : matches(prose, file)) {
    const auto is_it = [&](const std::string& path) { return path.starts_with(folder) && path.ends_with("/" + name); };
    if (std::none_of(tree().begin(), tree().end(), is_it)) dead.push_back(name);
  }
  for (const std::string& target : matches(std::regex_replace(prose, std::regex("`[^`]*`"), ""), link)) {
    if (!fs::exists(root() / fs::path(document).parent_path() / target)) dead.push_back(target);
  }
  return dead;
}

/// The sentences of a document's prose: no code, tables, headings or comments. A list's element ends where the next one begins.
std::vector<std::string> sentences(const std::string& text) {
  static const std::regex other(R"((?:    |#|\||!\[|<!--).*)"), element(R"(( *[-*]|[0-9]+\.) .*)");
  static const std::regex end(R"([.!?:]["')`]*\s)");
  std::istringstream lines(text + "\n\n");
  std::vector<std::string> found;
  std::string paragraph;
  const auto finish = [&] {
    for (std::sregex_token_iterator one(paragraph.begin(), paragraph.end(), end, -1), last; one != last; ++one) {
      if (std::string(*one).find_first_not_of(" ") != std::string::npos) found.push_back(*one);
    }
    paragraph.clear();
  };
  bool code = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) code = !code;
    const bool prose = !code && !line.starts_with("```") && !std::regex_match(line, other);
    if (!prose || line.empty() || std::regex_match(line, element)) finish();
    if (prose) paragraph += std::regex_replace(line, std::regex(R"(^ *(?:[-*]|[0-9]+\.) )"), "") + " ";
  }
  return found;
}

std::size_t words(const std::string& sentence) {
  std::istringstream text(std::regex_replace(sentence, std::regex("`[^`]*`"), "code"));
  return static_cast<std::size_t>(std::distance(std::istream_iterator<std::string>(text), {}));
}

TEST(Tree, NoFolderHasMoreThan25Files) {
  std::map<std::string, std::size_t> files;
  for (const std::string& path : tree()) ++files[fs::path(path).parent_path()];
  for (const auto& [folder, count] : files) EXPECT_LE(count, kMostFiles) << "in " << folder;
}

TEST(Tree, UnitTestsMirrorIt) {
  for (const std::string& path : tree()) {
    if (!path.starts_with("tests/unit/")) continue;
    const fs::path folder = fs::path(path.substr(std::string("tests/unit/").size())).parent_path();
    EXPECT_TRUE(fs::is_directory(root() / folder)) << path << " tests " << folder << ", which is not there";
  }
}

TEST(Documents, TheFirstOneIsShort) {
  const std::string text = read(root() / "README.md");
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), kMostLines);
}

TEST(Documents, WhatCommentsNameExists) {
  for (const std::string& path : tree()) {
    if (!path.ends_with(".cpp") && !path.ends_with(".h")) continue;
    for (const std::string& dead : dead_mentions(comments(read(root() / path)))) ADD_FAILURE() << path << " names " << dead;
  }
}

TEST(Documents, WhatTheyNameExists) {
  EXPECT_GE(documents().size(), 3U);
  for (const std::string& path : documents()) {
    for (const std::string& dead : dead_paths(path, read(root() / path))) ADD_FAILURE() << path << " names " << dead;
  }
}

TEST(Documents, SentencesAreShort) {
  for (const std::string& path : documents()) {
    std::vector<std::size_t> lengths{0};
    for (const std::string& sentence : sentences(read(root() / path))) {
      lengths.push_back(words(sentence));
      EXPECT_LE(lengths.back(), kMostWords) << path << ": " << sentence;
    }
    std::nth_element(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2), lengths.end());
    EXPECT_LT(lengths[lengths.size() / 2], kMedianWords) << "median of " << path;
  }
}

TEST(Documents, WhatIsWrongIsFound) {
  EXPECT_EQ(dead_mentions(comments("int x;  /"
                                   "/ See nowhere.h and world.h, cluster/world.cpp, <mpi.h>.\n")),
            (std::vector<std::string>{"nowhere.h"}));
  EXPECT_EQ(dead_mentions(comments("/// launch/doctor/NAME.cpp, core/math/onednn/*.cpp; keras/src/a.py\n/// core/NAME.cpp")),
            (std::vector<std::string>{"core/NAME.cpp"}));
  EXPECT_EQ(dead_mentions(comments("// The README's \"In C++\" and \"No such\"; README's \"Nothing here\".")),
            (std::vector<std::string>{"README.md, section Nothing here"}));
  EXPECT_EQ(
      dead_paths("io/README.md",
                 "`io/config` `io/nowhere/` `core/math/none.h` `csv.h` `philox.h` [a](config/config.h) [b](none.md) [c](https://x.org)"),
      (std::vector<std::string>{"io/nowhere/", "core/math/none.h", "philox.h", "none.md"}));
  EXPECT_EQ(
      sentences("# No sentence\nOne, `a.b`\ntwo. Three:\n\n- four\n- five! six\n\n| seven |\n\n    eight\n\n```\nnine\n```\nten\n").size(),
      6U);
  EXPECT_EQ(words("One, `a b c` two "), 3U);
}

}  // namespace
}  // namespace lockstep::testing
