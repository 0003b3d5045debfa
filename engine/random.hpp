#pragma once
// Random numbers: counter-based, so that draws are the same whatever the number of threads.
#include <weft/engine/tensor.hpp>

#include <atomic>

namespace weft {

/// All there is to a generator: save it, and the draws that follow can be repeated.
struct GeneratorState {
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;  ///< blocks of 128 random bits used so far
  bool operator==(const GeneratorState&) const = default;
};

/// A stream of random bits: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// Every draw takes a range of the counter atomically, so threads may share a generator and never get the same numbers.
class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0) : seed_(seed) {}
  Generator(const Generator& other) { set_state(other.state()); }
  Generator& operator=(const Generator& other) {
    set_state(other.state());
    return *this;
  }

  GeneratorState state() const { return {seed_.load(), offset_.load()}; }
  void set_state(const GeneratorState& state) {
    seed_ = state.seed;
    offset_ = state.offset;
  }

  /// Internal: takes `blocks` blocks and returns where they begin. During a recomputation (see checkpoint) it returns
  /// what was taken the first time instead.
  GeneratorState take(std::uint64_t blocks);

 private:
  std::atomic<std::uint64_t> seed_{0}, offset_{0};
};

/// The generator that draws use unless given another; its seed is 0 at the start of the program.
Generator& default_generator();

/// Starts the default generator's stream anew.
void manual_seed(std::uint64_t seed);

/// Uniform in [0, 1), f32 or f64.
Tensor rand(const Shape& shape, DType dtype = f32, Generator& generator = default_generator());
/// Normal with mean 0 and variance 1 (Box and Muller's method), f32 or f64.
Tensor randn(const Shape& shape, DType dtype = f32, Generator& generator = default_generator());
/// The same shape and dtype as t.
Tensor rand_like(const Tensor& t, Generator& generator = default_generator());
Tensor randn_like(const Tensor& t, Generator& generator = default_generator());
/// Integers low <= i < high, equally likely, in any dtype. Throws Error unless low < high and the dtype can hold both
/// low and high - 1.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, DType dtype = i64,
               Generator& generator = default_generator());
/// 1 with probability p, else 0, in any dtype.
Tensor bernoulli(const Shape& shape, double p, DType dtype = f32, Generator& generator = default_generator());
/// 1 with each element's own probability, else 0; shape and dtype of `probabilities` (f32 or f64).
Tensor bernoulli(const Tensor& probabilities, Generator& generator = default_generator());
/// 0, 1, ... n - 1 in random order.
Tensor randperm(std::int64_t n, DType dtype = i64, Generator& generator = default_generator());

namespace detail {

/// Which ranges a piece of code drew, in order.
struct Draws {
  struct Range {
    GeneratorState begin;
    std::uint64_t blocks;
  };
  std::vector<Range> ranges;
};

/// While it lives, this thread's draws are noted in `draws`, or, to repeat them, come from there. Scopes nest.
class DrawScope {
 public:
  enum class Mode { note, repeat };
  DrawScope(Draws& draws, Mode mode);
  ~DrawScope();
  DrawScope(const DrawScope&) = delete;
  DrawScope& operator=(const DrawScope&) = delete;

 private:
  friend class weft::Generator;
  Draws& draws_;
  Mode mode_;
  std::size_t next_ = 0;
  DrawScope* outer_;
};

}  // namespace detail
}  // namespace weft
