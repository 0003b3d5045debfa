#pragma once
// Sizes of a tensor's axes, and lists of axes; neither ever allocates.
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

namespace weft {

inline constexpr int max_rank = 8;

namespace detail {

/// One number of a list in braces, of any integer type: `zeros({rows.size(), 3})`.
struct Size {
  std::int64_t value;
  template <std::integral T>
  constexpr Size(T number) : value(static_cast<std::int64_t>(number)) {}  // NOLINT(google-explicit-constructor)
};

/// Up to max_rank integers, stored in place. Throws Error when more are asked for.
class IntList {
 public:
  IntList() = default;
  IntList(std::initializer_list<Size> values) {
    if (values.size() > max_rank) too_many(values.size());
    for (const Size size : values) values_[count_++] = size.value;
  }
  IntList(const std::int64_t* values, std::size_t count);
  template <std::integral T>
  IntList(const std::vector<T>& values) {  // NOLINT(google-explicit-constructor): zeros(sizes)
    for (const T value : values) append(static_cast<std::int64_t>(value));
  }

  const std::int64_t* begin() const { return values_; }
  const std::int64_t* end() const { return values_ + count_; }
  std::int64_t* begin() { return values_; }
  std::int64_t* end() { return values_ + count_; }
  /// The i-th number; a negative i counts from the end. Throws Error where there is none.
  std::int64_t operator[](int i) const { return values_[place(i)]; }
  std::int64_t& operator[](int i) { return values_[place(i)]; }

  void append(std::int64_t value) { insert(count_, value); }
  void insert(int at, std::int64_t value);
  void erase(int at);

  bool operator==(const IntList& other) const {
    if (count_ != other.count_) return false;
    for (int i = 0; i < count_; ++i)
      if (values_[i] != other.values_[i]) return false;
    return true;
  }

 protected:
  [[noreturn]] static void too_many(std::size_t count);
  int place(int i) const { return static_cast<unsigned>(i) < static_cast<unsigned>(count_) ? i : place_from_end(i); }
  int place_from_end(int i) const;

  int count_ = 0;
  std::int64_t values_[max_rank];  // beyond count_: unset
};

}  // namespace detail

/// The sizes of a tensor's axes, outermost first; the empty shape is a scalar's. At most max_rank axes.
class Shape : public detail::IntList {
 public:
  using IntList::IntList;
  int rank() const { return count_; }
  /// The number of elements: the product of all sizes. Meaningful for shapes that a tensor has (see checked_size).
  std::int64_t size() const {
    std::int64_t n = 1;
    for (std::int64_t d : *this) n *= d;
    return n;
  }
};

/// One axis or a list of them; negative ones count from the end. An empty list means "all axes" where a function says
/// so.
class Axes : public detail::IntList {
 public:
  using IntList::IntList;
  Axes(int axis) : IntList{axis} {}  // NOLINT(google-explicit-constructor): sum(x, 0) is how users write it
  template <std::integral T>
  Axes(T axis) : IntList{static_cast<std::int64_t>(axis)} {}  // NOLINT(google-explicit-constructor)
  Axes(bool) = delete;                                        // sum(x, true): keepdims comes after the axes
  int count() const { return count_; }
};

namespace detail {

std::string to_text(const IntList& list);  // "{2, 3}"
std::ostream& operator<<(std::ostream& out, const IntList& list);

/// The number of elements of `shape`, each `item` bytes; throws Error naming `op` if a size is negative or the bytes
/// do not fit 2^62.
std::int64_t checked_size(const char* op, const Shape& shape, std::size_t item);

/// Puts the size that makes `elements`, each `item` bytes, in the place of a -1; false if no size does, or, without a
/// -1, the product is another. Throws Error naming `op` for a second -1 and for impossible sizes.
bool fill_open_size(const char* op, Shape& shape, std::int64_t elements, std::size_t item);

/// The axis as a number in [0, rank); throws Error naming `op` otherwise.
int checked_axis(const char* op, std::int64_t axis, int rank);

/// The shape two operands broadcast to, NumPy's rule; throws Error naming `op` and both shapes where there is none.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

/// Whether a tensor of the one shape can be repeated to fill the other.
bool broadcasts_to(const Shape& from, const Shape& to);

/// One flag an axis: which of `rank` axes are in the list (all of them if it is empty). Throws on range and repeats.
struct AxisSet {
  bool has[max_rank] = {};
  Axes list() const;
};
AxisSet checked_axes(const char* op, const Axes& axes, int rank);

}  // namespace detail
}  // namespace weft
