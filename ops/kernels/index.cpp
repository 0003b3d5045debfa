#include <weft/ops/kernels/index.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <weft/engine/parallel.hpp>

namespace weft::detail {
namespace {

constexpr std::int64_t elements_per_thread = 1 << 16;

template <class T>
void take_along(const T* x, Collapsed shape, const std::int64_t* index, std::int64_t count, T* y) {
  for (std::int64_t o = 0; o < shape.outer; ++o)
    for (std::int64_t j = 0; j < count; ++j)
      for (std::int64_t i = 0; i < shape.inner; ++i) *y++ = x[(o * shape.axis + *index++) * shape.inner + i];
}

// Single elements: a call of memcpy for each would cost more than the copy.
template <class T>
void select_elements(const T* x, std::int64_t axis, const std::int64_t* index, std::int64_t count, T* y,
                     std::int64_t begin, std::int64_t end) {
  for (std::int64_t o = begin; o < end; ++o)
    for (std::int64_t j = 0; j < count; ++j) y[o * count + j] = x[o * axis + index[j]];
}

template <class F>
void visit_width(int width, F&& f) {
  if (width == 4)
    f(std::uint32_t{});
  else if (width == 8)
    f(std::uint64_t{});
  else
    f(std::uint8_t{});
}

}  // namespace

std::int64_t first_out_of_range(const std::int64_t* index, std::int64_t n, std::int64_t limit) {
  const auto* bad = std::find_if(index, index + n, [limit](std::int64_t i) { return i < 0 || i >= limit; });
  return bad == index + n ? -1 : bad - index;
}

void index_select(const void* x, Collapsed shape, const std::int64_t* index, std::int64_t count, void* y, int width) {
  if (shape.inner == 1) {
    visit_width(width, [&](auto zero) {
      using T = decltype(zero);
      parallel_for(shape.outer, std::max<std::int64_t>(1, elements_per_thread / std::max<std::int64_t>(count, 1)),
                   [&](std::int64_t begin, std::int64_t end) {
                     select_elements(static_cast<const T*>(x), shape.axis, index, count, static_cast<T*>(y), begin,
                                     end);
                   });
    });
    return;
  }
  const std::int64_t bytes = shape.inner * width;
  parallel_for(shape.outer * count,
               std::max<std::int64_t>(1, elements_per_thread / std::max<std::int64_t>(shape.inner, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r)
                   std::memcpy(static_cast<std::byte*>(y) + r * bytes,
                               static_cast<const std::byte*>(x) + (r / count * shape.axis + index[r % count]) * bytes,
                               static_cast<std::size_t>(bytes));
               });
}

template <class T>
void index_add(const T* source, const std::int64_t* index, std::int64_t count, T* y, Collapsed shape) {
  // Rows may repeat, so only the outer axis is split between threads.
  parallel_for(shape.outer,
               std::max<std::int64_t>(1, elements_per_thread / std::max<std::int64_t>(count * shape.inner, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t o = begin; o < end; ++o)
                   for (std::int64_t j = 0; j < count; ++j) {
                     const T* from = source + (o * count + j) * shape.inner;
                     T* to = y + (o * shape.axis + index[j]) * shape.inner;
                     for (std::int64_t i = 0; i < shape.inner; ++i) to[i] += from[i];
                   }
               });
}

void take_along(const void* x, Collapsed shape, const std::int64_t* index, std::int64_t count, void* y, int width) {
  visit_width(width, [&](auto zero) {
    using T = decltype(zero);
    take_along(static_cast<const T*>(x), shape, index, count, static_cast<T*>(y));
  });
}

template <class T>
void scatter_add_along(const T* source, const std::int64_t* index, std::int64_t count, T* y, Collapsed shape) {
  for (std::int64_t o = 0; o < shape.outer; ++o)
    for (std::int64_t j = 0; j < count; ++j)
      for (std::int64_t i = 0; i < shape.inner; ++i) y[(o * shape.axis + *index++) * shape.inner + i] += *source++;
}

template <class T>
void one_hot(const std::int64_t* index, T* y, std::int64_t n, std::int64_t classes) {
  std::fill_n(y, n * classes, T{0});
  for (std::int64_t j = 0; j < n; ++j) y[j * classes + index[j]] = T{1};
}

template void index_add(const float*, const std::int64_t*, std::int64_t, float*, Collapsed);
template void index_add(const double*, const std::int64_t*, std::int64_t, double*, Collapsed);
template void index_add(const std::int64_t*, const std::int64_t*, std::int64_t, std::int64_t*, Collapsed);
template void scatter_add_along(const float*, const std::int64_t*, std::int64_t, float*, Collapsed);
template void scatter_add_along(const double*, const std::int64_t*, std::int64_t, double*, Collapsed);
template void scatter_add_along(const std::int64_t*, const std::int64_t*, std::int64_t, std::int64_t*, Collapsed);
template void one_hot(const std::int64_t*, float*, std::int64_t, std::int64_t);
template void one_hot(const std::int64_t*, double*, std::int64_t, std::int64_t);
template void one_hot(const std::int64_t*, std::int64_t*, std::int64_t, std::int64_t);
template void one_hot(const std::int64_t*, std::uint8_t*, std::int64_t, std::int64_t);

}  // namespace weft::detail
