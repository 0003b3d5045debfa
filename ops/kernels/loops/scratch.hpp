#pragma once
// Memory for the length of a kernel.
#include <weft/engine/memory.hpp>

#include <cstdint>

namespace weft::detail {

/// `count` values, not initialised, 64-byte aligned. To be made outside of parallel loops, which must not throw.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)), data_(static_cast<T*>(allocate_block(bytes_))) {}
  ~Scratch() { free_block(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace weft::detail
