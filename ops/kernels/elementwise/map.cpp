#include <weft/ops/kernels/elementwise/map.hpp>

namespace weft::detail {

template <class T, std::size_t N>
void Broadcast<T, N>::for_rows(FunctionRef<std::int64_t, T*, const Pointers&, const Steps&> row) const {
  const BroadcastRows<static_cast<int>(N)> loop(shape, shapes);
  if (loop.rows.count() > 1 && loop.inner.size < short_row) {
    Steps steps;
    steps.fill(1);
    const auto flat = [&](std::int64_t at, std::int64_t n, auto*... from) { row(n, out + at, {from...}, steps); };
    std::apply([&](auto*... from) { for_short_rows(loop, flat, from...); }, in);
    return;
  }
  for_rows_in_parallel(loop, [&](std::int64_t at, const std::int64_t* offsets, std::int64_t n) {
    Pointers from;
    for (std::size_t k = 0; k < N; ++k) from[k] = in[k] + offsets[k];
    row(n, out + at, from, loop.inner.step);
  });
}

template struct Broadcast<float, 2>;
template struct Broadcast<float, 3>;
template struct Broadcast<float, 4>;
template struct Broadcast<float, 5>;
template struct Broadcast<double, 2>;
template struct Broadcast<double, 3>;
template struct Broadcast<double, 4>;
template struct Broadcast<double, 5>;

}  // namespace weft::detail
