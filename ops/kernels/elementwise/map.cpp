#include <weft/ops/kernels/elementwise/map.hpp>

namespace weft::detail {

template <class T, std::size_t N>
void Broadcast<T, N>::for_runs(
    FunctionRef<const RowRun<static_cast<int>(N)>&, const Pointers&, const Steps&> rows) const {
  const BroadcastRows<static_cast<int>(N)> loop(shape, shapes);
  if (loop.rows.count() > 1 && loop.inner.size < short_row) {
    Steps steps;
    steps.fill(1);
    const auto flat = [&](std::int64_t at, std::int64_t n, auto*... from) {
      rows({at, 1, n, {}, {}}, {from...}, steps);
    };
    std::apply([&](auto*... from) { for_short_rows(loop, flat, from...); }, in);
    return;
  }
  for_runs_in_parallel(loop, [&](const auto& run) { rows(run, in, loop.inner.step); });
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
