// Convolutions with fewer multiplications: beside the direct sums, in every pass, at odd sizes and widths, with the
// same bits on any number of threads.
#include <doctest/doctest.h>
#include <tests/support/same.hpp>
#include <tests/support/sanitized.hpp>
#include <weft/weft.hpp>

#include <cmath>

#include <weft/ops/kernels/conv/paths.hpp>

using namespace weft;

namespace {

struct Case {
  std::int64_t n, h, w, in, out;
  Pair padding;
};

// Result and both gradients.
Tensors passes(const Case& c, DType dtype, const Tensor& x0, const Tensor& w0, const Tensor& g0) {
  const Tensor x = parameter(x0.to(dtype)), w = parameter(w0.to(dtype));
  const Tensor y = conv2d(x, w, {.padding = c.padding});
  Tensors all = grad({y}, {x, w}, {.grad_outputs = {g0.to(dtype)}});
  all.push_back(y.detach());
  return all;
}

bool is_fast(const Case& c) {
  detail::ConvShape s{.n = c.n,
                      .h = c.h,
                      .w = c.w,
                      .cin = c.in,
                      .kh = 3,
                      .kw = 3,
                      .cout = c.out,
                      .pad_h = c.padding.height,
                      .pad_w = c.padding.width,
                      .fast = true};
  s.set_output();
  return detail::suits_winograd(s);
}

double gap(const Tensor& got, const Tensor& wanted) {
  return max(abs(got.to(f64) - wanted)).item() / max(abs(wanted)).item();
}

struct Precision {
  explicit Precision(ConvPrecision precision) { set_conv_precision(precision); }
  ~Precision() { set_conv_precision(ConvPrecision::fast); }
};

}  // namespace

TEST_CASE("fast convolutions are what exact ones are, but for some rounding") {
  manual_seed(1);
  std::vector<Case> cases;
  for (std::int64_t h = 12; h < 16; ++h)  // every residue of both axes
    for (std::int64_t w = 16; w < 20; ++w) cases.push_back({3, h, w, 16, 16, 1});
  cases.push_back({40, 7, 6, 64, 64, 1});   // more tiles at the edges than others
  cases.push_back({40, 3, 11, 96, 96, 1});  // no whole tile, and points that none has
  cases.push_back({40, 11, 3, 96, 96, 1});
  cases.push_back({70, 6, 7, 128, 96, 1});
  for (const std::int64_t channels : {8, 9, 15, 17, 31, 32, 33, 48, 63, 80})
    cases.push_back({2, 17, 14, channels, 72 - channels / 2, 1});
  for (const Pair padding : {Pair(0), Pair(2), Pair(0, 1), Pair(2, 0)}) cases.push_back({3, 16, 18, 24, 20, padding});
  cases.push_back({40, 8, 8, 64, 64, 1});    // several blocks of tiles, and of tiles in a sum
  cases.push_back({9, 29, 31, 24, 40, 1});   // several parts of the weights' sum
  cases.push_back({1, 32, 32, 16, 200, 1});  // many columns of vectors
  cases.push_back({3, 20, 20, 200, 8, 1});
  cases.push_back({13, 20, 18, 96, 90, 1});  // more weights than a cache holds, in several blocks of tiles
  cases.push_back({4, 15, 14, 300, 70, 1});  // and inputs in several parts
  for (const Case& c : cases) {
    CAPTURE(c.h);
    CAPTURE(c.w);
    CAPTURE(c.in);
    CAPTURE(c.out);
    CAPTURE(c.padding.height);
    REQUIRE(is_fast(c));
    const Tensor x = randn({c.n, c.h, c.w, c.in}), w = randn({3, 3, c.in, c.out});
    const Tensor g = randn({c.n, c.h + 2 * c.padding.height - 2, c.w + 2 * c.padding.width - 2, c.out});
    const Tensors fast = passes(c, f32, x, w, g);
    if (test::sanitized) continue;
    const Tensors wanted = passes(c, f64, x, w, g);
    const Precision exact(ConvPrecision::exact);
    const Tensors slow = passes(c, f32, x, w, g);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(gap(fast[i], wanted[i]) < 1e-5);
      CHECK(gap(fast[i], wanted[i]) < 10 * gap(slow[i], wanted[i]));
      CHECK_FALSE(same_bits(fast[i], slow[i]));  // they are computed in two ways
    }
  }
}

TEST_CASE("what fewer multiplications do not pay for is computed as it was") {
  CHECK_FALSE(is_fast({1, 4, 4, 64, 64, 1}));    // one tile
  CHECK_FALSE(is_fast({64, 32, 32, 3, 16, 1}));  // few channels
  CHECK_FALSE(is_fast({64, 2, 2, 32, 32, 1}));   // a quarter of each tile
  CHECK_FALSE(is_fast({8, 16, 16, 16, 16, 3}));  // padding that no gradient could have
  manual_seed(2);
  const Tensor x = randn({8, 16, 16, 16}), w = randn({3, 3, 16, 16});
  const auto both = [&](const ConvOptions& options, const Tensor& kernel) {
    const Tensor fast = conv2d(x, kernel, options);
    const Precision exact(ConvPrecision::exact);
    return same_bits(fast, conv2d(x, kernel, options));
  };
  CHECK(both({.stride = 2, .padding = 1}, w));
  CHECK(both({.padding = 1, .dilation = 2}, w));
  CHECK(both({.padding = 1, .groups = 2}, randn({3, 3, 8, 16})));
  CHECK(both({}, randn({1, 1, 16, 16})));
  CHECK(both({}, randn({3, 1, 16, 16})));
  CHECK_FALSE(both({.padding = 1}, w));
}

TEST_CASE("gradients of gradients go through fast convolutions") {
  manual_seed(3);
  const Tensor x0 = randn({2, 16, 16, 16}), w0 = randn({3, 3, 16, 16}) * 0.1;
  const auto second = [&](DType dtype) {
    const Tensor x = parameter(x0.to(dtype)), w = parameter(w0.to(dtype));
    const Tensors first = grad({sum(square(conv2d(x, w, {.padding = 1})))}, {x, w}, {.create_graph = true});
    return grad({sum(square(first[0])) + sum(square(first[1]))}, {x, w});
  };
  const Tensors got = second(f32), wanted = second(f64);
  for (std::size_t i = 0; i < 2; ++i) CHECK(gap(got[i], wanted[i]) < 1e-4);
}

TEST_CASE("fast convolutions have the same bits on any number of threads") {
  manual_seed(4);
  const int threads = num_threads();
  for (const Case& c : {Case{33, 16, 16, 32, 32, 1}, Case{5, 29, 31, 24, 40, 1}, Case{6, 15, 17, 150, 90, 1}}) {
    const Tensor x = randn({c.n, c.h, c.w, c.in}), w = randn({3, 3, c.in, c.out}), g = randn({c.n, c.h, c.w, c.out});
    set_num_threads(1);
    const Tensors one = passes(c, f32, x, w, g);
    for (const int count : {2, 3, 5}) {
      set_num_threads(count);
      const Tensors several = passes(c, f32, x, w, g);
      for (std::size_t i = 0; i < 3; ++i) CHECK(same_bits(one[i], several[i]));
    }
  }
  set_num_threads(threads);
}

TEST_CASE("what is not finite stays within its tiles") {
  manual_seed(5);
  Tensor x = randn({2, 16, 16, 16});
  const Tensor w = randn({3, 3, 16, 16});
  const Tensor before = conv2d(x, w, {.padding = 1});
  x.mutable_data<float>()[(5 * 16 + 6) * 16 + 3] = INFINITY;
  const Tensor finite = isfinite(conv2d(x, w, {.padding = 1}));
  for (std::int64_t row = 0; row < 16; ++row)
    for (std::int64_t column = 0; column < 16; ++column) {
      const bool near = row >= 4 && row < 8 && column >= 4 && column < 8;  // the tile of the results around it
      CHECK(finite.at({0, row, column, 0}) == !near);
      CHECK(finite.at({1, row, column, 0}) == 1);
    }
  CHECK(all(isfinite(before)).item() == 1);
}
