#pragma once
// Memory for the length of a kernel.
#include <weft/engine/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

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

/// What a part of a parallel loop writes to, until it is destroyed; then the same part of the calling thread's next
/// loop gets it, unless it is large.
class PartMemory {
 public:
  PartMemory(std::size_t part, std::size_t bytes);
  ~PartMemory();
  PartMemory(PartMemory&& other) noexcept
      : part_(other.part_), bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  PartMemory& operator=(PartMemory&&) = delete;
  void* data() const { return data_; }

 private:
  std::size_t part_, bytes_;
  void* data_;
};

/// Scratch of its own, of `count` values, for each part of a parallel loop. A part finds what the same part of the last
/// loop wrote, and so what is still in its core's cache: of memory that another core wrote last, every line has to be
/// fetched before it can be written.
template <class T>
class ScratchOfParts {
 public:
  ScratchOfParts(std::int64_t parts, std::int64_t count) {
    memory_.reserve(static_cast<std::size_t>(parts));
    for (std::int64_t part = 0; part < parts; ++part)
      memory_.emplace_back(static_cast<std::size_t>(part), static_cast<std::size_t>(count) * sizeof(T));
  }
  T* operator[](std::int64_t part) const { return static_cast<T*>(memory_[static_cast<std::size_t>(part)].data()); }

 private:
  std::vector<PartMemory> memory_;
};

}  // namespace weft::detail
