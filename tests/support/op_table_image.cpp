// Rows of what is done to images and sequences: convolution and its transpose, pooling, resampling.
#include <algorithm>
#include <cmath>

#include <tests/support/op_table.hpp>
#include <weft/ops/conv.hpp>
#include <weft/ops/pool.hpp>
#include <weft/ops/resample.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

Array convolved(const Array& x, const Array& w, const ConvOptions& o) {
  const auto out_size = [](std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                           std::int64_t dilation) {
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  const Shape image = shape_of(x), kernel = shape_of(w);
  const std::int64_t inner = kernel[2], out_per_group = kernel[3] / o.groups;
  const Shape shape = {image[0], out_size(image[1], kernel[0], o.stride.height, o.padding.height, o.dilation.height),
                       out_size(image[2], kernel[1], o.stride.width, o.padding.width, o.dilation.width), kernel[3]};
  return indexed(shape, [&](const Index& i) {
    double total = 0;
    for_each_index({kernel[0], kernel[1], inner}, [&](const Index& k) {
      const std::int64_t row = i[1] * o.stride.height - o.padding.height + k[0] * o.dilation.height;
      const std::int64_t column = i[2] * o.stride.width - o.padding.width + k[1] * o.dilation.width;
      if (row < 0 || row >= image[1] || column < 0 || column >= image[2]) return;
      total +=
          element(x, {i[0], row, column, i[3] / out_per_group * inner + k[2]}) * element(w, {k[0], k[1], k[2], i[3]});
    });
    return total;
  });
}

void add_conv_rows(std::vector<OpRow>& rows) {
  const auto conv = [&](const char* variant, const ConvOptions& options, std::vector<Inputs> cases,
                        std::vector<Inputs> large) -> OpRow& {
    rows.push_back({
        .name = "conv2d",
        .variant = variant,
        .function = one([=](In in) { return conv2d(in[0], in[1], options); }),
        .cases = std::move(cases),
        .large = std::move(large),
        .reference = naive([=](const Arrays& in) { return convolved(in[0], in[1], options); }),
        .f32_tolerance = 1e-4,
    });
    return rows.back();
  };
  OpRow& same = conv("3x3", {.padding = 1},
                     {{{{2, 5, 4, 3}}, {{3, 3, 3, 4}}},
                      {{{1, 4, 4, 16}}, {{3, 3, 16, 16}}},
                      {{{1, 1, 1, 1}}, {{3, 3, 1, 1}}},
                      {{{0, 4, 4, 2}}, {{3, 3, 2, 3}}}},
                     {{{{3, 37, 35, 17}}, {{3, 3, 17, 5}}},
                      {{{2, 12, 11, 17}}, {{3, 3, 17, 50}}},
                      {{{2, 24, 23, 2}}, {{3, 3, 2, 65}}}});
  same.no_single = "the kernel has nine";
  same.sized = [](std::int64_t n) {
    return Inputs{{{std::max<std::int64_t>(1, n / 16384), 32, 32, 16}}, {{3, 3, 16, 16}}};
  };
  same.flops = [](std::int64_t n) {
    return 2.0 * 9 * 16 * 16 * 32 * 32 * static_cast<double>(std::max<std::int64_t>(1, n / 16384));
  };
  conv("1x1", {},
       {{{{2, 3, 4, 3}}, {{1, 1, 3, 4}}}, {{{1, 1, 1, 1}}, {{1, 1, 1, 1}}}, {{{0, 3, 3, 2}}, {{1, 1, 2, 2}}}},
       {{{{3, 47, 43, 11}}, {{1, 1, 11, 37}}}, {{{2, 23, 22, 65}}, {{1, 1, 65, 66}}}});
  conv("1x1 with stride", {.stride = 2},
       {{{{2, 5, 4, 3}}, {{1, 1, 3, 4}}}, {{{1, 1, 1, 1}}, {{1, 1, 1, 1}}}, {{{0, 3, 3, 2}}, {{1, 1, 2, 2}}}},
       {{{{3, 47, 43, 11}}, {{1, 1, 11, 37}}}});
  conv("3x3 with stride", {.stride = 2, .padding = 1},
       {{{{2, 5, 6, 3}}, {{3, 3, 3, 4}}}, {{{1, 4, 4, 2}}, {{3, 3, 2, 1}}}, {{{0, 5, 5, 2}}, {{3, 3, 2, 2}}}},
       {{{{3, 37, 36, 17}}, {{3, 3, 17, 18}}}})
      .no_single = "the kernel has nine";
  conv("uneven", {.stride = {2, 1}, .padding = {0, 2}, .dilation = {1, 2}},
       {{{{2, 6, 5, 2}}, {{2, 3, 2, 3}}}, {{{1, 1, 1, 1}}, {{1, 1, 1, 1}}}, {{{0, 5, 5, 2}}, {{2, 3, 2, 2}}}},
       {{{{3, 37, 36, 17}}, {{2, 3, 17, 18}}}});
  conv("stride and dilation", {.stride = 2, .padding = 1, .dilation = 2},
       {{{{2, 7, 6, 2}}, {{3, 3, 2, 3}}}, {{{0, 5, 5, 2}}, {{3, 3, 2, 2}}}}, {{{{2, 64, 63, 17}}, {{3, 3, 17, 9}}}})
      .no_single = "the kernel has nine";
  conv("groups", {.padding = 1, .groups = 2},
       {{{{2, 4, 4, 4}}, {{3, 3, 2, 6}}}, {{{1, 3, 3, 2}}, {{3, 3, 1, 2}}}, {{{0, 4, 4, 4}}, {{3, 3, 2, 2}}}},
       {{{{3, 37, 35, 18}}, {{3, 3, 9, 10}}}})
      .no_single = "the kernel has nine";
  conv("depthwise", {.padding = 1, .groups = 37}, {{{{1, 3, 2, 37}}, {{3, 3, 1, 37}}}},
       {{{{3, 26, 25, 37}}, {{3, 3, 1, 37}}}});
  rows.back().no_empty = rows.back().no_single = "one number of channels";
}

// An operand of conv1d as one of conv2d, and a result back.
Array with_height(const Array& a, int axis) {
  Shape shape = shape_of(a);
  shape.insert(axis, 1);
  return reshaped(a, shape);
}
Array without_height(const Array& a) {
  Shape shape = shape_of(a);
  shape.erase(1);
  return reshaped(a, shape);
}

// Every pixel and tap adds to the result where a convolution would read.
Array transposed(const Array& x, const Array& w, const ConvTransposeOptions& o) {
  const auto size = [](std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                       std::int64_t dilation, std::int64_t extra) {
    return (in - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1;
  };
  const Shape image = shape_of(x), kernel = shape_of(w);
  const std::int64_t outer = kernel[2], in_per_group = kernel[3] / o.groups;
  const Shape shape = {
      image[0],
      size(image[1], kernel[0], o.stride.height, o.padding.height, o.dilation.height, o.output_padding.height),
      size(image[2], kernel[1], o.stride.width, o.padding.width, o.dilation.width, o.output_padding.width),
      outer * o.groups};
  Array y = zeros_of(shape);
  for_each_index(shape_of(x), [&](const Index& i) {
    for_each_index({kernel[0], kernel[1], outer}, [&](const Index& k) {
      const std::int64_t row = i[1] * o.stride.height - o.padding.height + k[0] * o.dilation.height;
      const std::int64_t column = i[2] * o.stride.width - o.padding.width + k[1] * o.dilation.width;
      if (row < 0 || row >= shape[1] || column < 0 || column >= shape[2]) return;
      element(y, {i[0], row, column, i[3] / in_per_group * outer + k[2]}) +=
          element(x, i) * element(w, {k[0], k[1], k[2], i[3]});
    });
  });
  return y;
}

void add_transposed_rows(std::vector<OpRow>& rows) {
  const auto add = [&](const char* variant, const ConvTransposeOptions& options, std::vector<Inputs> cases,
                       std::vector<Inputs> large) -> OpRow& {
    rows.push_back({
        .name = "conv_transpose2d",
        .variant = variant,
        .function = one([=](In in) { return conv_transpose2d(in[0], in[1], options); }),
        .cases = std::move(cases),
        .large = std::move(large),
        .reference = naive([=](const Arrays& in) { return transposed(in[0], in[1], options); }),
        .f32_tolerance = 1e-4,
    });
    return rows.back();
  };
  OpRow& usual =
      add("3x3 with stride", {.stride = 2, .padding = 1, .output_padding = 1},
          {{{{2, 3, 4, 3}}, {{3, 3, 4, 3}}}, {{{1, 1, 1, 1}}, {{3, 3, 1, 1}}}, {{{0, 2, 2, 2}}, {{3, 3, 3, 2}}}},
          {{{{3, 19, 18, 17}}, {{3, 3, 5, 17}}}, {{{2, 24, 23, 65}}, {{3, 3, 2, 65}}}});
  usual.no_single = "the kernel has nine";
  usual.sized = [](std::int64_t n) {
    return Inputs{{{std::max<std::int64_t>(1, n / 16384), 32, 32, 16}}, {{3, 3, 16, 16}}};
  };
  usual.flops = [](std::int64_t n) {
    return 2.0 * 9 * 16 * 16 * 32 * 32 * static_cast<double>(std::max<std::int64_t>(1, n / 16384));
  };
  add("1x1", {}, {{{{2, 3, 4, 3}}, {{1, 1, 4, 3}}}, {{{1, 1, 1, 1}}, {{1, 1, 1, 1}}}, {{{0, 3, 3, 2}}, {{1, 1, 2, 2}}}},
      {{{{3, 47, 43, 11}}, {{1, 1, 37, 11}}}});
  add("uneven", {.stride = {3, 1}, .padding = {0, 2}, .output_padding = {2, 0}, .dilation = {1, 2}},
      {{{{2, 3, 4, 2}}, {{2, 3, 3, 2}}}, {{{0, 5, 5, 2}}, {{2, 3, 2, 2}}}}, {{{{3, 37, 36, 17}}, {{2, 3, 18, 17}}}})
      .no_single = "the kernel has six";
  add("stride, dilation and groups", {.stride = 2, .padding = 1, .dilation = 2, .groups = 2},
      {{{{2, 3, 2, 4}}, {{3, 2, 3, 4}}}, {{{0, 5, 5, 4}}, {{3, 3, 2, 4}}}}, {{{{2, 54, 43, 18}}, {{3, 3, 9, 18}}}})
      .no_single = "two groups";
  add("depthwise", {.stride = 2, .groups = 37}, {{{{1, 2, 2, 37}}, {{3, 3, 1, 37}}}},
      {{{{3, 26, 25, 37}}, {{3, 3, 1, 37}}}});
  rows.back().no_empty = rows.back().no_single = "one number of channels";
}

// Along one axis only.
void add_sequence_rows(std::vector<OpRow>& rows) {
  const auto longer = [](std::int64_t n) {
    return Inputs{{{std::max<std::int64_t>(1, n / 16384), 1024, 16}}, {{3, 16, 16}}};
  };
  const auto flops = [](std::int64_t n) {
    return 2.0 * 3 * 16 * 16 * 1024 * static_cast<double>(std::max<std::int64_t>(1, n / 16384));
  };
  rows.push_back({.name = "conv1d",
                  .function = one([](In in) { return conv1d(in[0], in[1], {.padding = 1}); }),
                  .cases = {{{{2, 5, 3}}, {{3, 3, 4}}}, {{{1, 1, 1}}, {{1, 1, 1}}}, {{{0, 4, 2}}, {{3, 2, 3}}}},
                  .large = {{{{3, 1'337, 17}}, {{3, 17, 5}}}, {{{1, 5'001, 9}}, {{3, 9, 20}}}},
                  .reference = naive([](const Arrays& in) {
                    return without_height(convolved(with_height(in[0], 1), with_height(in[1], 0), {.padding = {0, 1}}));
                  }),
                  .f32_tolerance = 1e-4,
                  .sized = longer,
                  .flops = flops});
  rows.push_back(
      {.name = "conv1d",
       .variant = "all options",
       .function =
           one([](In in) { return conv1d(in[0], in[1], {.stride = 3, .padding = 2, .dilation = 2, .groups = 2}); }),
       .cases = {{{{2, 7, 4}}, {{3, 2, 6}}}, {{{0, 4, 2}}, {{3, 1, 2}}}},
       .large = {{{{3, 1'337, 18}}, {{3, 9, 10}}}},
       .reference = naive([](const Arrays& in) {
         return without_height(convolved(with_height(in[0], 1), with_height(in[1], 0),
                                         {.stride = {1, 3}, .padding = {0, 2}, .dilation = {1, 2}, .groups = 2}));
       }),
       .f32_tolerance = 1e-4,
       .no_single = "two groups"});
  rows.push_back(
      {.name = "conv_transpose1d",
       .function = one([](In in) {
         return conv_transpose1d(in[0], in[1],
                                 {.stride = 3, .padding = 1, .output_padding = 2, .dilation = 2, .groups = 2});
       }),
       .cases = {{{{2, 4, 4}}, {{3, 3, 4}}}, {{{0, 4, 2}}, {{3, 2, 2}}}},
       .large = {{{{3, 1'337, 18}}, {{3, 5, 18}}}},
       .reference = naive([](const Arrays& in) {
         return without_height(transposed(
             with_height(in[0], 1), with_height(in[1], 0),
             {.stride = {1, 3}, .padding = {0, 1}, .output_padding = {0, 2}, .dilation = {1, 2}, .groups = 2}));
       }),
       .f32_tolerance = 1e-4,
       .no_single = "two groups",
       .sized = longer,
       .flops = flops});
}

Array pooled(const Array& x, const PoolOptions& o, bool maximum) {
  const Shape image = shape_of(x);
  const Pair stride = o.stride.value_or(o.kernel);
  const Shape shape = {image[0], (image[1] + 2 * o.padding.height - o.kernel.height) / stride.height + 1,
                       (image[2] + 2 * o.padding.width - o.kernel.width) / stride.width + 1, image[3]};
  return indexed(shape, [&](const Index& i) {
    double top = -INFINITY, total = 0;
    for_each_index({o.kernel.height, o.kernel.width}, [&](const Index& k) {
      const std::int64_t row = i[1] * stride.height - o.padding.height + k[0];
      const std::int64_t column = i[2] * stride.width - o.padding.width + k[1];
      if (row < 0 || row >= image[1] || column < 0 || column >= image[2]) return;
      const double value = element(x, {i[0], row, column, i[3]});
      total += value;
      top = std::isnan(value) || std::isnan(top) ? NAN : std::max(top, value);
    });
    return maximum ? top : total / static_cast<double>(o.kernel.height * o.kernel.width);
  });
}

void add_pool_rows(std::vector<OpRow>& rows) {
  const auto images = [](std::int64_t n) { return Inputs{{{std::max<std::int64_t>(1, n / 16384), 32, 32, 16}}}; };
  const std::pair<const char*, PoolOptions> kinds[] = {{"2x2", {}},
                                                       {"3x3 overlapping", {.kernel = 3, .stride = 2, .padding = 1}},
                                                       {"uneven", {.kernel = {1, 3}, .stride = Pair(2, 1)}}};
  for (const auto& kind : kinds) {
    const PoolOptions options = kind.second;
    OpRow row;
    row.variant = kind.first;
    row.cases = {{{{2, 4, 5, 3}, apart}}, {{{1, 3, 3, 1}, apart}}, {{{0, 4, 4, 2}, apart}}};
    const auto large = [](const Domain& domain) {
      return std::vector<Inputs>{{{{2, 16, 15, 300}, domain}}, {{{5, 47, 45, 7}, domain}}};
    };
    row.no_single = "a window needs its size";
    row.sized = images;
    row.name = "max_pool2d";
    row.large = large(apart);
    row.function = one([=](In in) { return max_pool2d(in[0], options); });
    row.reference = naive([=](const Arrays& in) { return pooled(in[0], options, true); });
    rows.push_back(row);
    row.name = "avg_pool2d";
    row.large = large(any);
    row.function = one([=](In in) { return avg_pool2d(in[0], options); });
    row.reference = naive([=](const Arrays& in) { return pooled(in[0], options, false); });
    rows.push_back(row);
  }
  rows.push_back({.name = "global_avg_pool",
                  .function = one([](In in) { return global_avg_pool(in[0]); }),
                  .cases = {{{{2, 4, 5, 3}}}, {{{1, 1, 1, 1}}}, {{{0, 2, 2, 3}}}},
                  .large = {{{{5, 31, 29, 23}}}, {{{2, 9, 8, 700}}}},
                  .reference = naive([](const Arrays& in) {
                    return reduced(in[0], {1, 2}, false, [](const std::vector<double>& v) {
                      double total = 0;
                      for (const double x : v) total += x;
                      return total / static_cast<double>(v.size());
                    });
                  }),
                  .sized = images});
}

// Windows from floor to ceil, in numbers as they are on paper.
Array adaptively_pooled(const Array& x, Pair size) {
  const Shape image = shape_of(x);
  const auto edge = [](std::int64_t i, std::int64_t in, std::int64_t out) {
    return static_cast<double>(i) * static_cast<double>(in) / static_cast<double>(out);
  };
  return indexed({image[0], size.height, size.width, image[3]}, [&](const Index& i) {
    double total = 0, count = 0;
    for_each_index({image[1], image[2]}, [&](const Index& k) {
      const auto row = static_cast<double>(k[0]), column = static_cast<double>(k[1]);
      if (row < std::floor(edge(i[1], image[1], size.height)) ||
          row >= std::ceil(edge(i[1] + 1, image[1], size.height)) ||
          column < std::floor(edge(i[2], image[2], size.width)) ||
          column >= std::ceil(edge(i[2] + 1, image[2], size.width)))
        return;
      total += element(x, {i[0], k[0], k[1], i[3]});
      ++count;
    });
    return total / count;
  });
}

// How an axis is resampled: to `out` positions, of which o stands at o * step.
struct Axis {
  std::int64_t out;
  double step;
};

// Each pixel of the result from the weights that every pixel of x has in it.
Array resampled(const Array& x, Axis rows, Axis columns, UpsampleMode mode, bool align_corners) {
  const Shape image = shape_of(x);
  const auto weight = [&](std::int64_t i, std::int64_t o, std::int64_t in, const Axis& axis) {
    const auto place = static_cast<double>(o), last = static_cast<double>(in - 1);
    if (mode == UpsampleMode::nearest)
      return std::min(std::floor(place * axis.step), last) == static_cast<double>(i) ? 1.0 : 0.0;
    double at = (place + 0.5) * axis.step - 0.5;
    if (align_corners) at = axis.out == 1 ? 0 : place * last / static_cast<double>(axis.out - 1);
    at = std::clamp(at, 0.0, last);
    return std::max(0.0, 1 - std::abs(at - static_cast<double>(i)));
  };
  return indexed({image[0], rows.out, columns.out, image[3]}, [&](const Index& i) {
    double total = 0;
    for (std::int64_t h = 0; h < image[1]; ++h) {
      const double down = weight(h, i[1], image[1], rows);
      if (down == 0) continue;
      for (std::int64_t w = 0; w < image[2]; ++w) {
        const double across = weight(w, i[2], image[2], columns);
        if (across != 0) total += down * across * element(x, {i[0], h, w, i[3]});
      }
    }
    return total;
  });
}

void add_resample_rows(std::vector<OpRow>& rows) {
  const auto images = [](std::int64_t n) { return Inputs{{{std::max<std::int64_t>(1, n / 16384), 32, 32, 16}}}; };
  for (const auto& [variant, size] :
       std::initializer_list<std::pair<const char*, Pair>>{{"smaller", {2, 3}}, {"larger", {7, 5}}, {"one pixel", 1}}) {
    const Pair to = size;
    rows.push_back({.name = "adaptive_avg_pool2d",
                    .variant = variant,
                    .function = one([=](In in) { return adaptive_avg_pool2d(in[0], to); }),
                    .cases = {{{{2, 5, 4, 3}}}, {{{1, 1, 1, 1}}}, {{{0, 2, 2, 3}}}},
                    .large = {{{{5, 31, 29, 23}}}, {{{2, 9, 8, 700}}}, {{{3, 149, 151, 1}}}},
                    .reference = naive([=](const Arrays& in) { return adaptively_pooled(in[0], to); })});
    if (to.height < 7) rows.back().sized = images;
  }

  const auto add = [&](const char* variant, const UpsampleOptions& options, auto axes) {
    rows.push_back({.name = "upsample",
                    .variant = variant,
                    .function = one([=](In in) { return upsample(in[0], options); }),
                    .cases = {{{{2, 3, 4, 3}}}, {{{1, 1, 1, 1}}}, {{{0, 2, 2, 3}}}},
                    .large = {{{{3, 31, 29, 25}}}, {{{2, 7, 8, 603}}}, {{{3, 149, 151, 1}}}, {{{2, 103, 107, 3}}}},
                    .reference = naive([=](const Arrays& in) {
                      const auto [down, across] = axes(shape_of(in[0]));
                      return resampled(in[0], down, across, options.mode, options.align_corners);
                    })});
  };
  const auto by = [](double down, double across) {
    return [=](const Shape& x) {
      const auto axis = [](std::int64_t in, double factor) {
        return Axis{static_cast<std::int64_t>(std::floor(static_cast<double>(in) * factor)), 1 / factor};
      };
      return std::pair(axis(x[1], down), axis(x[2], across));
    };
  };
  const auto to = [](std::int64_t height, std::int64_t width) {
    return [=](const Shape& x) {
      const auto axis = [](std::int64_t in, std::int64_t out) {
        return Axis{out, static_cast<double>(in) / static_cast<double>(out)};
      };
      return std::pair(axis(x[1], height), axis(x[2], width));
    };
  };
  constexpr UpsampleMode bilinear = UpsampleMode::bilinear;
  add("nearest", {.scale = 2}, by(2, 2));
  rows.back().sized = images;
  add("nearest, by halves", {.scale = {1.5, 2.5}}, by(1.5, 2.5));
  add("nearest, smaller", {.size = {2, 3}}, to(2, 3));
  add("bilinear", {.scale = 2, .mode = bilinear}, by(2, 2));
  rows.back().sized = images;
  add("bilinear, by halves", {.scale = {1.5, 2.5}, .mode = bilinear}, by(1.5, 2.5));
  add("bilinear, to a size", {.size = {5, 2}, .mode = bilinear}, to(5, 2));
  add("corners aligned", {.size = {5, 7}, .mode = bilinear, .align_corners = true}, to(5, 7));
  add("corners aligned, to a row", {.size = {1, 4}, .mode = bilinear, .align_corners = true}, to(1, 4));
  rows.push_back({.name = "upsample",
                  .variant = "linear",
                  .function = one([](In in) { return upsample(in[0], 4, UpsampleMode::bilinear); }),
                  .cases = {{{{2, 4, 3}}}, {{{1, 1, 1}}}, {{{0, 2, 3}}}},
                  .large = {{{{3, 4'801, 5}}}},
                  .reference = naive([=](const Arrays& in) {
                    const Array x = with_height(in[0], 1);
                    return without_height(resampled(x, {1, 1}, by(1, 4)(shape_of(x)).second, bilinear, false));
                  })});
}

}  // namespace

void add_image_rows(std::vector<OpRow>& rows) {
  add_conv_rows(rows);
  add_transposed_rows(rows);
  add_sequence_rows(rows);
  add_pool_rows(rows);
  add_resample_rows(rows);
}

}  // namespace weft::test
