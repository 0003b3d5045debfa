#include <weft/engine/shape.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

#include <weft/engine/dtype.hpp>
#include <weft/engine/error.hpp>

namespace weft::detail {

std::string to_text(DType dtype) { return name_of(dtype); }

std::string to_text(double value) {
  if (value != value) return "nan";  // without a sign, which says nothing
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

IntList::IntList(const std::int64_t* values, std::size_t count) {
  if (count > max_rank) too_many(count);
  count_ = static_cast<int>(count);
  std::copy_n(values, count, values_);
}

void IntList::too_many(std::size_t count) { fail("shape: got ", count, " axes, needs at most ", max_rank); }

int IntList::place_from_end(int i) const {
  if (i < -count_ || i >= count_)
    fail("shape: got index ", i, " for ", to_text(*this), ", needs ", -count_, " <= index < ", count_);
  return i + count_;
}

void IntList::insert(int at, std::int64_t value) {
  if (count_ == max_rank) fail("shape: got ", max_rank + 1, " axes, needs at most ", max_rank);
  std::copy_backward(values_ + at, values_ + count_, values_ + count_ + 1);
  values_[at] = value;
  ++count_;
}

void IntList::erase(int at) {
  std::copy(values_ + at + 1, values_ + count_, values_ + at);
  --count_;
}

std::string to_text(const IntList& list) {
  std::string text = "{";
  for (std::int64_t value : list) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(value);
  }
  return text + "}";
}

bool fill_open_size(const char* op, Shape& shape, std::int64_t elements, std::size_t item) {
  int open = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != -1) continue;
    if (open >= 0) fail(op, ": got ", shape, ", needs at most one -1");
    open = i;
  }
  if (open < 0) return checked_size(op, shape, item) == elements;
  Shape full = shape;
  full[open] = 1;
  const std::int64_t rest = checked_size(op, full, item);
  if (rest == 0 || elements % rest != 0) return false;
  shape[open] = elements / rest;
  return true;
}

namespace {

[[noreturn]] void refuse_size(const char* op, const Shape& shape) {
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t d) { return d < 0; }))
    fail(op, ": got shape ", shape, ", needs sizes of at least 0");
  fail(op, ": shape ", shape, " is too large, needs at most 2^62 bytes");
}

}  // namespace

std::int64_t checked_size(const char* op, const Shape& shape, std::size_t item) {
  bool bad = false, empty = false;
  std::int64_t size = 1, bytes = 0;
  for (const std::int64_t d : shape) {
    bad |= d < 0;
    empty |= d == 0;
    // A zero further on makes the tensor empty, but the product so far must still be a number.
    bad |= __builtin_mul_overflow(size, d + std::int64_t{d == 0}, &size);
  }
  bad |= __builtin_mul_overflow(size, static_cast<std::int64_t>(item), &bytes);
  if (bad || bytes > (std::int64_t{1} << 62)) [[unlikely]]
    refuse_size(op, shape);
  return empty ? 0 : size;
}

int checked_axis(const char* op, std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    fail(op, ": got axis ", axis, " for a tensor of rank ", rank, ", needs ", -rank, " <= axis < ", rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

namespace {

// NumPy's rule: axes are paired from the last, and a size of 1 gives way.
std::optional<Shape> common_shape(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const int offset = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    const std::int64_t mine = longer[offset + i], other = shorter[i];
    if (mine == other || other == 1) continue;
    if (mine != 1) return std::nullopt;
    out[offset + i] = other;
  }
  return out;
}

}  // namespace

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  const auto common = common_shape(a, b);
  if (!common)
    fail(op, ": shapes ", a, " and ", b, " do not broadcast, axes need equal sizes or 1, counted from the last");
  return *common;
}

bool broadcasts_to(const Shape& from, const Shape& to) { return common_shape(from, to) == to; }

Axes AxisSet::list() const {
  Axes axes;
  for (int i = 0; i < max_rank; ++i)
    if (has[i]) axes.append(i);
  return axes;
}

AxisSet checked_axes(const char* op, const Axes& axes, int rank) {
  AxisSet set;
  if (axes.count() == 0) std::fill_n(set.has, rank, true);
  for (std::int64_t axis : axes) {
    bool& slot = set.has[checked_axis(op, axis, rank)];
    if (slot) fail(op, ": axes ", axes, " name axis ", axis, " twice");
    slot = true;
  }
  return set;
}

}  // namespace weft::detail
