// conv2d beside plain loops: all ways a pass is computed, the edges of their tiles and blocks, and a sweep over
// sizes in which no two axes are alike; there conv_transpose2d, conv1d and conv_transpose1d too.
#include <doctest/doctest.h>
#include <tests/support/bilinear.hpp>
#include <tests/support/sanitized.hpp>

#include <weft/engine/gradcheck.hpp>
#include <weft/ops/conv.hpp>
#include <weft/ops/kernels/conv/paths.hpp>

#include <limits>

using namespace weft;
using detail::ConvShape;
using weft::test::Array;
using weft::test::drawn;
using weft::test::pick;
using weft::test::Products;
using weft::test::Sums;

namespace {

// The direct sums, digit by digit; winograd.cpp is about the fast ones.
[[maybe_unused]] const bool exact = (set_conv_precision(ConvPrecision::exact), true);

Shape input(const ConvShape& s) { return {s.n, s.h, s.w, s.cin}; }
Shape weight(const ConvShape& s) { return {s.kh, s.kw, s.cin / s.groups, s.cout}; }
Shape output(const ConvShape& s) {
  const auto size = [](std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad, std::int64_t dil) {
    const std::int64_t room = in + 2 * pad - (dil * (kernel - 1) + 1);
    return room < 0 ? 0 : room / stride + 1;
  };
  return {s.n, size(s.h, s.kh, s.stride_h, s.pad_h, s.dil_h), size(s.w, s.kw, s.stride_w, s.pad_w, s.dil_w), s.cout};
}

Products convolved(const ConvShape& s, const Array& x, const Array& w, const Array& g) {
  Products sums{Sums(output(s)), Sums(test::shape_of(x)), Sums(test::shape_of(w))};
  const std::int64_t in = s.cin / s.groups, out = s.cout / s.groups, oh = test::shape_of(g)[1],
                     ow = test::shape_of(g)[2];
  const auto at = [](const Array& a, std::int64_t i) { return a.storage()[static_cast<std::size_t>(i)]; };
  for (std::int64_t pixel = 0; pixel < s.n * oh * ow; ++pixel) {
    for (std::int64_t tap = 0; tap < s.kh * s.kw; ++tap) {
      const std::int64_t iy = pixel / ow % oh * s.stride_h - s.pad_h + tap / s.kw * s.dil_h;
      const std::int64_t ix = pixel % ow * s.stride_w - s.pad_w + tap % s.kw * s.dil_w;
      if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
      for (std::int64_t i = 0; i < in; ++i) {
        for (std::int64_t o = 0; o < s.cout; ++o) {
          const std::int64_t in_x = ((pixel / (oh * ow) * s.h + iy) * s.w + ix) * s.cin + o / out * in + i;
          const std::int64_t in_w = (tap * in + i) * s.cout + o, in_y = pixel * s.cout + o;
          sums.y.add(in_y, at(x, in_x) * at(w, in_w));
          sums.a.add(in_x, at(g, in_y) * at(w, in_w));
          sums.b.add(in_w, at(g, in_y) * at(x, in_x));
        }
      }
    }
  }
  return sums;
}

std::string text(const ConvShape& s) {
  std::string all;
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::int64_t>>{{"n ", s.n},
                                                                                               {"h ", s.h},
                                                                                               {"w ", s.w},
                                                                                               {"cin ", s.cin},
                                                                                               {"kh ", s.kh},
                                                                                               {"kw ", s.kw},
                                                                                               {"cout ", s.cout},
                                                                                               {"stride ", s.stride_h},
                                                                                               {"", s.stride_w},
                                                                                               {"pad ", s.pad_h},
                                                                                               {"", s.pad_w},
                                                                                               {"dilation ", s.dil_h},
                                                                                               {"", s.dil_w},
                                                                                               {"groups ", s.groups}})
    all += name + std::to_string(value) + " ";
  return all;
}

// The ways to compute a pass, one by one, whichever conv2d would choose. Results hold nan before.
template <class T>
std::string check_paths(ConvShape s, const Array& x, const Array& w, const Array& g, const Products& expected) {
  s.set_output();
  // With room for an element: kernels are given no null pointers.
  const auto copy = [](const auto& values) {
    std::vector<T> room;
    room.reserve(values.size() + 1);
    room.assign(values.begin(), values.end());
    return room;
  };
  const std::vector<T> in = copy(x.storage()), weights = copy(w.storage()), gradient = copy(g.storage());
  std::string wrong;
  const auto check = [&](const char* name, auto pass, const std::vector<T>& a, const std::vector<T>& b,
                         const Sums& sums) {
    std::vector<T> result = copy(std::vector<T>(sums.value.size(), std::numeric_limits<T>::quiet_NaN()));
    pass(s, a.data(), b.data(), result.data());
    const std::vector<double> wide(result.begin(), result.end());
    const std::string here = test::difference(wide, sums, test::sum_tolerance(sizeof(T) == 8 ? f64 : f32));
    if (!here.empty()) wrong += name + (": " + here) + "; ";
  };
  check("direct forward", detail::direct_forward<T>, in, weights, expected.y);
  if ((s.stride_h == 1 || s.dil_h == 1) && (s.stride_w == 1 || s.dil_w == 1))
    check("direct backward of the input", detail::direct_backward_input<T>, gradient, weights, expected.a);
  check("col2im backward of the input", detail::col2im_backward_input<T>, gradient, weights, expected.a);
  check("direct backward of the weight", detail::direct_backward_weight<T>, in, gradient, expected.b);
  if (s.cin != s.groups || s.cout != s.groups) return wrong;
  check("depthwise forward", detail::depthwise_forward<T>, in, weights, expected.y);
  check("depthwise backward of the input", detail::depthwise_backward_input<T>, gradient, weights, expected.a);
  check("depthwise backward of the weight", detail::depthwise_backward_weight<T>, in, gradient, expected.b);
  return wrong;
}

Tensor convolve(const ConvShape& s, const Tensor& x, const Tensor& w) {
  return conv2d(x, w,
                {.stride = {s.stride_h, s.stride_w},
                 .padding = {s.pad_h, s.pad_w},
                 .dilation = {s.dil_h, s.dil_w},
                 .groups = s.groups});
}

std::string check(const ConvShape& s, int order = 2) {
  std::mt19937_64 engine(3);
  const Array x = drawn(input(s), engine), w = drawn(weight(s), engine), g = drawn(output(s), engine);
  const auto op = [&s](const Tensor& a, const Tensor& b) { return convolve(s, a, b); };
  const auto plain = [&s](const Array& a, const Array& b, const Array& c) { return convolved(s, a, b, c); };
  std::string wrong = test::check_bilinear(op, plain, x, w, g, order);
  const Products expected = convolved(s, x, w, g);
  for (const int threads : {1, 2, 3}) {
    if (test::sanitized && threads < 3) continue;
    const testing::Threads count(threads);
    wrong += check_paths<double>(s, x, w, g, expected) + check_paths<float>(s, x, w, g, expected);
  }
  return wrong;
}

// The transposed convolution of an output's shape, by the same loops: the roles of x and y are exchanged.
std::string check_transposed(const ConvShape& s) {
  std::mt19937_64 engine(4);
  const Array x = drawn(output(s), engine), w = drawn(weight(s), engine), g = drawn(input(s), engine);
  const auto left = [](std::int64_t size, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                       std::int64_t dil) { return size + 2 * pad - dil * (kernel - 1) - 1 - (out - 1) * stride; };
  const ConvTransposeOptions options{
      .stride = {s.stride_h, s.stride_w},
      .padding = {s.pad_h, s.pad_w},
      .output_padding = {left(s.h, test::shape_of(x)[1], s.kh, s.stride_h, s.pad_h, s.dil_h),
                         left(s.w, test::shape_of(x)[2], s.kw, s.stride_w, s.pad_w, s.dil_w)},
      .dilation = {s.dil_h, s.dil_w},
      .groups = s.groups};
  const auto op = [&](const Tensor& a, const Tensor& b) { return conv_transpose2d(a, b, options); };
  const auto plain = [&s](const Array& a, const Array& b, const Array& c) {
    Products sums = convolved(s, c, b, a);
    std::swap(sums.y, sums.a);
    return sums;
  };
  return test::check_bilinear(op, plain, x, w, g);
}

// The same of sequences: s has a height of 1 and no step along it.
std::string check_sequences(const ConvShape& s) {
  std::mt19937_64 engine(5);
  const auto flat = [](auto a, int axis) {
    if constexpr (std::is_same_v<decltype(a), Array>) {
      Shape shape = test::shape_of(a);
      shape.erase(axis);
      return test::reshaped(std::move(a), shape);
    } else {
      a.shape.erase(axis);
      return a;
    }
  };
  const auto image = [](const Array& a, int axis) {
    Shape shape = test::shape_of(a);
    shape.insert(axis, 1);
    return test::reshaped(a, shape);
  };
  const auto plain = [&](const Array& a, const Array& b, const Array& c) {
    const Products sums = convolved(s, image(a, 1), image(b, 0), image(c, 1));
    return Products{flat(sums.y, 1), flat(sums.a, 1), flat(sums.b, 0)};
  };
  const auto plain_transposed = [&](const Array& a, const Array& b, const Array& c) {
    Products sums = plain(c, b, a);
    std::swap(sums.y, sums.a);
    return sums;
  };
  const auto op = [&](const Tensor& a, const Tensor& b) {
    return conv1d(a, b, {.stride = s.stride_w, .padding = s.pad_w, .dilation = s.dil_w, .groups = s.groups});
  };
  const std::int64_t left = s.w + 2 * s.pad_w - s.dil_w * (s.kw - 1) - 1 - (output(s)[2] - 1) * s.stride_w;
  const auto transposed = [&](const Tensor& a, const Tensor& b) {
    return conv_transpose1d(
        a, b,
        {.stride = s.stride_w, .padding = s.pad_w, .output_padding = left, .dilation = s.dil_w, .groups = s.groups});
  };
  const Array x = flat(drawn(input(s), engine), 1), w = flat(drawn(weight(s), engine), 0),
              g = flat(drawn(output(s), engine), 1);
  return test::check_bilinear(op, plain, x, w, g) + test::check_bilinear(transposed, plain_transposed, g, w, x);
}

struct Case {
  const char* name;
  Shape x;
  Pair kernel;
  std::int64_t out;
  ConvOptions options = {};

  ConvShape shape() const {
    const ConvOptions& o = options;
    return {.n = x[0],
            .h = x[1],
            .w = x[2],
            .cin = x[3],
            .kh = kernel.height,
            .kw = kernel.width,
            .cout = out,
            .stride_h = o.stride.height,
            .stride_w = o.stride.width,
            .pad_h = o.padding.height,
            .pad_w = o.padding.width,
            .dil_h = o.dilation.height,
            .dil_w = o.dilation.width,
            .groups = o.groups};
  }
};

void check_all(const std::vector<Case>& cases, int order = 2) {
  for (const Case& one : cases) {
    INFO(one.name, ": ", text(one.shape()));
    CHECK(check(one.shape(), order) == "");
  }
}

}  // namespace

// Vectors of 2 to 16 channels, tiles of 1 to 3 vectors by 16 pixels at most: all sizes below are crossed.
TEST_CASE("tiles of every width and height, of values") {
  for (const std::int64_t cout : {1, 4, 5, 8, 9, 16, 17, 24, 33, 40, 49, 72, 113})
    for (const std::int64_t w : {1, 2, 5, 6, 7, 11, 12, 14, 15, 17, 29}) {
      const ConvShape s{.n = 1, .h = 2, .w = w, .cin = 4, .kh = 2, .kw = 3, .cout = cout, .pad_h = 1, .pad_w = 1};
      INFO(text(s));
      CHECK(check(s, 1) == "");
    }
}

TEST_CASE("tiles of every width and height, of weight gradients") {
  for (const std::int64_t cin : {1, 2, 3, 5, 7, 8, 9, 13, 15, 17, 25, 33, 50})
    for (const std::int64_t cout : {1, 3, 7, 8, 9, 14, 16, 17, 31, 65}) {
      const ConvShape s{.n = 2, .h = 3, .w = 4, .cin = cin, .kh = 2, .kw = 2, .cout = cout, .pad_w = 1};
      INFO(text(s));
      CHECK(check(s, 1) == "");
    }
}

TEST_CASE("direct convolution") {
  check_all({
      {"no axis like another", {2, 9, 7, 3}, {2, 3}, 5, {.stride = {1, 2}, .padding = {2, 1}}},
      {"dilation of rows", {2, 8, 5, 5}, {3, 2}, 6, {.padding = {1, 0}, .dilation = {3, 1}}},
      {"dilation of columns", {2, 5, 9, 5}, {2, 3}, 6, {.padding = {0, 3}, .dilation = {1, 2}}},
      {"stride of rows, dilation of columns",
       {1, 8, 9, 4},
       3,
       7,
       {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}}},
      {"dilation of rows, stride of columns",
       {1, 8, 9, 4},
       3,
       7,
       {.stride = {1, 3}, .padding = {1, 2}, .dilation = {2, 1}}},
      {"three neighbouring taps", {1, 4, 30, 5}, {1, 3}, 3, {.padding = {0, 1}}},
      {"three taps inside", {1, 4, 13, 5}, 3, 3},
      {"three taps without the last", {1, 5, 12, 4}, 3, 2, {.stride = {1, 2}, .padding = {0, 2}, .dilation = {1, 2}}},
      {"a kernel wider than the image", {2, 2, 2, 3}, 5, 4, {.padding = 2}},
      {"5x5, more than one pixel at the ends", {1, 6, 19, 3}, 5, 9, {.padding = 2}},
      {"windows of padding alone", {1, 3, 2, 3}, {2, 1}, 4, {.padding = {4, 3}}},
      {"positions that no tap reaches", {2, 7, 8, 5}, {1, 2}, 6, {.stride = {2, 3}}},
      {"strides longer than the image", {2, 2, 1, 5}, 1, 6, {.stride = {3, 4}}},
      {"rows and columns that no window covers", {1, 8, 9, 5}, {3, 2}, 3, {.stride = {4, 5}}},
      {"more channels than are packed at once", {1, 3, 3, 5}, 2, 130},
      {"groups", {2, 4, 5, 9}, {3, 2}, 15, {.padding = {1, 0}, .groups = 3}},
      {"groups of wide channels", {2, 3, 4, 36}, 2, 50, {.stride = {1, 2}, .padding = {0, 1}, .groups = 2}},
      {"channel multiplier", {2, 5, 4, 5}, {3, 2}, 15, {.padding = {1, 0}, .groups = 5}},
      {"channels joined", {2, 5, 4, 12}, {3, 2}, 4, {.padding = {0, 1}, .groups = 4}},
  });
}

TEST_CASE("convolutions without spatial extent") {
  check_all({
      {"long rows", {2, 4, 5, 7}, 1, 9},
      {"one image", {1, 4, 5, 7}, 1, 9},
      {"long rows of groups", {3, 3, 5, 12}, 1, 20, {.groups = 4}},
      {"with stride", {2, 5, 7, 6}, 1, 5, {.stride = {2, 3}}},
      {"with stride of rows", {2, 5, 4, 6}, 1, 5, {.stride = {2, 1}}},
      {"with stride of columns", {2, 4, 5, 6}, 1, 5, {.stride = {1, 2}}},
      {"with padding of rows", {2, 3, 2, 6}, 1, 5, {.padding = {1, 0}}},
      {"with padding of columns", {2, 3, 2, 6}, 1, 5, {.padding = {0, 2}}},
      {"wide: as one product", {1, 2, 3, 65}, 1, 67},
      {"wide with stride", {1, 5, 3, 65}, 1, 67, {.stride = {2, 1}}},
      {"wide groups", {1, 2, 3, 132}, 1, 130, {.groups = 2}},
  });
}

TEST_CASE("the gradient of the input by folding") {
  check_all({
      {"strides and dilations", {2, 8, 11, 5}, {2, 3}, 6, {.stride = {2, 3}, .padding = {1, 2}, .dilation = {3, 2}}},
      {"strides and dilations of rows",
       {1, 9, 4, 6},
       {3, 2},
       7,
       {.stride = {2, 1}, .padding = {0, 1}, .dilation = {2, 1}}},
      {"strides and dilations of columns",
       {1, 4, 9, 6},
       {2, 3},
       7,
       {.stride = {1, 2}, .padding = {1, 0}, .dilation = {1, 2}}},
      {"few channels of many, f32", {2, 5, 7, 4}, {2, 3}, 64, {.stride = {1, 2}, .padding = {1, 2}}},
      {"few channels of many, f64",
       {2, 5, 4, 2},
       {3, 2},
       65,
       {.stride = {2, 1}, .padding = {0, 1}, .dilation = {1, 2}}},
      {"groups", {2, 6, 5, 6}, {3, 2}, 9, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {2, 1}, .groups = 3}},
      {"groups of few channels of many", {1, 4, 3, 4}, {2, 3}, 140, {.padding = {0, 1}, .groups = 2}},
  });
}

TEST_CASE("depthwise convolution") {
  for (const std::int64_t channels : {2, 3, 4, 5, 8, 9, 16, 17, 31, 33})
    check_all({
        {"3x3", {2, 4, 5, channels}, 3, channels, {.padding = 1, .groups = channels}},
        {"no axis like another",
         {3, 9, 7, channels},
         {2, 4},
         channels,
         {.stride = {3, 2}, .padding = {1, 3}, .dilation = {3, 2}, .groups = channels}},
    });
}

TEST_CASE("sizes of zero") {
  check_all({
      {"no image", {0, 5, 4, 5}, {3, 2}, 6},
      {"no image to fold", {0, 5, 4, 2}, {3, 2}, 64},
      {"no image, depthwise", {0, 5, 4, 5}, {3, 2}, 5, {.groups = 5}},
      {"no image, one product", {0, 5, 4, 64}, 1, 64},
      {"no input channel", {2, 5, 4, 0}, {3, 2}, 6},
      {"no output channel", {2, 5, 4, 6}, {3, 2}, 0},
      {"no row but padding", {2, 0, 4, 5}, 2, 6, {.padding = {1, 0}}},
      {"no column but padding", {2, 3, 0, 5}, 2, 6, {.padding = {0, 2}}},
  });
}

// Work enough for two threads in one image and in several, for a second block of pixels, and a last one that is not
// full.
TEST_CASE("blocks and threads") {
  check_all(
      {
          {"rows of one image", {1, 19, 21, 11}, 3, 27, {.padding = 1}},
          {"images that share blocks", {7, 9, 8, 5}, {3, 2}, 70, {.padding = {1, 0}}},
          {"images of several blocks", {3, 23, 30, 3}, 3, 20, {.padding = 1}},
          {"rows longer than a block", {1, 3, 300, 9}, {2, 3}, 20, {.padding = {0, 1}}},
          {"swapped partial sums", {3, 12, 13, 32}, 3, 10, {.padding = {1, 0}}},
          {"groups", {3, 13, 11, 24}, 3, 32, {.padding = 1, .groups = 2}},
          {"phases", {2, 23, 21, 24}, 3, 36, {.stride = 2, .padding = {1, 0}}},
          {"many weights", {4, 5, 3, 176}, {5, 2}, 176},
          {"bands of rows", {1, 9, 64, 260}, {1, 2}, 9, {.stride = {1, 3}}},
          {"long rows", {3, 13, 17, 40}, 1, 83},
          {"one product", {3, 13, 13, 64}, 1, 69},
          {"folded tiles", {1, 31, 33, 40}, 3, 6, {.stride = 2, .dilation = {2, 1}}},
          {"folded images", {5, 17, 15, 4}, 3, 66, {.padding = {1, 0}}},
          {"depthwise", {3, 21, 20, 67}, 3, 67, {.padding = {1, 0}, .groups = 67}},
          {"one product for three threads", {5, 13, 13, 64}, 1, 69},
          {"partial sums of three threads", {5, 12, 13, 32}, 3, 17, {.padding = {1, 0}}},
          {"folded images for three threads", {7, 17, 15, 4}, 3, 90, {.padding = {1, 0}}},
          {"depthwise for three threads", {5, 31, 33, 67}, 3, 67, {.padding = {1, 0}, .groups = 67}},
          {"depthwise, one image", {1, 37, 31, 67}, 3, 67, {.padding = {0, 1}, .groups = 67}},
      },
      1);
}

TEST_CASE("a sweep over sizes") {
  std::mt19937_64 engine(11);
  int tried = 0;
  while (tried < 300) {
    const auto of = [&](std::initializer_list<std::int64_t> choices) { return pick(engine, choices); };
    ConvShape s{.n = of({1, 1, 2, 3}), .h = of({1, 3, 5, 6, 8, 12}), .w = of({1, 2, 4, 7, 10, 13})};
    s.kh = of({1, 1, 2, 3, 4, 5});
    s.kw = of({1, 1, 2, 3, 3, 5});
    s.stride_h = of({1, 1, 1, 2, 3});
    s.stride_w = of({1, 1, 1, 2, 4});
    s.pad_h = of({0, 1, 2, 3});
    s.pad_w = of({0, 1, 2, 4});
    s.dil_h = of({1, 1, 1, 2, 3});
    s.dil_w = of({1, 1, 1, 2, 3});
    s.groups = of({1, 1, 1, 2, 3, 5});
    const std::int64_t kind = of({0, 0, 0, 0, 1, 2});
    const bool depthwise = kind == 1 && s.groups > 1, wide = kind == 2;
    s.cin = s.groups * (depthwise ? 1 : wide ? of({1, 2, 3, 4, 64}) : of({1, 2, 3, 5, 8, 9, 17}));
    s.cout = s.groups * (depthwise ? 1 : wide ? of({64, 70}) : of({1, 2, 3, 4, 7, 8, 16, 19}));
    const Shape y = output(s);
    if (y[1] < 1 || y[2] < 1 || y.size() * s.kh * s.kw * (s.cin / s.groups) > 100000) continue;
    ++tried;
    INFO(text(s));
    CHECK(check(s) == "");
    CHECK(check_transposed(s) == "");
    s.h = s.kh = s.stride_h = s.dil_h = 1;
    s.pad_h = 0;
    CHECK(check_sequences(s) == "");
  }
}

TEST_CASE("gradients of gradients agree with differences") {
  const Case cases[] = {
      {"direct", {1, 4, 3, 3}, {2, 3}, 2, {.stride = {2, 1}, .padding = {0, 1}}},
      {"dilation of rows", {1, 5, 3, 2}, 2, 3, {.padding = {0, 1}, .dilation = {2, 1}}},
      {"groups", {1, 3, 3, 4}, {2, 1}, 6, {.groups = 2}},
      {"long rows", {2, 2, 2, 3}, 1, 4},
      {"one product", {1, 1, 2, 64}, 1, 64},
      {"folded for strides", {1, 5, 4, 2}, 2, 3, {.stride = {2, 1}, .padding = {0, 1}, .dilation = {2, 1}}},
      {"folded for channels", {1, 3, 2, 1}, 2, 64, {.padding = {0, 1}}},
      {"depthwise", {2, 4, 3, 5}, {2, 3}, 5, {.stride = {2, 1}, .padding = {0, 1}, .groups = 5}},
  };
  for (const Case& one : cases) {
    INFO(one.name);
    const ConvShape s = one.shape();
    std::mt19937_64 engine(5);
    const Tensors inputs{test::to_tensor(drawn(input(s), engine), f64), test::to_tensor(drawn(weight(s), engine), f64)};
    const std::function<Tensor(const Tensors&)> f = [&s](const Tensors& in) { return convolve(s, in[0], in[1]); };
    const GradcheckResult result = gradcheck(f, inputs, {.order = 2, .fast = true});
    INFO(result.message);
    CHECK(result.ok);
  }
}
