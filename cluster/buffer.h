#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace lockstep {

/// Floats on a 64-byte boundary, zeroed, moved not copied; or a view of memory that another owns and that outlives it.
class Buffer {
 public:
  Buffer() = default;
  static Buffer over(std::span<float> memory) {
    Buffer view;
    view.values_ = std::unique_ptr<float[], Free>(memory.data(), Free(false));
    view.count_ = static_cast<std::int64_t>(memory.size());
    return view;
  }
  explicit Buffer(std::int64_t count)
      : values_(count > 0 ? new (std::align_val_t{64}) float[static_cast<std::size_t>(count)]() : nullptr), count_(count) {}

  float* data() { return values_.get(); }
  const float* data() const { return values_.get(); }
  std::int64_t size() const { return count_; }
  std::span<float> span() { return {values_.get(), static_cast<std::size_t>(count_)}; }
  std::span<const float> span() const { return {values_.get(), static_cast<std::size_t>(count_)}; }

 private:
  struct Free {
    Free() : owned(true) {}
    explicit Free(bool owns) : owned(owns) {}
    bool owned;
    void operator()(float* values) const {
      if (owned) ::operator delete[](values, std::align_val_t{64});
    }
  };
  std::unique_ptr<float[], Free> values_;
  std::int64_t count_ = 0;
};

}  // namespace lockstep
