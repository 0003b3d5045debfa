#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/scan/scan.hpp>
#include <weft/ops/kernels/simd/vector.hpp>

#include <algorithm>

namespace weft::detail {

namespace {

// What runs along: of integers unsigned, which wraps.
template <class T>
using Running = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

// Columns that run side by side.
constexpr std::int64_t strip = 256;

// Calls step(running, at) for each element's place, along the axis from its start or end; `running` starts as `start`
// in every column.
template <class Value, class Step>
void along(Collapsed s, bool backwards, Value start, Step step) {
  if (s.size() == 0) return;
  const std::int64_t strips = (s.inner + strip - 1) / strip, stride = backwards ? -s.inner : s.inner;
  parallel_for(
      s.outer * strips, grain_for(s.axis * std::min(s.inner, strip)), [=](std::int64_t begin, std::int64_t end) {
        Value running[strip];
        for (std::int64_t k = begin; k < end; ++k) {
          const std::int64_t o = k / strips, first = k % strips * strip, width = std::min(strip, s.inner - first);
          std::int64_t at = o * s.axis * s.inner + first + (backwards ? (s.axis - 1) * s.inner : 0);
          if (width == 1) {  // in a register
            Value one = start;
            for (std::int64_t a = 0; a < s.axis; ++a, at += stride) step(one, at);
            continue;
          }
          std::fill_n(running, width, start);
          for (std::int64_t a = 0; a < s.axis; ++a, at += stride) {
            WEFT_INDEPENDENT
            for (std::int64_t i = 0; i < width; ++i) step(running[i], at + i);
          }
        }
      });
}

}  // namespace

template <class T>
void running_sum(const T* x, ScanOf<T>* y, Collapsed shape, bool backwards) {
  along(shape, backwards, Running<T>(0), [=](Running<T>& sum, std::int64_t at) {
    sum += static_cast<Running<T>>(x[at]);
    y[at] = static_cast<ScanOf<T>>(sum);
  });
}

template <class T>
void running_product(const T* x, ScanOf<T>* y, Collapsed shape) {
  along(shape, false, Running<T>(1), [=](Running<T>& product, std::int64_t at) {
    product *= static_cast<Running<T>>(x[at]);
    y[at] = static_cast<ScanOf<T>>(product);
  });
}

template <class T>
void recurrence(const T* b, const T* c, T* y, Collapsed shape, bool backwards) {
  if (backwards) {
    along(shape, true, 0.0, [=](double& carried, std::int64_t at) {
      const double value = static_cast<double>(b[at]) + carried;
      y[at] = static_cast<T>(value);
      carried = static_cast<double>(c[at]) * value;
    });
  } else {
    along(shape, false, 0.0, [=](double& value, std::int64_t at) {
      value = static_cast<double>(b[at]) + static_cast<double>(c[at]) * value;
      y[at] = static_cast<T>(value);
    });
  }
}

template void running_sum(const float*, float*, Collapsed, bool);
template void running_sum(const double*, double*, Collapsed, bool);
template void running_sum(const std::int64_t*, std::int64_t*, Collapsed, bool);
template void running_sum(const std::uint8_t*, std::int64_t*, Collapsed, bool);
template void running_product(const float*, float*, Collapsed);
template void running_product(const double*, double*, Collapsed);
template void running_product(const std::int64_t*, std::int64_t*, Collapsed);
template void running_product(const std::uint8_t*, std::int64_t*, Collapsed);
template void recurrence(const float*, const float*, float*, Collapsed, bool);
template void recurrence(const double*, const double*, double*, Collapsed, bool);

}  // namespace weft::detail
