#include <weft/engine/create.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <weft/engine/detail/number.hpp>

namespace weft {
namespace detail {
namespace {

void check_count(const char* op, std::size_t count, const Shape& shape) {
  if (static_cast<std::int64_t>(count) != checked_size(op, shape, 1))
    fail(op, ": got ", count, " values for shape ", shape, ", needs ", shape.size());
}

template <class From>
Tensor converted_tensor(std::span<const From> values, Shape shape, DType dtype) {
  const auto count = static_cast<std::int64_t>(values.size());
  if (!fill_open_size("tensor", shape, count, size_of(dtype))) {
    const bool open = std::find(shape.begin(), shape.end(), -1) != shape.end();
    fail("tensor: got ", count, " values for shape ", shape, ", needs ",
         open ? "as many as its other sizes divide" : std::to_string(shape.size()));
  }
  Tensor result = make_tensor("tensor", shape, dtype);
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    std::transform(values.begin(), values.end(), mutable_data_of<T>(result),
                   [](From value) { return to_element<T>("tensor", value); });
  });
  return result;
}

Tensor filled(const char* op, const Shape& shape, double value, DType dtype) {
  return visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T element = to_element<T>(op, value);
    Tensor result = make_tensor(op, shape, dtype);
    std::fill_n(mutable_data_of<T>(result), result.size(), element);
    return result;
  });
}

template <class T>
Tensor copied(std::span<const T> values, const Shape& shape) {
  check_count("from_buffer", values.size(), shape);
  Tensor result = make_tensor("from_buffer", shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), mutable_data_of<T>(result));
  return result;
}

// Element i is start + i * step, computed in double.
Tensor sequence(const char* op, double start, double step, std::int64_t count, DType dtype) {
  Tensor result = make_tensor(op, {count}, dtype);
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = mutable_data_of<T>(result);
    for (std::int64_t i = 0; i < count; ++i) out[i] = to_element<T>(op, start + static_cast<double>(i) * step);
  });
  return result;
}

}  // namespace

Tensor tensor_of(std::span<const double> values, Shape shape, DType dtype) {
  return converted_tensor(values, shape, dtype);
}
Tensor tensor_of(std::span<const std::int64_t> values, Shape shape, DType dtype) {
  return converted_tensor(values, shape, dtype);
}

// The numbers of nested lists in a row, and the shape that the lists have.
class Flattened {
 public:
  explicit Flattened(std::initializer_list<Nested> values) { add(values, 0); }

  Tensor tensor(DType dtype) const {
    if (!all_whole_) return tensor_of(std::span<const double>(reals_), shape_, dtype);
    return tensor_of(std::span<const std::int64_t>(wholes_), shape_, dtype);
  }

 private:
  void add(std::initializer_list<Nested> values, int depth) {
    const auto count = static_cast<std::int64_t>(values.size());
    if (depth == shape_.rank() && !complete_) shape_.append(count);
    if (depth >= shape_.rank() || shape_[depth] != count) uneven(depth);
    for (const Nested& value : values) {
      if (value.is_list_) {
        add(value.list_, depth + 1);
        continue;
      }
      complete_ = true;  // no list is deeper than the first number
      if (depth + 1 != shape_.rank()) uneven(depth);
      all_whole_ = all_whole_ && value.is_whole_;
      wholes_.push_back(value.whole_);
      reals_.push_back(value.is_whole_ ? static_cast<double>(value.whole_) : value.real_);
    }
  }
  [[noreturn]] static void uneven(int depth) {
    fail("tensor: got lists of different sizes or depths along axis ", depth, ", needs the same everywhere");
  }

  Shape shape_;
  bool complete_ = false, all_whole_ = true;
  std::vector<double> reals_;
  std::vector<std::int64_t> wholes_;
};

Tensor nested_tensor(std::initializer_list<Nested> values, DType dtype) { return Flattened(values).tensor(dtype); }

}  // namespace detail

Tensor scalar(double value, DType dtype) { return detail::filled("scalar", {}, value, dtype); }

Tensor zeros(const Shape& shape, DType dtype) {
  Tensor result = detail::make_tensor("zeros", shape, dtype);
  std::memset(result.impl()->storage->data(), 0, static_cast<std::size_t>(result.size()) * size_of(dtype));
  return result;
}
Tensor ones(const Shape& shape, DType dtype) { return detail::filled("ones", shape, 1.0, dtype); }
Tensor full(const Shape& shape, double value, DType dtype) { return detail::filled("full", shape, value, dtype); }
Tensor empty(const Shape& shape, DType dtype) { return detail::make_tensor("empty", shape, dtype); }

Tensor zeros_like(const Tensor& t) { return zeros(t.shape(), t.dtype()); }
Tensor ones_like(const Tensor& t) { return ones(t.shape(), t.dtype()); }
Tensor full_like(const Tensor& t, double value) { return full(t.shape(), value, t.dtype()); }
Tensor empty_like(const Tensor& t) { return empty(t.shape(), t.dtype()); }

Tensor arange(double start, double stop, double step, DType dtype) {
  const double count = std::ceil((stop - start) / step);
  // Also false for nan, and for a step of zero.
  if (!(count >= 0.0 && count < 0x1p62))
    fail("arange: got start ", start, ", stop ", stop, ", step ", step, ", needs a step that leads from start to stop");
  return detail::sequence("arange", start, step, static_cast<std::int64_t>(count), dtype);
}
Tensor arange(double stop, DType dtype) { return arange(0.0, stop, 1.0, dtype); }

Tensor linspace(double start, double stop, std::int64_t count, DType dtype) {
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0.0;
  Tensor result = detail::sequence("linspace", start, step, count, dtype);
  if (count > 1)  // the end itself, without the rounding of the steps
    detail::visit_dtype(dtype, [&](auto zero) {
      using T = decltype(zero);
      detail::mutable_data_of<T>(result)[count - 1] = detail::to_element<T>("linspace", stop);
    });
  return result;
}

Tensor eye(std::int64_t rows, std::int64_t columns, DType dtype) {
  if (rows < 0 || columns < 0) fail("eye: got ", rows, " rows and ", columns, " columns, needs sizes of at least 0");
  Tensor result = zeros({rows, columns}, dtype);
  detail::visit_dtype(dtype, [&](auto zero) {
    auto* out = detail::mutable_data_of<decltype(zero)>(result);
    for (std::int64_t i = 0; i < std::min(rows, columns); ++i) out[i * columns + i] = 1;
  });
  return result;
}
Tensor eye(std::int64_t n, DType dtype) { return eye(n, n, dtype); }

Tensor from_buffer(std::span<const float> values, const Shape& shape) { return detail::copied(values, shape); }
Tensor from_buffer(std::span<const double> values, const Shape& shape) { return detail::copied(values, shape); }
Tensor from_buffer(std::span<const std::int64_t> values, const Shape& shape) { return detail::copied(values, shape); }
Tensor from_buffer(std::span<const std::uint8_t> values, const Shape& shape) { return detail::copied(values, shape); }

Tensor parameter(Tensor t) {
  detail::check_floating("parameter", t);
  Tensor result;
  if (detail::uniquely_held(t)) {
    result = detail::alias(t, t.shape());
  } else {
    result = detail::make_tensor("parameter", t.shape(), t.dtype());
    std::memcpy(result.impl()->storage->data(), t.impl()->storage->data(),
                static_cast<std::size_t>(t.size()) * size_of(t.dtype()));
  }
  const std::string name = t.name();
  if (!name.empty()) result.set_name(name);
  result.set_requires_grad(true);
  return result;
}

}  // namespace weft
