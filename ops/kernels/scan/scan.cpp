#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/scan/scan.hpp>
#include <weft/ops/kernels/simd/vector.hpp>

#include <algorithm>

namespace weft::detail {

namespace {

// What runs along: of integers unsigned, which wraps.
template <class T>
using ScannedIn = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

// Columns that run side by side, and rows.
constexpr std::int64_t scan_strip = 256, abreast = 8;

// Calls step(running, at) for each element's place, along the axis from its start or end; `running` starts as `start`
// in every column.
template <class Value, class Step>
void along(Collapsed s, bool backwards, Value start, Step step) {
  if (s.size() == 0) return;
  // Rows are taken several at a time too, since each step waits for the one before it.
  const std::int64_t rows = s.inner == 1 ? abreast : 1, width = s.inner == 1 ? 1 : scan_strip;
  const std::int64_t groups = (s.outer + rows - 1) / rows, strips = (s.inner + width - 1) / width;
  const std::int64_t stride = backwards ? -s.inner : s.inner, last = backwards ? (s.axis - 1) * s.inner : 0;
  parallel_for(
      groups * strips, grain_for(s.axis * rows * std::min(s.inner, width)), [=](std::int64_t begin, std::int64_t end) {
        Value running[scan_strip];
        for (std::int64_t k = begin; k < end; ++k) {
          const std::int64_t o = k / strips * rows, first = k % strips * width;
          const std::int64_t count = s.inner == 1 ? std::min(rows, s.outer - o) : std::min(width, s.inner - first);
          std::int64_t at = o * s.axis * s.inner + first + last;
          std::fill_n(running, count, start);
          if (s.inner > 1) {
            for (std::int64_t a = 0; a < s.axis; ++a, at += stride) {
              WEFT_INDEPENDENT
              for (std::int64_t i = 0; i < count; ++i) step(running[i], at + i);
            }
          } else if (count == abreast) {  // a number that the compiler knows: in registers
            for (std::int64_t a = 0; a < s.axis; ++a, at += stride)
              for (std::int64_t i = 0; i < abreast; ++i) step(running[i], at + i * s.axis);
          } else {
            for (std::int64_t i = 0; i < count; ++i) {
              Value one = start;
              for (std::int64_t a = 0; a < s.axis; ++a) step(one, at + i * s.axis + a * stride);
            }
          }
        }
      });
}

}  // namespace

template <class T>
void running_sum(const T* x, ScanOf<T>* y, Collapsed shape, bool backwards) {
  along(shape, backwards, ScannedIn<T>(0), [=](ScannedIn<T>& sum, std::int64_t at) {
    sum += static_cast<ScannedIn<T>>(x[at]);
    y[at] = static_cast<ScanOf<T>>(sum);
  });
}

template <class T>
void running_product(const T* x, ScanOf<T>* y, Collapsed shape) {
  along(shape, false, ScannedIn<T>(1), [=](ScannedIn<T>& product, std::int64_t at) {
    product *= static_cast<ScannedIn<T>>(x[at]);
    y[at] = static_cast<ScanOf<T>>(product);
  });
}

template <class T>
void product_before(const T* x, T* y, Collapsed shape, bool backwards) {
  along(shape, backwards, 1.0, [=](double& product, std::int64_t at) {
    y[at] = static_cast<T>(product);
    product *= static_cast<double>(x[at]);
  });
}

template <class T>
void recurrence(const T* b, const T* c, T* y, Collapsed shape, bool backwards, bool own) {
  if (own) {
    along(shape, backwards, 0.0, [=](double& value, std::int64_t at) {
      value = static_cast<double>(b[at]) + static_cast<double>(c[at]) * value;
      y[at] = static_cast<T>(value);
    });
  } else {
    along(shape, backwards, 0.0, [=](double& carried, std::int64_t at) {
      const double value = static_cast<double>(b[at]) + carried;
      y[at] = static_cast<T>(value);
      carried = static_cast<double>(c[at]) * value;
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
template void product_before(const float*, float*, Collapsed, bool);
template void product_before(const double*, double*, Collapsed, bool);
template void recurrence(const float*, const float*, float*, Collapsed, bool, bool);
template void recurrence(const double*, const double*, double*, Collapsed, bool, bool);

}  // namespace weft::detail
