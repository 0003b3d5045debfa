#include <weft/nn/train/detail/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <weft/engine/error.hpp>

namespace weft::detail {
namespace {

std::vector<double> bucket_limits() {
  std::vector<double> limits = {0};
  for (double limit = 1e-12; limit < 1e20; limit *= 1.1) limits.push_back(limit);
  limits.push_back(std::numeric_limits<double>::max());
  const std::size_t count = limits.size();
  for (std::size_t i = 1; i < count; ++i) limits.push_back(-limits[i]);
  std::sort(limits.begin(), limits.end());
  return limits;
}

template <class T>
void add_elements(Histogram& h, std::span<const T> elements) {
  for (const T element : elements) {
    const auto value = static_cast<double>(element);
    const auto bucket = std::upper_bound(h.limits.begin(), h.limits.end() - 1, value) - h.limits.begin();
    h.buckets[static_cast<std::size_t>(bucket)] += 1;
    h.min = std::min(h.min, value);
    h.max = std::max(h.max, value);
    h.sum += value;
    h.sum_of_squares += value * value;
  }
}

template <class T>
std::int64_t count_not_finite(std::span<const T> elements) {
  return std::count_if(elements.begin(), elements.end(), [](T x) { return !std::isfinite(x); });
}

}  // namespace

Histogram histogram_of(const std::string& op, const Tensor& values) {
  if (!values.defined() || values.size() == 0) fail(op, ": got no elements, needs at least one");
  const bool single = values.dtype() == f32;
  if (is_floating(values.dtype())) {
    const std::int64_t bad = single ? count_not_finite(values.data<float>()) : count_not_finite(values.data<double>());
    if (bad > 0) fail(op, ": ", bad, " of ", values.size(), " elements are nan or infinite, needs finite ones");
  }
  static const std::vector<double> limits = bucket_limits();
  Histogram all{.min = std::numeric_limits<double>::infinity(),
                .max = -std::numeric_limits<double>::infinity(),
                .count = static_cast<double>(values.size()),
                .limits = limits,
                .buckets = std::vector<double>(limits.size())};
  switch (values.dtype()) {
    case DType::f32: add_elements(all, values.data<float>()); break;
    case DType::f64: add_elements(all, values.data<double>()); break;
    case DType::i64: add_elements(all, values.data<std::int64_t>()); break;
    case DType::u8: add_elements(all, values.data<std::uint8_t>()); break;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const bool in_empty_row = i + 1 < limits.size() && all.buckets[i] == 0 && all.buckets[i + 1] == 0;
    if (in_empty_row) continue;
    all.limits[kept] = all.limits[i];
    all.buckets[kept++] = all.buckets[i];
  }
  all.limits.resize(kept);
  all.buckets.resize(kept);
  return all;
}

}  // namespace weft::detail
