#pragma once
// The number of threads of a test, and results that must not hang on it.
#include <weft/engine/tensor.hpp>
#include <weft/engine/threads.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace weft::test {

/// Lets tensor operations use n threads for as long as it lives.
class Threads {
 public:
  explicit Threads(int n) : before_(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// Empty if both have the same dtype, shape and bits (or both are undefined); else what differs first.
inline std::string difference_of_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return "only one is defined";
  if (!a.defined()) return {};
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return "dtype or shape";
  std::string text;
  detail::visit_dtype(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto x = a.data<T>(), y = b.data<T>();
    const auto same = [](const T& p, const T& q) { return std::memcmp(&p, &q, sizeof(T)) == 0; };
    const auto at = std::mismatch(x.begin(), x.end(), y.begin(), same);
    if (at.first != x.end())
      text = "element " + std::to_string(at.first - x.begin()) + " is " + std::to_string(*at.first) + " and " +
             std::to_string(*at.second);
  });
  return text;
}

}  // namespace weft::test
