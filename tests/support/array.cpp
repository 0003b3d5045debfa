#include <tests/support/array.hpp>

#include <algorithm>
#include <cmath>

namespace weft::test {

Array::Array(const Tensor& t) : Array(t.shape()) {
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    const auto data = t.data<decltype(zero)>();
    std::transform(data.begin(), data.end(), values.begin(), [](auto x) { return static_cast<double>(x); });
  });
}

Array::Array(const Shape& s, const std::function<double(const Index&)>& f) : Array(s) {
  for_each_index(s, [&](const Index& i) { (*this)(i) = f(i); });
}

std::size_t Array::offset(const Index& index) const {
  std::int64_t at = 0;
  const auto skipped = static_cast<int>(index.size()) - shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis)
    at = at * shape[axis] + (shape[axis] == 1 ? 0 : index[static_cast<std::size_t>(skipped + axis)]);
  return static_cast<std::size_t>(at);
}

void for_each_index(const Shape& shape, const std::function<void(const Index&)>& f) {
  Index index(static_cast<std::size_t>(shape.rank()));
  const std::int64_t size = shape.size();
  for (std::int64_t n = 0; n < size; ++n) {
    std::int64_t rest = n;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      index[static_cast<std::size_t>(axis)] = rest % shape[axis];
      rest /= shape[axis];
    }
    f(index);
  }
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

Array reduced(const Array& a, const Axes& axes, bool keepdims, const std::function<double(std::vector<double>)>& f) {
  const std::vector<bool> gone = axis_flags(axes, a.shape.rank());
  Shape kept, full;
  for (int axis = 0; axis < a.shape.rank(); ++axis) {
    full.append(gone[static_cast<std::size_t>(axis)] ? 1 : a.shape[axis]);
    if (!gone[static_cast<std::size_t>(axis)]) kept.append(a.shape[axis]);
  }
  Array out(full);
  std::vector<std::vector<double>> groups(out.values.size());
  for_each_index(a.shape, [&](const Index& i) {
    Index to = i;
    for (std::size_t axis = 0; axis < to.size(); ++axis)
      if (gone[axis]) to[axis] = 0;
    groups[static_cast<std::size_t>(&out(to) - out.values.data())].push_back(a(i));
  });
  std::transform(groups.begin(), groups.end(), out.values.begin(), f);
  if (!keepdims) out.shape = kept;
  return out;
}

std::string difference(const Array& got, const Array& expected, double tolerance) {
  if (got.shape != expected.shape)
    return "shape " + detail::to_text(got.shape) + ", expected " + detail::to_text(expected.shape);
  for (std::size_t i = 0; i < got.values.size(); ++i) {
    const double x = got.values[i], y = expected.values[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::isfinite(x) && std::isfinite(y) && std::abs(x - y) <= tolerance * std::max(1.0, std::abs(y))) continue;
    return "element " + std::to_string(i) + " is " + detail::to_text(x) + ", expected " + detail::to_text(y);
  }
  return {};
}

}  // namespace weft::test
