// Rows of matrix products, convolution, pooling, normalisation, dropout and fused functions.
#include <algorithm>
#include <cmath>

#include <tests/support/op_table.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/conv.hpp>
#include <weft/ops/dropout.hpp>
#include <weft/ops/fused.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/normalization.hpp>
#include <weft/ops/pool.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

Array product(Array a, Array b) {
  Shape left = shape_of(a), right = shape_of(b);
  const bool row = left.rank() == 1, column = right.rank() == 1;
  if (row) left.insert(0, 1);
  if (column) right.append(1);
  a = reshaped(a, left), b = reshaped(b, right);
  const int ra = left.rank(), rb = right.rank();
  const std::int64_t rows = left[ra - 2], inner = left[ra - 1], columns = right[rb - 1];
  left.erase(ra - 1), left.erase(ra - 2), right.erase(rb - 1), right.erase(rb - 2);
  Shape shape = detail::broadcast_shapes("test", left, right);
  shape.append(rows);
  shape.append(columns);
  Array out = indexed(shape, [&](const Index& i) {
    double total = 0;
    for (std::int64_t k = 0; k < inner; ++k) {
      Index at = i, bt = i;
      at[i.size() - 1] = k;
      bt[i.size() - 2] = k;
      total += element(a, at) * element(b, bt);
    }
    return total;
  });
  if (row) shape.erase(shape.rank() - 2);
  if (column) shape.erase(shape.rank() - 1);
  return reshaped(out, shape);
}

void add_matmul_rows(std::vector<OpRow>& rows) {
  const std::string shared_product = "OpenBLAS shares a large product out among the threads";
  rows.push_back({.name = "matmul",
                  .function = one([](In in) { return matmul(in[0], in[1]); }),
                  .cases = {{{{3, 4}}, {{4, 5}}},
                            {{{17, 3}}, {{3, 9}}},
                            {{{2, 3, 4}}, {{2, 4, 2}}},
                            {{{2, 3, 4}}, {{4, 2}}},
                            {{{3, 4}}, {{2, 4, 2}}},
                            {{{2, 1, 3, 2}}, {{3, 2, 2}}},
                            {{{4}}, {{4}}},
                            {{{4}}, {{4, 3}}},
                            {{{3, 4}}, {{4}}},
                            {{{2, 3, 4}}, {{4}}},
                            {{{3}}, {{2, 3, 2}}},
                            {{{1, 1}}, {{1, 1}}},
                            {{{0, 3}}, {{3, 2}}},
                            {{{2, 0}}, {{0, 3}}},
                            {{{0, 2, 3}}, {{3, 2}}}},
                  .large = {{{{2'111, 33}}, {{33, 9}}},
                            {{{257, 130}}, {{130, 131}}},
                            {{{2, 12, 70, 41}}, {{12, 41, 37}}},
                            {{{67'001}}, {{67'001}}},
                            {{{301, 231}}, {{231}}},
                            {{{231}}, {{7, 231, 43}}}},
                  .reference = naive([](const Arrays& in) { return product(in[0], in[1]); }),
                  .f32_tolerance = 1e-4,
                  .by_threads = shared_product,
                  .sized =
                      [](std::int64_t n) {
                        const Input side = square_matrix()(n)[0];
                        return Inputs{side, side};
                      },
                  .flops = [](std::int64_t n) { return 2 * std::pow(static_cast<double>(n), 1.5); }});
  const auto with_bias = naive([](const Arrays& in) {
    Array out = product(in[0], in[1]);
    for_each_index(shape_of(out),
                   [&](const Index& i) { element(out, i) += in.size() > 2 ? element(in[2], {i.back()}) : 0; });
    return out;
  });
  rows.push_back({.name = "linear",
                  .function = one([](In in) { return linear(in[0], in[1], in[2]); }),
                  .cases = {{{{3, 4}}, {{4, 5}}, {{5}}},
                            {{{2, 3, 4}}, {{4, 2}}, {{2}}},
                            {{{4}}, {{4, 2}}, {{2}}},
                            {{{1, 1}}, {{1, 1}}, {{1}}},
                            {{{0, 3}}, {{3, 2}}, {{2}}},
                            {{{2, 0}}, {{0, 3}}, {{3}}}},
                  .large = {{{{3, 701, 33}}, {{33, 9}}, {{9}}}, {{{257, 130}}, {{130, 131}}, {{131}}}},
                  .reference = with_bias,
                  .f32_tolerance = 1e-4,
                  .by_threads = shared_product,
                  .sized =
                      [](std::int64_t n) {
                        const Input side = square_matrix()(n)[0];
                        return Inputs{side, side, {{side.shape[0]}}};
                      },
                  .flops = [](std::int64_t n) { return 2 * std::pow(static_cast<double>(n), 1.5); }});
  rows.push_back({.name = "linear",
                  .variant = "no bias",
                  .function = one([](In in) { return linear(in[0], in[1]); }),
                  .cases = {{{{3, 4}}, {{4, 5}}}, {{{2, 3, 4}}, {{4, 2}}}, {{{1}}, {{1, 1}}}, {{{0, 3}}, {{3, 2}}}},
                  .large = {{{{3, 701, 33}}, {{33, 9}}}},
                  .reference = with_bias,
                  .f32_tolerance = 1e-4});
}

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
    rows.push_back({.name = "conv2d",
                    .variant = variant,
                    .function = one([=](In in) { return conv2d(in[0], in[1], options); }),
                    .cases = std::move(cases),
                    .large = std::move(large),
                    .reference = naive([=](const Arrays& in) { return convolved(in[0], in[1], options); }),
                    .f32_tolerance = 1e-4,
                    .by_threads = "each thread sums its pixels for the weights' gradient"});
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

Array pooled(const Array& x, const PoolOptions& o, bool maximum) {
  const Pair stride = o.stride.value_or(o.kernel);
  const Shape image = shape_of(x);
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

// x normalised over `axes` (mean and variance along them), times in[1] plus in[2] over the last axis.
Array normalised(const Arrays& in, const Axes& axes) {
  const Array& x = in[0];
  const auto average = [](const std::vector<double>& v) {
    double total = 0;
    for (const double a : v) total += a;
    return total / static_cast<double>(v.size());
  };
  const Array mean = reduced(x, axes, true, average);
  const Array var = reduced(x, axes, true, [&](const std::vector<double>& v) {
    const double middle = average(v);
    std::vector<double> squares;
    for (const double a : v) squares.push_back((a - middle) * (a - middle));
    return average(squares);
  });
  return indexed(shape_of(x), [&](const Index& i) {
    const double y = (element(x, i) - element(mean, i)) / std::sqrt(element(var, i) + 1e-5);
    return in.size() > 1 ? y * element(in[1], {i.back()}) + element(in[2], {i.back()}) : y;
  });
}

void add_norm_rows(std::vector<OpRow>& rows) {
  const auto affine = [](const Shape& x) {
    const Shape last = {x[x.rank() - 1]};
    return Inputs{{x}, {last}, {last}};
  };
  const auto images = [=](std::int64_t n) { return affine({std::max<std::int64_t>(2, n / 64), 64}); };
  rows.push_back({.name = "layer_norm",
                  .function = one([](In in) { return layer_norm(in[0], in[1], in[2]); }),
                  .cases = {affine({3, 5}), affine({2, 2, 4}), affine({37}), affine({1}), affine({0, 3})},
                  .large = {affine({6'001, 23}), affine({17, 8'209})},
                  .reference = naive([](const Arrays& in) { return normalised(in, -1); }),
                  .f32_tolerance = 1e-3,
                  .sized = images});
  rows.push_back({.name = "layer_norm",
                  .variant = "plain",
                  .function = one([](In in) { return layer_norm(in[0], Tensor(), Tensor()); }),
                  .cases = {{{{3, 5}}}, {{{1}}}, {{{0, 3}}}},
                  .large = {{{{3'001, 23}}}},
                  .reference = naive([](const Arrays& in) { return normalised(in, -1); }),
                  .f32_tolerance = 1e-3});
  rows.push_back({.name = "batch_norm",
                  .function = one([](In in) { return batch_norm(in[0], in[1], in[2], {.training = true}); }),
                  .cases = {affine({5, 3}), affine({2, 2, 3, 4}), affine({7, 1})},
                  .large = {affine({11'503, 19}), affine({5, 7, 4'099}), affine({3, 17, 15, 130})},
                  .reference = naive([](const Arrays& in) {
                    Axes axes;
                    for (int k = 0; k + 1 < shape_of(in[0]).rank(); ++k) axes.append(k);
                    return normalised(in, axes);
                  }),
                  .f32_tolerance = 1e-3,
                  .no_empty = "a batch of nothing has no mean",
                  .no_single = "a batch of one has no variance",
                  .sized = images});
  rows.push_back({.name = "batch_norm",
                  .variant = "running",
                  .function = one([](In in) {
                    const Shape channels = {in[0].size(-1)};
                    return batch_norm(in[0], in[1], in[2],
                                      {.running_mean = full(channels, 0.3, in[0].dtype()),
                                       .running_var = full(channels, 2.0, in[0].dtype())});
                  }),
                  .cases = {affine({5, 3}), affine({2, 2, 3, 4}), affine({1, 1}), affine({0, 2})},
                  .large = {affine({11'503, 19}), affine({5, 7, 4'099})},
                  .reference = naive([](const Arrays& in) {
                    const auto mean = static_cast<double>(0.3);
                    return indexed(shape_of(in[0]), [&](const Index& i) {
                      return (element(in[0], i) - mean) / std::sqrt(2 + 1e-5) * element(in[1], {i.back()}) +
                             element(in[2], {i.back()});
                    });
                  })});

  const auto dropped = [](In in) {
    manual_seed(7);
    return dropout(in[0], 0.4, true);
  };
  rows.push_back({.name = "dropout",
                  .function = one(dropped),
                  .cases = {{{{40, 5}}}, {{{1}}}, {{{0, 3}}}},
                  .large = {{{{13, 10'303}}}},
                  // The draws are the op's own: each element is kept and divided by 0.6, or 0.
                  .reference = naive([=](const Arrays& in) {
                    const Array kept = array_of(dropped({ones(shape_of(in[0]), f64)}));
                    return indexed(shape_of(in[0]),
                                   [&](const Index& i) { return element(kept, i) == 0 ? 0 : element(in[0], i) / 0.6; });
                  }),
                  .non_finite = false,
                  .sized = vectors(1)});
  rows.push_back({.name = "dropout",
                  .variant = "evaluation",
                  .function = one([](In in) { return dropout(in[0], 0.4, false); }),
                  .cases = {{{{4, 5}}}, {{{1}}}, {{{0, 3}}}},
                  .large = {{{{257, 259}}}},
                  .reference = naive([](const Arrays& in) { return in[0]; })});
  rows.push_back({.name = "fused",
                  .function = one([](In in) {
                    static const auto gated = fused([](auto a, auto c) { return a * sigmoid(c) + 0.5 * tanh(a * c); });
                    return gated(in[0], in[1]);
                  }),
                  .cases = binary_cases(),
                  .large = binary_large(),
                  .reference = naive([](const Arrays& in) {
                    return indexed(broadcast(in), [&](const Index& i) {
                      const double a = element(in[0], i), c = element(in[1], i);
                      return a / (1 + std::exp(-c)) + 0.5 * std::tanh(a * c);
                    });
                  }),
                  .elementwise = true,
                  .sized = vectors(2)});
}

}  // namespace

void add_network_rows(std::vector<OpRow>& rows) {
  add_matmul_rows(rows);
  add_conv_rows(rows);
  add_pool_rows(rows);
  add_norm_rows(rows);
}

}  // namespace weft::test
