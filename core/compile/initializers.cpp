#include "core/compile/initializers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "cluster/clones.h"
#include "cluster/error.h"
#include "cluster/host/process_limits.h"
#include "core/math/philox.h"

namespace lockstep {
namespace {

// Standard deviation of a standard normal cut at -2 and 2.
constexpr double kTruncatedDeviation = 0.87962566103423978;

struct Fan {
  double in, out;
};

Fan fan_of(const Shape& shape) {
  if (shape.empty()) return {1, 1};
  if (shape.size() == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double receptive = 1;
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) receptive *= static_cast<double>(shape[i]);
  return {receptive * static_cast<double>(shape[shape.size() - 2]), receptive * static_cast<double>(shape.back())};
}

// Values in [-limit, limit); four elements to a block.
void fill_uniform(const RandomStream& stream, double limit, std::span<float> values) {
  const auto bound = static_cast<float>(limit);
  PhiloxBlock block{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 4 == 0) block = stream.block(i / 4, 0);
    values[i] = bound * (2 * uniform(block[i % 4]) - 1);
  }
}

// Two standard normal numbers by Box and Muller; the first word is taken from (0, 1), so that its log is finite.
std::array<double, 2> normal_pair(std::uint32_t first, std::uint32_t second) {
  const double radius = std::sqrt(-2 * std::log((first + 0.5) * 0x1p-32));
  const double angle = 2 * std::numbers::pi * (second * 0x1p-32);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// The first of the element's own numbers that lies within two standard deviations; one in twenty is redrawn.
double truncated_normal(const RandomStream& stream, std::uint64_t element) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    const PhiloxBlock block = stream.block(element, attempt);
    for (const std::size_t word : {0U, 2U}) {
      for (const double z : normal_pair(block[word], block[word + 1])) {
        if (std::abs(z) <= 2) return z;
      }
    }
  }
}

/// `values` normal numbers, four to a block.
template <class Float>
void fill_normal(const RandomStream& stream, std::span<Float> values, double mean, double deviation) {
  PhiloxBlock block{};
  std::array<double, 2> pair{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 4 == 0) block = stream.block(i / 4, 0);
    if (i % 2 == 0) pair = normal_pair(block[i % 4], block[i % 4 + 1]);
    values[i] = static_cast<Float>(mean + deviation * pair[i % 2]);
  }
}

void fill_truncated(const RandomStream& stream, std::span<float> values, double mean, double deviation) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(mean + deviation * truncated_normal(stream, i));
}

constexpr std::size_t kColumns = 32;  // made orthogonal to those before them at once
constexpr std::size_t kPanel = 64;    // rows, or columns, whose share of a product stays in the first-level cache

/// A (rows, width) and a few of its columns.
struct Columns {
  double* a;
  std::size_t rows, width, first, count;
  double* row(std::size_t r) const { return a + r * width; }
};

/// sums += factor times the columns of a row.
[[gnu::always_inline]] inline void add_columns(double factor, const double* columns, double* sums) {
#pragma omp simd
  for (std::size_t k = 0; k < kColumns; ++k) sums[k] += factor * columns[k];
}

/// The columns of the rows [first, last), with zeros up to kColumns.
void take_panel(const Columns& of, std::size_t first, std::size_t last, double* panel) {
  for (std::size_t r = first; r < last; ++r) {
    double* const to = panel + (r - first) * kColumns;
    std::fill_n(std::copy_n(of.row(r) + of.first, of.count, to), kColumns - of.count, 0.0);
  }
}

/// products[j] = the products of the columns with column j, for all columns j before them. Sums go row by row, whatever the CPU.
LOCKSTEP_CLONES void products_with_former(const Columns& of, double* products) {
  double panel[kPanel * kColumns];
  std::fill_n(products, of.first * kColumns, 0.0);
  for (std::size_t top = 0; top < of.rows; top += kPanel) {
    const std::size_t bottom = std::min(of.rows, top + kPanel);
    take_panel(of, top, bottom, panel);
    for (std::size_t j = 0; j < of.first; ++j) {
      double sums[kColumns];
      std::copy_n(products + j * kColumns, kColumns, sums);
      for (std::size_t r = top; r < bottom; ++r) add_columns(of.row(r)[j], panel + (r - top) * kColumns, sums);
      std::copy_n(sums, kColumns, products + j * kColumns);
    }
  }
}

/// Takes from the columns what they have of those before them.
LOCKSTEP_CLONES void subtract_former(const Columns& of, const double* products) {
  for (std::size_t left = 0; left < of.first; left += kPanel) {
    const std::size_t right = std::min(of.first, left + kPanel);
    for (std::size_t r = 0; r < of.rows; ++r) {
      double sums[kColumns] = {};
      double* const row = of.row(r);
      for (std::size_t j = left; j < right; ++j) add_columns(row[j], products + j * kColumns, sums);
      for (std::size_t k = 0; k < of.count; ++k) row[of.first + k] -= sums[k];
    }
  }
}

/// Makes a few columns orthonormal that are orthogonal to all before them.
void make_few_orthonormal(const Columns& of) {
  std::array<double, kColumns> products{};
  for (std::size_t c = 0; c < of.count; ++c) {
    for (int pass = 0; pass < 2; ++pass) {
      products.fill(0);
      for (std::size_t r = 0; r < of.rows; ++r) {
        const double* const row = of.row(r) + of.first;
        for (std::size_t j = 0; j < c; ++j) products[j] += row[j] * row[c];
      }
      for (std::size_t r = 0; r < of.rows; ++r) {
        double* const row = of.row(r) + of.first;
        double sum = 0;
        for (std::size_t j = 0; j < c; ++j) sum += row[j] * products[j];
        row[c] -= sum;
      }
    }
    double squares = 0;
    for (std::size_t r = 0; r < of.rows; ++r) squares += of.row(r)[of.first + c] * of.row(r)[of.first + c];
    for (std::size_t r = 0; r < of.rows; ++r) of.row(r)[of.first + c] /= std::sqrt(squares);
  }
}

/// Makes the columns of a (rows, columns) orthonormal, rows >= columns: Gram and Schmidt's Q, which is that of a QR decomposition with a
/// positive diagonal of R. Each column is orthogonalised twice, which is enough (Giraud et al. 2005). Block by block, so that the matrix is
/// read once for many columns.
void make_orthonormal(double* a, std::size_t rows, std::size_t columns) {
  std::vector<double> products(columns * kColumns);
  for (std::size_t first = 0; first < columns; first += kColumns) {
    const Columns some{a, rows, columns, first, std::min(kColumns, columns - first)};
    for (int pass = 0; pass < 2; ++pass) {
      products_with_former(some, products.data());
      subtract_former(some, products.data());
    }
    make_few_orthonormal(some);
  }
}

/// Fills the values of one weight by the kind of initializer.
class Fill {
 public:
  Fill(const Shape& shape, std::uint64_t seed, std::uint32_t id, std::span<float> values)
      : shape_(shape), seed_(seed), id_(id), values_(values) {}

  void operator()(const Zeros&) const { std::fill(values_.begin(), values_.end(), 0.0F); }
  void operator()(const Ones&) const { std::fill(values_.begin(), values_.end(), 1.0F); }
  void operator()(const Constant& constant) const { std::fill(values_.begin(), values_.end(), constant.value); }
  void operator()(const Identity& identity) const {
    if (shape_.size() != 2) refuse("Identity fills matrices only");
    std::fill(values_.begin(), values_.end(), 0.0F);
    const auto columns = static_cast<std::size_t>(shape_[1]);
    for (std::size_t i = 0; i < columns && i * columns < values_.size(); ++i) values_[i * columns + i] = identity.gain;
  }
  void operator()(const Orthogonal& orthogonal) const;
  void operator()(const RandomNormal& normal) const {
    fill_normal(stream(normal.seed), values_, static_cast<double>(normal.mean), static_cast<double>(normal.stddev));
  }
  void operator()(const TruncatedNormal& normal) const {
    fill_truncated(stream(normal.seed), values_, static_cast<double>(normal.mean), static_cast<double>(normal.stddev));
  }
  void operator()(const RandomUniform& uniform) const {
    const double least = static_cast<double>(uniform.minval), half = (static_cast<double>(uniform.maxval) - least) / 2;
    fill_uniform(stream(uniform.seed), half, values_);
    for (float& value : values_) value += static_cast<float>(least + half);
  }
  void operator()(const VarianceScaling& scaling) const {
    const Fan fan = fan_of(shape_);
    const double n = scaling.mode == FanMode::fan_in ? fan.in : scaling.mode == FanMode::fan_out ? fan.out : (fan.in + fan.out) / 2;
    const double variance = static_cast<double>(scaling.scale) / std::max(1.0, n);
    const RandomStream from = stream(scaling.seed);
    switch (scaling.distribution) {
      case Distribution::uniform: return fill_uniform(from, std::sqrt(3 * variance), values_);
      case Distribution::untruncated_normal: return fill_normal(from, values_, 0, std::sqrt(variance));
      case Distribution::truncated_normal: return fill_truncated(from, values_, 0, std::sqrt(variance) / kTruncatedDeviation);
    }
  }
  void operator()(const GlorotUniform& one) const { (*this)(VarianceScaling{1, FanMode::fan_avg, Distribution::uniform, one.seed}); }
  void operator()(const GlorotNormal& one) const {
    (*this)(VarianceScaling{1, FanMode::fan_avg, Distribution::truncated_normal, one.seed});
  }
  void operator()(const HeUniform& one) const { (*this)(VarianceScaling{2, FanMode::fan_in, Distribution::uniform, one.seed}); }
  void operator()(const HeNormal& one) const { (*this)(VarianceScaling{2, FanMode::fan_in, Distribution::truncated_normal, one.seed}); }
  void operator()(const LecunUniform& one) const { (*this)(VarianceScaling{1, FanMode::fan_in, Distribution::uniform, one.seed}); }
  void operator()(const LecunNormal& one) const { (*this)(VarianceScaling{1, FanMode::fan_in, Distribution::truncated_normal, one.seed}); }

 private:
  RandomStream stream(const std::optional<std::uint64_t>& own) const {
    return RandomStream(own.value_or(seed_), RandomPurpose::weights, own ? 0 : id_);
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(fmt::format("the initializer {}, but the shape is {}", what, to_string(shape_)), kUsage);
  }
  void expect_room(double bytes) const {
    const MemoryRoom room = memory_room();
    if (bytes <= room.bytes) return;
    throw Error(
        fmt::format("the initializer Orthogonal needs about {:.1f} GiB of memory for the shape {}; {} ({}). Take another initializer",
                    bytes / (1 << 30), to_string(shape_), room.limit, room.option));
  }

  const Shape& shape_;
  std::uint64_t seed_;
  std::uint32_t id_;
  std::span<float> values_;
};

void Fill::operator()(const Orthogonal& orthogonal) const {
  if (shape_.size() < 2) refuse("Orthogonal needs at least two axes");
  if (values_.empty()) return;
  const auto last = static_cast<std::size_t>(shape_.back()), first = values_.size() / last;
  const std::size_t rows = std::max(first, last), columns = std::min(first, last);
  expect_room(static_cast<double>(values_.size() + columns * kColumns) * sizeof(double));
  std::vector<double> q(values_.size());
  fill_normal(stream(orthogonal.seed), std::span(q), 0, 1);
  make_orthonormal(q.data(), rows, columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c)
      values_[first < last ? c * last + r : r * last + c] = static_cast<float>(static_cast<double>(orthogonal.gain) * q[r * columns + c]);
  }
}

}  // namespace

std::string_view name_of(const Initializer& initializer) { return kind_of(*initializer.kind).name; }

Initializer initializer_from_name(std::string_view name) { return kind_from_name<Initializer>(name); }

void initialize(const Initializer& initializer, const Shape& shape, std::uint64_t seed, std::uint32_t id, std::span<float> values) {
  if (static_cast<std::int64_t>(values.size()) != elements(shape)) {
    throw Error(fmt::format("initializer {}: shape {} has {} elements, but there is room for {}", name_of(initializer), to_string(shape),
                            elements(shape), values.size()));
  }
  std::visit(Fill(shape, seed, id, values), *initializer.kind);
}

}  // namespace lockstep
