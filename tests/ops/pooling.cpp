// Pooling beside plain loops: sizes in which no two axes are alike, ties, nan, infinities, and gradients of gradients.
#include <doctest/doctest.h>
#include <tests/support/sums.hpp>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>
#include <weft/ops/pool.hpp>

#include <limits>

using namespace weft;
using weft::test::Array;
using weft::test::difference;
using weft::test::drawn;
using weft::test::pick;
using weft::test::Sums;
using weft::test::to_tensor;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

Shape pooled_shape(const Shape& x, const PoolOptions& o) {
  const Pair stride = o.stride.value_or(o.kernel);
  return {x[0], (x[1] + 2 * o.padding.height - o.kernel.height) / stride.height + 1,
          (x[2] + 2 * o.padding.width - o.kernel.width) / stride.width + 1, x[3]};
}

// Calls f(place in y, place in x) for every pixel of every window, a window's pixels row by row.
template <class F>
void for_windows(const Shape& x, const PoolOptions& o, F f) {
  const Shape y = pooled_shape(x, o);
  const Pair stride = o.stride.value_or(o.kernel);
  for (std::int64_t at = 0; at < y.size(); ++at) {
    const std::int64_t c = at % y[3], ox = at / y[3] % y[2], oy = at / y[3] / y[2] % y[1], n = at / y[3] / y[2] / y[1];
    for (std::int64_t i = 0; i < o.kernel.height; ++i)
      for (std::int64_t j = 0; j < o.kernel.width; ++j) {
        const std::int64_t iy = oy * stride.height - o.padding.height + i;
        const std::int64_t ix = ox * stride.width - o.padding.width + j;
        if (iy < 0 || iy >= x[1] || ix < 0 || ix >= x[2]) continue;
        f(at, ((n * x[1] + iy) * x[2] + ix) * x[3] + c);
      }
  }
}

double at(const Array& a, std::int64_t i) { return a.storage()[static_cast<std::size_t>(i)]; }

// Where each window's value comes from: the first nan, else the first of the largest; the first pixel for -inf alone.
std::vector<std::int64_t> winners(const Array& x, const PoolOptions& o) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(pooled_shape(test::shape_of(x), o).size()), -1);
  for_windows(test::shape_of(x), o, [&](std::int64_t to, std::int64_t from) {
    std::int64_t& best = places[static_cast<std::size_t>(to)];
    const double value = at(x, from);
    if (best < 0 || (!std::isnan(at(x, best)) && (std::isnan(value) || value > at(x, best)))) best = from;
  });
  return places;
}

Sums taken(const Array& x, const std::vector<std::int64_t>& places, const Shape& shape) {
  Sums sums(shape);
  for (std::int64_t i = 0; i < shape.size(); ++i) sums.add(i, at(x, places[static_cast<std::size_t>(i)]));
  return sums;
}
Sums scattered(const Array& g, const std::vector<std::int64_t>& places, const Shape& shape) {
  Sums sums(shape);
  for (std::int64_t i = 0; i < std::ssize(g.storage()); ++i) sums.add(places[static_cast<std::size_t>(i)], at(g, i));
  return sums;
}

Sums averaged(const Array& x, const PoolOptions& o) {
  Sums sums(pooled_shape(test::shape_of(x), o));
  const auto count = static_cast<double>(o.kernel.height * o.kernel.width);
  for_windows(test::shape_of(x), o, [&](std::int64_t to, std::int64_t from) { sums.add(to, at(x, from) / count); });
  return sums;
}
Sums shared(const Array& g, const PoolOptions& o, const Shape& shape) {
  Sums sums(shape);
  const auto count = static_cast<double>(o.kernel.height * o.kernel.width);
  for_windows(shape, o, [&](std::int64_t from, std::int64_t to) { sums.add(to, at(g, from) / count); });
  return sums;
}

using Function = std::function<Tensor(const Tensor&)>;

// The value without and with a tape, the gradient for g, that gradient's own gradient for u, and the next for v.
Tensors results(const Function& f, const Array& x, const Array& g, const Array& u, const Array& v, DType dtype) {
  const Tensor in = parameter(to_tensor(x, dtype)), weight = parameter(to_tensor(g, dtype)),
               second = parameter(to_tensor(u, dtype));
  const Tensor y = f(in);
  const Tensor gx = grad(y, {in}, {.grad_outputs = {weight}, .create_graph = true})[0];
  const Tensor gg = grad(gx, {weight}, {.grad_outputs = {second}, .create_graph = true})[0];
  return {f(in.detach()), y, gx, gg, grad(gg, {second}, {.grad_outputs = {to_tensor(v, dtype)}})[0]};
}

// Both dtypes on one thread and on two, with the same bits.
std::string check(const Function& f, const Array& x, const Array& g, const Array& u, const Array& v,
                  const std::vector<Sums>& expected, bool finite = true) {
  for (const DType dtype : {f64, f32}) {
    Tensors before;
    for (const int threads : {1, 2}) {
      const testing::Threads count(threads);
      const Tensors got = results(f, x, g, u, v, dtype);
      for (std::size_t k = 0; k < got.size(); ++k) {
        const std::string place = detail::to_text(dtype) + ", result " + std::to_string(k) + ": ";
        if (got[k].dtype() != dtype) return place + "another dtype";
        if (!before.empty() && !test::same_bits(got[k], before[k])) return place + "other bits with two threads";
        if (k < 2 && !finite) continue;
        const std::string wrong = difference(got[k], expected[k]);
        if (!wrong.empty()) return place + wrong;
      }
      before = got;
    }
  }
  return {};
}

std::string check_max(const Array& x, const PoolOptions& o, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  const std::vector<std::int64_t> places = winners(x, o);
  const Shape shape = pooled_shape(test::shape_of(x), o);
  const Array g = drawn(shape, engine), u = drawn(test::shape_of(x), engine), v = drawn(shape, engine);
  const Sums values = taken(x, places, shape);
  const auto f = [&o](const Tensor& t) { return max_pool2d(t, o); };
  // Values are copies, and may be nan or infinite.
  for (const DType dtype : {f64, f32}) {
    const Tensor in = to_tensor(x, dtype);
    for (const Tensor& y : {f(in), f(parameter(in.clone()))}) {
      Array wanted = test::zeros_of(shape);
      const Array rounded = test::array_of(in);
      for (std::int64_t i = 0; i < shape.size(); ++i)
        wanted.storage()[static_cast<std::size_t>(i)] = at(rounded, places[static_cast<std::size_t>(i)]);
      const std::string wrong = difference(test::array_of(y), wanted, 0);
      if (!wrong.empty()) return "the value: " + wrong;
    }
  }
  return check(f, x, g, u, v,
               {values, values, scattered(g, places, test::shape_of(x)), taken(u, places, shape),
                scattered(v, places, test::shape_of(x))},
               false);
}

std::string check_average(const Array& x, const PoolOptions& o, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  const Shape shape = pooled_shape(test::shape_of(x), o);
  const Array g = drawn(shape, engine), u = drawn(test::shape_of(x), engine), v = drawn(shape, engine);
  const Sums values = averaged(x, o);
  return check([&o](const Tensor& t) { return avg_pool2d(t, o); }, x, g, u, v,
               {values, values, shared(g, o, test::shape_of(x)), averaged(u, o), shared(v, o, test::shape_of(x))});
}

std::string check_global(const Array& x, std::uint64_t seed) {
  const PoolOptions whole{.kernel = {test::shape_of(x)[1], test::shape_of(x)[2]}};
  const auto mean = [&whole](const Array& a) {
    Sums sums = averaged(a, whole);
    sums.shape = {test::shape_of(a)[0], test::shape_of(a)[3]};
    return sums;
  };
  std::mt19937_64 engine(seed);
  const Array g = drawn({test::shape_of(x)[0], test::shape_of(x)[3]}, engine), u = drawn(test::shape_of(x), engine),
              v = drawn(test::shape_of(g), engine);
  return check([](const Tensor& t) { return global_avg_pool(t); }, x, g, u, v,
               {mean(x), mean(x), shared(g, whole, test::shape_of(x)), mean(u), shared(v, whole, test::shape_of(x))});
}

std::string text(const Shape& x, const PoolOptions& o) {
  std::string all = "x " + detail::to_text(x);
  for (const Pair& p : {o.kernel, o.stride.value_or(o.kernel), o.padding})
    all += ", " + std::to_string(p.height) + " " + std::to_string(p.width);
  return all;
}

// Values that tie, some nan and some -inf.
Array special(const Shape& shape, std::mt19937_64& engine) {
  Array a = test::zeros_of(shape);
  for (double& v : a.storage()) {
    const auto kind = engine() % 16;
    v = kind == 0 ? not_a_number : kind < 8 ? -infinity : kind == 8 ? infinity : static_cast<double>(kind % 3);
  }
  return a;
}
Array tied(const Shape& shape, std::mt19937_64& engine) {
  Array a = test::zeros_of(shape);
  for (double& v : a.storage()) v = static_cast<double>(engine() % 3) - 1;
  return a;
}

struct Sizes {
  Shape x;
  PoolOptions options;
};

// Draws until the sizes make a window.
Sizes drawn_sizes(std::mt19937_64& engine) {
  const auto of = [&](std::initializer_list<std::int64_t> choices) { return pick(engine, choices); };
  for (;;) {
    const Shape x = {of({0, 1, 1, 2, 3}), of({1, 2, 5, 7, 9}), of({1, 3, 4, 6, 11}),
                     of({1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33})};
    PoolOptions o{.kernel = {of({1, 2, 3, 4}), of({1, 2, 3, 5})}};
    if (of({0, 1, 1, 1}) == 1) o.stride = OptionalPair(of({1, 1, 2, 3, 5}), of({1, 1, 2, 3, 4}));
    o.padding = {of({0, 1, 2}) * o.kernel.height / 4, of({0, 1, 2}) * o.kernel.width / 4};
    if (o.kernel.height <= x[1] + 2 * o.padding.height && o.kernel.width <= x[2] + 2 * o.padding.width) return {x, o};
  }
}

}  // namespace

TEST_CASE("a sweep over sizes") {
  std::mt19937_64 engine(13);
  for (std::uint64_t tried = 0; tried < 250; ++tried) {
    const Sizes sizes = drawn_sizes(engine);
    const Shape x = sizes.x;
    const PoolOptions o = sizes.options;
    INFO(text(x, o));
    CHECK(check_max(drawn(x, engine), o, tried) == "");
    CHECK(check_max(tied(x, engine), o, tried) == "");
    CHECK(check_max(special(x, engine), o, tried) == "");
    CHECK(check_average(drawn(x, engine), o, tried) == "");
    CHECK(check_global(drawn(x, engine), tried) == "");
  }
}

// More channels than are pooled together, and work for two threads, by rows and by images.
TEST_CASE("many channels and threads") {
  std::mt19937_64 engine(17);
  const Sizes all[] = {
      {{3, 9, 14, 300}, {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}}},
      {{1, 23, 25, 257}, {.kernel = {2, 3}, .stride = {3, 2}, .padding = {0, 1}}},
      {{2, 7, 5, 513}, {.kernel = {5, 3}, .stride = {1, 1}, .padding = {2, 1}}},
      {{2, 150, 160, 1}, {.kernel = {3, 5}, .stride = {2, 3}, .padding = {1, 2}}},
  };
  for (const Sizes& sizes : all) {
    const Shape x = sizes.x;
    const PoolOptions o = sizes.options;
    INFO(text(x, o));
    CHECK(check_max(tied(x, engine), o, 1) == "");
    CHECK(check_average(drawn(x, engine), o, 2) == "");
    CHECK(check_global(drawn(x, engine), 3) == "");
  }
}

TEST_CASE("the first of equal values takes the gradient") {
  const Tensor x = parameter(tensor({3, 1, 3, 3}, {1, 2, 2, 1}, f64));
  max_pool2d(x).backward(full({1, 1, 1, 1}, 5, f64));
  CHECK(difference(test::array_of(x.grad()), test::array_of(tensor({5, 0, 0, 0}, {1, 2, 2, 1}, f64)), 0) == "");
}

TEST_CASE("windows of -inf alone hand their gradient to one pixel of the image") {
  for (const DType dtype : {f64, f32}) {
    const Tensor x = parameter(full({1, 3, 4, 1}, -infinity, dtype));
    const PoolOptions o{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
    const Tensor y = max_pool2d(x, o);
    CHECK(difference(test::array_of(y), test::array_of(full({1, 2, 2, 1}, -infinity, f64)), 0) == "");
    y.backward(tensor({1, 2, 4, 8}, {1, 2, 2, 1}, dtype));
    double total = 0;
    const Array slopes = test::array_of(x.grad());
    for (const double g : slopes) total += g;
    CHECK(total == 15);
  }
}

TEST_CASE("a nan wins, and the first of them takes the gradient") {
  for (const DType dtype : {f64, f32}) {
    const Tensor x = parameter(tensor({infinity, not_a_number, not_a_number, 7}, {1, 2, 2, 1}, dtype));
    const Tensor y = max_pool2d(x);
    CHECK(std::isnan(y.item()));
    CHECK(std::isnan(max_pool2d(x.detach()).item()));
    y.backward(full({1, 1, 1, 1}, 3, dtype));
    CHECK(difference(test::array_of(x.grad()), test::array_of(tensor({0, 3, 0, 0}, {1, 2, 2, 1}, f64)), 0) == "");
  }
}
