#include <weft/ops/index.hpp>

#include <algorithm>
#include <array>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/rows.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/kernels/index/index.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::around;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;
using detail::with_size;

// An index of one axis chooses whole rows.
struct Rows {
  static constexpr const char* take_name = "index_select";
  static constexpr const char* add_name = "index_add";
  static constexpr auto take = detail::index_select;
  static constexpr auto add = [](auto... arguments) { detail::index_add(arguments...); };
  static Shape shape(const Shape& a, int axis, const Tensor& index) { return with_size(a, axis, index.size()); }
};

// An index as large as what is chosen, element by element.
struct Elements {
  static constexpr const char* take_name = "take_along";
  static constexpr const char* add_name = "add_along";
  static constexpr auto take = detail::take_along;
  static constexpr auto add = [](auto... arguments) { detail::scatter_add_along(arguments...); };
  static Shape shape(const Shape&, int, const Tensor& index) { return index.shape(); }
};

template <class Kind>
struct AddAt;

// The values of a at the positions along an axis that an index gives.
template <class Kind>
struct TakeAt {
  static constexpr const char* name = Kind::take_name;
  int axis;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& index) const {
    Tensor out = make_tensor(name, Kind::shape(a.shape(), axis, index), a.dtype());
    if (out.size() > 0)
      Kind::take(data_of<std::byte>(a), around(a.shape(), axis), data_of<std::int64_t>(index), out.shape()[axis],
                 mutable_data_of<std::byte>(out), static_cast<int>(size_of(a.dtype())));
    ctx.save(index);
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    return {apply(AddAt<Kind>{axis, ctx.shape(0)[axis]}, g, ctx.saved(0), Tensor()), Tensor()};
  }
  Fields describe() const { return {{"axis", axis}}; }
};

// `onto`, or zeros of `size` along an axis where there is none, with a added at the positions that TakeAt reads.
template <class Kind>
struct AddAt {
  static constexpr const char* name = Kind::add_name;
  int axis;
  std::int64_t size;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& index, const Tensor& onto) const {
    Tensor out;
    if (onto.defined()) {
      out = onto.detach().clone();
    } else {
      out = make_tensor(name, with_size(a.shape(), axis, size), a.dtype());
      out.zero_();
    }
    if (a.size() > 0)
      detail::visit_dtype(a.dtype(), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (!std::is_same_v<T, std::uint8_t>)
          Kind::add(data_of<T>(a), data_of<std::int64_t>(index), a.shape()[axis], mutable_data_of<T>(out),
                    around(out.shape(), axis));
      });
    ctx.save(index);
    if (std::is_same_v<Kind, Rows> && axis == 0 && !onto.defined()) detail::note_rows(out, index);
    return out;
  }
  std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) const {
    return {ctx.needs(0) ? apply(TakeAt<Kind>{axis}, g, ctx.saved(0)) : Tensor(), Tensor(),
            ctx.needs(2) ? g : Tensor()};
  }
  Fields describe() const { return {{"axis", axis}, {"size", size}}; }
};

struct TakeLabelled {
  static constexpr const char* name = "take_labelled";
  std::int64_t ignored;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& labels) const {
    Tensor out = make_tensor(name, labels.shape(), a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::take_labelled(data_of<T>(a), data_of<std::int64_t>(labels), ignored, mutable_data_of<T>(out),
                            labels.size(), a.size(-1));
    });
    ctx.save(labels);
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const;
  Fields describe() const { return {{"ignored", ignored}}; }
};

// The adjoint: zeros with a at the labels.
struct PlaceLabelled {
  static constexpr const char* name = "place_labelled";
  std::int64_t ignored;
  std::int64_t classes;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& labels) const {
    Shape shape = labels.shape();
    shape.append(classes);
    Tensor out = make_tensor(name, shape, a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::place_labelled(data_of<T>(a), data_of<std::int64_t>(labels), ignored, mutable_data_of<T>(out),
                             labels.size(), classes);
    });
    ctx.save(labels);
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    return {apply(TakeLabelled{ignored}, g, ctx.saved(0)), Tensor()};
  }
  Fields describe() const { return {{"ignored", ignored}, {"classes", classes}}; }
};

std::array<Tensor, 2> TakeLabelled::backward(Context& ctx, const Tensor& g) const {
  return {apply(PlaceLabelled{ignored, ctx.shape(0)[ctx.shape(0).rank() - 1]}, g, ctx.saved(0)), Tensor()};
}

struct OneHot {
  static constexpr const char* name = "one_hot";
  std::int64_t classes;

  Tensor forward(Context&, const Tensor& index) const {
    Shape shape = index.shape();
    shape.append(classes);
    Tensor out = make_tensor(name, shape, i64);
    detail::one_hot(data_of<std::int64_t>(index), mutable_data_of<std::int64_t>(out), index.size(), classes);
    return out;
  }
  Fields describe() const { return {{"classes", classes}}; }
};

void check_index(const char* op, const Tensor& index) {
  if (index.dtype() != i64) fail(op, ": got an index of ", index.dtype(), " ", index.shape(), ", needs i64");
}

template <class... Of>
void check_range(const char* op, const Tensor& index, std::int64_t size, const Of&... of) {
  const std::int64_t* values = data_of<std::int64_t>(index);
  const std::int64_t bad = detail::first_out_of_range(values, index.size(), size);
  if (bad >= 0)
    fail(op, ": got index ", values[bad], " at position ", bad, " for ", of..., ", needs 0 <= index < ", size);
}

void check_axis_range(const char* op, const Tensor& index, const Tensor& a, int axis) {
  check_range(op, index, a.shape()[axis], "axis ", axis, " of shape ", a.shape());
}

// `index` is i64, has as many axes as `a`, and off the axis no more positions.
void check_fits(const char* op, const Tensor& a, int axis, const Tensor& index) {
  check_index(op, index);
  bool fits = index.rank() == a.rank();
  for (int i = 0; fits && i < a.rank(); ++i) fits = i == axis || index.shape()[i] <= a.shape()[i];
  if (!fits)
    fail(op, ": got an index of shape ", index.shape(), " for ", a.shape(), ", needs as many axes, and sizes that are ",
         "no larger but on axis ", axis);
  check_axis_range(op, index, a, axis);
}

}  // namespace

Tensor index_select(const Tensor& a, int axis, const Tensor& index) {
  const int along = detail::checked_axis("index_select", axis, a.rank());
  check_index("index_select", index);
  if (index.rank() != 1) fail("index_select: got an index of shape ", index.shape(), ", needs one axis");
  check_axis_range("index_select", index, a, along);
  return apply(TakeAt<Rows>{along}, a, index);
}

Tensor gather(const Tensor& a, int axis, const Tensor& index) {
  const int along = detail::checked_axis("gather", axis, a.rank());
  check_fits("gather", a, along, index);
  Tensor part = a;
  for (int i = 0; i < a.rank(); ++i)
    if (i != along && index.shape()[i] < a.shape()[i]) part = slice(part, i, 0, index.shape()[i]);
  return apply(TakeAt<Elements>{along}, part, index);
}

Tensor take_along(const Tensor& a, int axis, const Tensor& index) {
  const int along = detail::checked_axis("take_along", axis, a.rank());
  check_index("take_along", index);
  if (index.rank() != a.rank())
    fail("take_along: got an index of shape ", index.shape(), " for ", a.shape(), ", needs as many axes");
  check_axis_range("take_along", index, a, along);
  const Shape other =
      detail::broadcast_shapes("take_along", with_size(a.shape(), along, 1), with_size(index.shape(), along, 1));
  return apply(TakeAt<Elements>{along}, broadcast_to(a, with_size(other, along, a.shape()[along])),
               broadcast_to(index, with_size(other, along, index.shape()[along])));
}

Tensor scatter_add(const Tensor& a, int axis, const Tensor& index, const Tensor& source) {
  const int along = detail::checked_axis("scatter_add", axis, a.rank());
  if (source.dtype() != a.dtype() || a.dtype() == u8)
    fail("scatter_add: got ", a.dtype(), " and ", source.dtype(), ", needs f32, f64 or i64, twice the same");
  if (source.shape() != index.shape())
    fail("scatter_add: got a source of shape ", source.shape(), " and an index of ", index.shape(),
         ", needs the same shape");
  check_fits("scatter_add", a, along, index);
  const AddAt<Elements> add{along, a.shape()[along]};
  if (with_size(index.shape(), along, add.size) == a.shape()) return apply(add, source, index, a);
  const Tensor sums = apply(add, source, index, Tensor());
  std::vector<std::pair<std::int64_t, std::int64_t>> rest;
  for (int i = 0; i < a.rank(); ++i) rest.emplace_back(0, a.shape()[i] - sums.shape()[i]);
  return a + pad(sums, rest);
}

std::int64_t detail::check_labels(const char* op, const Tensor& scores, const Tensor& labels, std::int64_t ignored) {
  check_floating(op, scores);
  Shape rows = scores.shape();
  if (scores.rank() > 0) rows.erase(scores.rank() - 1);
  if (scores.rank() == 0 || labels.dtype() != i64 || labels.shape() != rows)
    fail(op, ": got ", scores.dtype(), " ", scores.shape(), " and labels of ", labels.dtype(), " ", labels.shape(),
         ", needs {..., classes} and i64 {...}");
  const std::int64_t classes = scores.size(-1);
  const auto wrong = [=](std::int64_t label) {  // without branches, so that the count below runs on vectors
    return (int{label != ignored} & (int{label < 0} | int{label >= classes})) != 0;
  };
  const auto all = labels.data<std::int64_t>();
  if (std::count_if(all.begin(), all.end(), wrong) != 0)
    fail(op, ": got the label ", *std::find_if(all.begin(), all.end(), wrong), ", needs 0 <= label < ", classes,
         " or the ignored ", ignored);
  return labels.size() - std::count(all.begin(), all.end(), ignored);
}

Tensor take_labelled(const Tensor& a, const Tensor& labels, std::int64_t ignored) {
  detail::check_labels("take_labelled", a, labels, ignored);
  return apply(TakeLabelled{ignored}, a, labels);
}

Tensor embedding(const Tensor& table, const Tensor& index) {
  check_index("embedding", index);
  if (table.rank() != 2) fail("embedding: got a table of shape ", table.shape(), ", needs {count, features}");
  check_range("embedding", index, table.size(0), "a table of shape ", table.shape());
  Shape shape = index.shape();
  shape.append(table.size(1));
  return reshape(apply(TakeAt<Rows>{0}, table, flatten(index)), shape);
}

Tensor one_hot(const Tensor& index, std::int64_t classes) {
  check_index("one_hot", index);
  if (classes < 1) fail("one_hot: got ", classes, " classes, needs at least 1");
  check_range("one_hot", index, classes, classes, " classes");
  return apply(OneHot{classes}, index);
}

}  // namespace weft
