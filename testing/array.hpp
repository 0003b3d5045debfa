#pragma once
// What an op is compared with: xtensor's arrays of doubles, which share no code with weft's kernels. Users of this
// compile with xtensor.
#include <weft/engine/tensor.hpp>
#include <xtensor/xarray.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace weft::testing {

// The allocator by name: xtensor's default hangs on XTENSOR_USE_XSIMD, with which weft is compiled and its users may
// not.
using Array = xt::xarray<double, xt::layout_type::row_major, std::allocator<double>>;
using Arrays = std::vector<Array>;

/// The values of a tensor of any dtype.
Array array_of(const Tensor& t);
Arrays arrays_of(const Tensors& tensors);
Shape shape_of(const Array& a);
/// Zeros.
Array zeros_of(const Shape& shape);
/// These values, row-major.
Array array_of(const std::vector<double>& values, const Shape& shape);
/// The same values in another shape of as many.
Array reshaped(Array a, const Shape& shape);

/// A position on each axis. As a vector of them, but on the stack: the heap would take most of a reference's time.
class Index {
 public:
  Index() = default;
  explicit Index(std::size_t count) : count_(count) {}
  Index(std::initializer_list<std::int64_t> values) : count_(values.size()) {
    std::copy(values.begin(), values.end(), values_.begin());
  }

  std::size_t size() const { return count_; }
  const std::int64_t* begin() const { return values_.data(); }
  const std::int64_t* end() const { return values_.data() + count_; }
  std::int64_t operator[](std::size_t i) const { return values_[i]; }
  std::int64_t& operator[](std::size_t i) { return values_[i]; }
  std::int64_t& back() { return values_[count_ - 1]; }
  std::int64_t back() const { return values_[count_ - 1]; }
  void push_back(std::int64_t value) { values_.at(count_++) = value; }
  void pop_back() { --count_; }

 private:
  std::size_t count_ = 0;
  std::array<std::int64_t, max_rank + 1> values_{};
};

/// Calls f with every index of a shape, the last axis fastest.
template <class F>
void for_each_index(const Shape& shape, F&& f) {
  Index index(static_cast<std::size_t>(shape.rank()));
  for (std::int64_t left = shape.size(); left > 0; --left) {
    f(static_cast<const Index&>(index));
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      std::int64_t& at = index[static_cast<std::size_t>(axis)];
      if (++at < shape[axis]) break;
      at = 0;
    }
  }
}

/// The value at an index; longer indices and axes of size 1 are broadcast, as xtensor has it.
inline double element(const Array& a, const Index& index) { return a.element(index.begin(), index.end()); }
inline double& element(Array& a, const Index& index) { return a.element(index.begin(), index.end()); }

/// f of every index.
template <class F>
Array indexed(const Shape& shape, F&& f) {
  Array a = zeros_of(shape);
  auto next = a.begin();
  for_each_index(shape, [&](const Index& i) { *next++ = f(i); });
  return a;
}

/// The shape that all of them broadcast to.
Shape broadcast(const Arrays& arrays);

/// Which axes, as flags; none means all.
std::vector<bool> axis_flags(const Axes& axes, int rank);

/// f of the values along the given axes, for every index of the others.
Array reduced(const Array& a, const Axes& axes, bool keepdims,
              const std::function<double(const std::vector<double>&)>& f);

/// Empty if both have the same shape and each value differs by at most tolerance * max(|expected|, s), or both are nan
/// or the same infinity; else where they differ first. s is 1, or less (to 1e-4) if the root mean square of several
/// expected is.
std::string difference(const Array& got, const Array& expected, double tolerance);

}  // namespace weft::testing
