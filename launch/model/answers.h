#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/training/sequential.h"

namespace lockstep {

/// How a model's outputs are read, and what they are called.
struct AnswerNames {
  enum class Kind { classes, yes_no, numbers };

  AnswerNames(const Sequential& model, std::vector<std::string> class_names);

  Kind kind;
  std::int64_t width;
  std::vector<std::string> class_names, target_names;

  bool has_class() const { return kind != Kind::numbers; }
  std::int64_t label(const float* row) const;
  std::string label_name(std::int64_t label) const;  ///< the number of a class without a name
  std::string output_name(std::int64_t output) const;
};

/// Outputs of consecutive rows.
struct Answers {
  std::int64_t first_row = 0, rows = 0;
  std::vector<float> outputs = {};                 ///< (rows, width)
  std::vector<std::vector<std::string>> ids = {};  ///< of each column that is carried through

  const float* row(std::int64_t r, std::int64_t width) const { return outputs.data() + r * width; }
};

/// Where answers go, some rows at a time.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  virtual void add(const Answers& answers) = 0;
  /// When all rows were added: puts a file under its name.
  virtual void finish(std::int64_t rows) = 0;
};

struct AnswerOptions {
  std::string out;               ///< FILE.csv or FILE.h5; empty: the first rows go to the terminal
  bool proba = false;            ///< the probability of every class, too
  bool force = false;            ///< replace the file
  std::vector<std::string> ids;  ///< names of Answers::ids
  std::string model;             ///< for the description
};

/// An Error (kUsage) for a name of another ending, one that is there already, or an id that is called as something else in the file.
void check_answer_options(const AnswerOptions& options);
std::unique_ptr<AnswerWriter> make_answer_writer(const AnswerNames& names, const AnswerOptions& options);

}  // namespace lockstep
