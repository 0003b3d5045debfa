#include <weft/testing/limits.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <map>
#include <mutex>
#include <vector>

#include <weft/engine/detail/xsimd.hpp>

namespace weft::testing {
namespace {

using Clock = std::chrono::steady_clock;

// Kept from being optimised away.
template <class T>
void keep(const T* p) {
  asm volatile("" : : "g"(p) : "memory");
}

// The least seconds that f takes, of runs for about a twentieth of a second.
template <class F>
double fastest(F f) {
  double least = 1e9;
  const auto end = Clock::now() + std::chrono::milliseconds(50);
  do {
    const auto start = Clock::now();
    f();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  } while (Clock::now() < end);
  return least;
}

double measured_stream(std::int64_t bytes) {
  const auto n = std::max<std::size_t>(64, static_cast<std::size_t>(bytes) / (3 * sizeof(float)));
  std::vector<float> a(n, 1.0F), b(n, 2.0F), c(n);
  const std::size_t passes = std::max<std::size_t>(1, (std::size_t{1} << 20U) / n);  // longer than a clock's tick
  const double seconds = fastest([&] {
    for (std::size_t pass = 0; pass < passes; ++pass) {
      for (std::size_t i = 0; i < n; ++i) c[i] = a[i] + b[i];
      keep(c.data());
    }
  });
  return static_cast<double>(passes * n * 3 * sizeof(float)) / seconds;
}

template <class T>
double measured_multiply_add() {
  using Vector = xsimd::batch<T>;
  constexpr int chains = 10, rounds = 20'000;  // so many that no multiplication waits for one before
  const double seconds = fastest([&] {
    Vector sums[chains];
    for (int k = 0; k < chains; ++k) sums[k] = Vector(static_cast<T>(k));
    const Vector factor(static_cast<T>(0.999)), term(static_cast<T>(0.001));
    for (int round = 0; round < rounds; ++round)
      for (Vector& sum : sums) sum = xsimd::fma(sum, factor, term);
    for (const Vector& sum : sums) keep(&sum);
  });
  return 2.0 * chains * rounds * static_cast<double>(Vector::size) / seconds;
}

}  // namespace

double stream_rate(std::int64_t bytes) {
  static std::map<int, double> rates;
  static std::mutex lock;
  const auto power =
      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 1 << 10)) - 1));
  const std::lock_guard<std::mutex> hold(lock);
  const auto [rate, is_new] = rates.try_emplace(power);
  if (is_new) rate->second = measured_stream(std::int64_t{1} << std::min(power, 28));
  return rate->second;
}

double multiply_add_rate(DType dtype) {
  if (dtype == f64) {
    static const double rate = measured_multiply_add<double>();
    return rate;
  }
  static const double rate = measured_multiply_add<float>();
  return rate;
}

double least_seconds(double operations, std::int64_t bytes, DType dtype) {
  return std::max(operations / multiply_add_rate(dtype), static_cast<double>(bytes) / stream_rate(bytes));
}

}  // namespace weft::testing
