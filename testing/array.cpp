#include <weft/testing/array.hpp>

#include <algorithm>
#include <cmath>

namespace weft::testing {

Array::Array(const Tensor& t) : Array(t.shape()) {
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    const auto data = t.data<decltype(zero)>();
    std::transform(data.begin(), data.end(), values.begin(), [](auto x) { return static_cast<double>(x); });
  });
}

Shape broadcast(const Arrays& arrays) {
  Shape shape;
  for (const Array& a : arrays) shape = detail::broadcast_shapes("test", shape, a.shape);
  return shape;
}

std::vector<bool> axis_flags(const Axes& axes, int rank) {
  std::vector<bool> flags(static_cast<std::size_t>(rank), axes.count() == 0);
  for (const std::int64_t axis : axes) flags[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = true;
  return flags;
}

Array reduced(const Array& a, const Axes& axes, bool keepdims,
              const std::function<double(const std::vector<double>&)>& f) {
  const std::vector<bool> gone = axis_flags(axes, a.shape.rank());
  Shape kept, full;
  for (int axis = 0; axis < a.shape.rank(); ++axis) {
    full.append(gone[static_cast<std::size_t>(axis)] ? 1 : a.shape[axis]);
    if (!gone[static_cast<std::size_t>(axis)]) kept.append(a.shape[axis]);
  }
  Array out(full);
  std::vector<std::vector<double>> groups(out.values.size());
  for_each_index(a.shape, [&](const Index& i) { groups[out.offset(i)].push_back(a(i)); });
  std::transform(groups.begin(), groups.end(), out.values.begin(), f);
  if (!keepdims) out.shape = kept;
  return out;
}

std::string difference(const Array& got, const Array& expected, double tolerance) {
  if (got.shape != expected.shape)
    return "shape " + detail::to_text(got.shape) + ", expected " + detail::to_text(expected.shape);
  double least = 1;
  if (expected.size() > 1) {
    double squares = 0;
    for (const double y : expected.values) squares += std::isfinite(y) ? y * y : 0;
    least = std::clamp(std::sqrt(squares / static_cast<double>(expected.size())), 1e-4, 1.0);  // not of rounding alone
  }
  for (std::size_t i = 0; i < got.values.size(); ++i) {
    const double x = got.values[i], y = expected.values[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::isfinite(x) && std::isfinite(y) && std::abs(x - y) <= tolerance * std::max(least, std::abs(y))) continue;
    return "element " + std::to_string(i) + " is " + detail::to_text(x) + ", expected " + detail::to_text(y);
  }
  return {};
}

}  // namespace weft::testing
