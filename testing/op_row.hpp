#pragma once
// An op as a row of a table: how to call it, what it should give, and on what it is tried. check_op and bench_op need
// nothing else.
#include <weft/testing/array.hpp>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace weft::testing {

/// How an input's values are drawn.
struct Domain {
  enum Kind { normal, uniform, grid, integers, rare } kind = normal;
  double low = 0, high = 1;
  double chance = 0;  // rare: of `high` instead of `low`
  bool is_whole() const { return kind == integers || kind == rare; }
};

inline constexpr Domain any = {};
inline constexpr Domain positive = {Domain::uniform, 0.2, 3};
inline constexpr Domain fraction = {Domain::uniform, 0.1, 0.9};
/// Multiples of 0.1 off zero and off the other inputs', none twice: away from the kinks of max, abs and the like.
inline constexpr Domain apart = {Domain::grid};
inline constexpr Domain below(double n) { return {Domain::integers, 0, n}; }
inline constexpr Domain mostly(double usual, double other, double chance) {
  return {Domain::rare, usual, other, chance};
}

struct Input {
  Shape shape;
  Domain domain = any;
  DType dtype = f64;  ///< f64: the floating dtype that a check asks for
};
using Inputs = std::vector<Input>;

/// How many elements some large set of inputs must have at least: kernels cut longer work for a second thread.
inline constexpr std::int64_t large_size = 1 << 16;

/// One op, or one way to call it. Name, function, reference and cases are enough to check it:
///   OpRow row{.name = "cube", .function = one([](const Tensors& in) { return apply<Cube>(in[0]); }),
///             .cases = unary_cases(), .reference = naive(...)};
struct OpRow {
  std::string name;          ///< as declared
  std::string variant = {};  ///< what tells rows of one name apart
  std::function<Tensors(const Tensors&)> function = {};
  std::vector<Inputs> cases = {};  ///< sets of inputs, an empty and a one-element one among them
  std::vector<Inputs> large = {};  ///< just beyond what kernels do at a time, with odd sizes; one of large_size or more
  std::function<Arrays(const Arrays&)> reference = {};  ///< the results in double, by other means
  double tolerance = 1e-12;                             ///< of f64 values
  double f32_tolerance = 2e-5;                          ///< of f32 values and gradients beside f64's
  bool differentiable = true;
  bool elementwise = false;     ///< any pair of special values may be tried
  bool integers = false;        ///< floating inputs may also be i64 and u8
  bool non_finite = true;       ///< nan and infinity come out as the reference says
  std::string no_empty = {};    ///< why there is no empty case
  std::string no_single = {};   ///< why there is no one-element case
  std::string no_large = {};    ///< why there is nothing large
  std::string by_threads = {};  ///< why the last digits hang on the number of threads
  /// The row with the op along other axes, on one case of other ranks.
  std::function<OpRow(OpRow row, std::mt19937_64& bits)> drawn = {};
  std::function<Inputs(std::int64_t n)> sized = {};  ///< inputs of the benchmark, about n elements; none: no benchmark
  std::function<double(std::int64_t n)> flops = {};  ///< of the forward pass; none: measured in bytes

  /// The forward work of the benchmark's f32 inputs as a plain loop or a call of BLAS, into an array of the result's
  /// size.
  std::function<void(const Tensors& inputs, float* out)> raw = {};

  std::string title() const { return variant.empty() ? name : name + " (" + variant + ")"; }
};

/// Values for the inputs, the same for f32 and f64 (all are f32 numbers), drawn from the seed.
Tensors make_inputs(const Inputs& inputs, DType floating = f64, std::uint64_t seed = 1);
bool has_empty(const Inputs& inputs);
std::int64_t size_of(const Inputs& inputs);

// What rows are made of.

/// A function of tensors with one result, as a row wants it.
template <class F>
std::function<Tensors(const Tensors&)> one(F f) {
  return [f](const Tensors& in) { return Tensors{f(in)}; };
}
/// A reference with one result.
template <class F>
std::function<Arrays(const Arrays&)> naive(F f) {
  return [f](const Arrays& in) { return Arrays{f(in)}; };
}
/// The shapes every elementwise op of one operand is tried on, and of two, with broadcasting.
std::vector<Inputs> unary_cases(const Domain& domain = any);
std::vector<Inputs> binary_cases(const Domain& a = any, const Domain& b = any);
/// The same beyond the kernels' blocks and threads' shares, with rows around the lengths at which loops change.
std::vector<Inputs> unary_large(const Domain& domain = any);
std::vector<Inputs> binary_large(const Domain& a = any, const Domain& b = any);
/// A benchmark's operands: `count` vectors of n elements, or a square matrix.
std::function<Inputs(std::int64_t)> vectors(int count, const Domain& domain = any);
std::function<Inputs(std::int64_t)> square_matrix(const Domain& domain = any);

}  // namespace weft::testing
