// Values: beside the reference, of special numbers, of random and large sizes, on several threads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <thread>

#include <weft/engine/create.hpp>
#include <weft/testing/detail/check.hpp>

namespace weft::testing::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

Inputs whole(Inputs inputs, double n) {
  for (Input& input : inputs)
    if (is_free(input) && !input.domain.is_whole()) input.domain = below(n);
  return inputs;
}

}  // namespace

void Check::same(const Tensors& got, const Arrays& expected, double tolerance, double* worst) const {
  if (got.size() != expected.size())
    fail(std::to_string(got.size()) + " results, expected " + std::to_string(expected.size()));
  for (std::size_t k = 0; k < got.size(); ++k) {
    const Array found = array_of(got[k]);
    require(difference(found, expected[k], tolerance));
    for (std::size_t i = 0; worst != nullptr && i < found.size(); ++i) {
      const double x = found.storage()[i], y = expected[k].storage()[i];
      if (std::isfinite(x) && std::isfinite(y)) *worst = std::max(*worst, std::abs(x - y) / std::max(1.0, std::abs(y)));
    }
  }
}

void Check::compare(const Tensors& inputs, double tolerance, double* worst) {
  at(inputs);
  compare(inputs, row_.reference(arrays_of(inputs)), tolerance, worst);
}

void Check::compare(const Tensors& inputs, const Arrays& expected, double tolerance, double* worst) {
  at(inputs);
  const Arrays before = arrays_of(inputs);
  const auto on_threads = [&](int n) {
    const Threads scope(n);
    return row_.function(inputs);
  };
  const Tensors shared = on_threads(2);
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (!difference(array_of(inputs[k]), before[k], 0).empty()) fail("input " + std::to_string(k) + " was changed");
  const Tensors alone = options_.repeat ? on_threads(1) : shared;
  same(alone, expected, tolerance, worst);
  if (!row_.by_threads.empty()) same(shared, expected, tolerance);
  for (std::size_t k = 0; k < alone.size() && row_.by_threads.empty(); ++k)
    if (!different_bits(alone[k], shared[k]).empty()) fail("other bits on two threads than on one");
}

void Check::values(const Inputs& inputs) {
  compare(make_inputs(inputs, f64, options_.seed), row_.tolerance, &result_.max_error);
  compare(make_inputs(inputs, f32, options_.seed), row_.f32_tolerance, &result_.f32_error);
}

void Check::integers(const Inputs& inputs) {
  for (const DType dtype : {i64, u8}) compare(make_inputs(whole(inputs, 7), dtype, options_.seed), 0);
}

void Check::special_values() {
  if (row_.elementwise) {
    const std::vector<double> special = {not_a_number, infinity, -infinity, 0.0, -0.0, 1.0, -2.0, 0.5, 800.0, -800.0};
    const auto n = static_cast<std::int64_t>(special.size());
    const std::size_t count = row_.cases[0].size();
    Tensors inputs;  // each along an axis of its own: every pair meets
    for (std::size_t k = 0; k < count; ++k) {
      Shape shape(std::vector<std::int64_t>(count, 1));
      shape[static_cast<int>(k)] = n;
      inputs.push_back(tensor(special, shape, f64));
      if (!is_free(row_.cases[0][k])) inputs.back() = make_inputs({row_.cases[0][k]}, f64, options_.seed)[0];
    }
    compare(inputs, 1e-11);
    return;
  }
  for (const double value : {not_a_number, infinity, -infinity}) {
    Tensors inputs = make_inputs(row_.cases[0], f64, options_.seed);
    const auto first =
        std::find_if(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.dtype() == f64 && t.size() > 0; });
    if (first == inputs.end()) return;
    first->mutable_data<double>()[static_cast<std::size_t>(first->size() / 2)] = value;
    compare(inputs, row_.tolerance);
  }
}

// Cases with other sizes, equal ones staying equal. What an op refuses is passed over.
void Check::random_sizes() {
  std::mt19937_64 bits(options_.seed);
  for (const Inputs& inputs : row_.cases) {
    for (int draw = 0; draw < options_.draws; ++draw) {
      std::map<std::int64_t, std::int64_t> sizes = {{0, 0}, {1, 1}};
      Inputs resized = inputs;
      for (Input& input : resized)
        for (std::int64_t& size : input.shape)
          size = sizes.emplace(size, std::uniform_int_distribution<std::int64_t>(1, 9)(bits)).first->second;
      const Tensors tensors = make_inputs(resized, f64, options_.seed + static_cast<std::uint64_t>(draw));
      try {
        row_.function(tensors);
      } catch (const Error&) {
        continue;
      }
      compare(tensors, row_.tolerance);
    }
  }
}

void Check::random_axes() {
  std::mt19937_64 bits(options_.seed);
  for (int draw = 0; draw < options_.draws; ++draw) {
    const CheckResult result =
        check_op(row_.drawn(row_, bits),
                 {.order = 1, .large = false, .draws = 0, .repeat = options_.repeat, .seed = options_.seed});
    if (!result.ok) throw Failure{result.message};
  }
}

void Check::at_once(const Inputs& inputs) {
  const Tensors tensors = drawn(inputs, f64);
  const Tensors weights = weights_of(row_.function(tensors));
  const Result alone = run(tensors, weights);
  std::vector<Result> results(4);
  std::vector<std::thread> threads;
  std::vector<std::string> errors(results.size());
  for (std::size_t k = 0; k < results.size(); ++k)
    threads.emplace_back([&, k] {
      try {
        results[k] = run(tensors, weights);
      } catch (const Error& e) {
        errors[k] = e.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) require(error);
  for (const Result& result : results) same_results(result, alone, "on several threads at once");
}

void Check::mixed_dtypes() {
  Tensors inputs = make_inputs(row_.cases[0], f64, options_.seed);
  at(inputs);
  const auto floating = static_cast<std::size_t>(std::count_if(inputs.begin(), inputs.end(), is_wanted));
  if (floating < 2) return;
  for (Tensor& t : inputs)
    if (is_wanted(t)) {
      t = t.to(f32);
      break;
    }
  try {
    row_.function(inputs);
  } catch (const Error& e) {
    const std::string message = e.what();
    if (message.find('\n') != std::string::npos) fail("the error has several lines");
    if (message.find("f32") == std::string::npos) fail("the error does not name the dtype: " + message);
    return;
  }
  fail("f32 beside f64 was accepted");
}

void Check::large_values() {
  for (const Inputs& inputs : row_.large) {
    const bool fixed = std::none_of(inputs.begin(), inputs.end(), is_free);
    if (options_.repeat || !row_.differentiable || fixed) {  // else what the gradients are of is enough
      const Tensors tensors = drawn(inputs, f64);
      const Arrays expected = row_.reference(arrays_of(tensors));
      compare(tensors, expected, fixed ? 0 : row_.tolerance, &result_.max_error);
      if (!fixed) compare(converted(tensors, f32), expected, row_.f32_tolerance, &result_.f32_error);
    }
    if (fixed || !row_.integers) continue;
    const Tensors small = make_inputs(whole(inputs, 3), f64, options_.seed);
    const Arrays counted = row_.reference(arrays_of(small));
    for (const DType dtype : {i64, u8}) compare(converted(small, dtype), counted, 0, nullptr);
  }
}

}  // namespace weft::testing::detail
