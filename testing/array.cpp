#include <weft/testing/array.hpp>

#include <cmath>

#include <weft/engine/error.hpp>

namespace weft::testing {

Array array_of(const Tensor& t) {
  Array a = zeros_of(t.shape());
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    const auto data = t.data<decltype(zero)>();
    std::transform(data.begin(), data.end(), a.begin(), [](auto x) { return static_cast<double>(x); });
  });
  return a;
}

Arrays arrays_of(const Tensors& tensors) {
  Arrays arrays;
  for (const Tensor& t : tensors) arrays.push_back(array_of(t));
  return arrays;
}

Shape shape_of(const Array& a) { return Shape(std::vector<std::size_t>(a.shape().begin(), a.shape().end())); }

Array zeros_of(const Shape& shape) { return Array(std::vector<std::size_t>(shape.begin(), shape.end()), 0.0); }

Array array_of(const std::vector<double>& values, const Shape& shape) {
  Array a = zeros_of(shape);
  std::copy(values.begin(), values.end(), a.begin());
  return a;
}

Array reshaped(Array a, const Shape& shape) {
  a.reshape(std::vector<std::size_t>(shape.begin(), shape.end()));
  return a;
}

Shape broadcast(const Arrays& arrays) {
  Shape shape;
  for (const Array& a : arrays) shape = detail::broadcast_shapes("test", shape, shape_of(a));
  return shape;
}

std::vector<bool> axis_flags(const Axes& axes, int rank) {
  std::vector<bool> flags(static_cast<std::size_t>(rank), axes.count() == 0);
  for (const std::int64_t axis : axes) flags[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = true;
  return flags;
}

Array reduced(const Array& a, const Axes& axes, bool keepdims,
              const std::function<double(const std::vector<double>&)>& f) {
  const Shape shape = shape_of(a);
  const std::vector<bool> gone = axis_flags(axes, shape.rank());
  Shape kept, full;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    full.append(gone[static_cast<std::size_t>(axis)] ? 1 : shape[axis]);
    if (!gone[static_cast<std::size_t>(axis)]) kept.append(shape[axis]);
  }
  // Each value goes to the group at its index, in which axes that go have size 1.
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(full.size()));
  Array place = zeros_of(full);
  std::size_t next = 0;
  for (double& p : place) p = static_cast<double>(next++);
  for_each_index(shape,
                 [&](const Index& i) { groups[static_cast<std::size_t>(element(place, i))].push_back(element(a, i)); });
  std::transform(groups.begin(), groups.end(), place.begin(), f);
  return reshaped(place, keepdims ? full : kept);
}

std::string difference(const Array& got, const Array& expected, double tolerance) {
  if (shape_of(got) != shape_of(expected))
    return "shape " + detail::to_text(shape_of(got)) + ", expected " + detail::to_text(shape_of(expected));
  double least = 1;
  if (expected.size() > 1) {
    double squares = 0;
    for (const double y : expected) squares += std::isfinite(y) ? y * y : 0;
    least = std::clamp(std::sqrt(squares / static_cast<double>(expected.size())), 1e-4, 1.0);  // not of rounding alone
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double x = got.storage()[i], y = expected.storage()[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::isfinite(x) && std::isfinite(y) && std::abs(x - y) <= tolerance * std::max(least, std::abs(y))) continue;
    return "element " + std::to_string(i) + " is " + detail::to_text(x) + ", expected " + detail::to_text(y);
  }
  return {};
}

}  // namespace weft::testing
