// Rows of matrix products, normalisation, dropout and fused functions.
#include <algorithm>
#include <cmath>
#include <mutex>

#include <tests/support/op_table.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/dropout.hpp>
#include <weft/ops/fused.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/normalization.hpp>

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

// x normalised in groups of channels, each image by itself, by plain loops; times in[1] plus in[2].
Array grouped(const Arrays& in, std::int64_t groups) {
  const Array& x = in[0];
  const std::int64_t width = shape_of(x)[-1] / groups;
  const Shape shape = shape_of(x);
  Array mean = zeros_of({shape[0], groups}), square = mean, out = x;
  const auto at = [&](const Index& i) { return Index{i[0], i.back() / width}; };
  const double count = static_cast<double>(x.size()) / static_cast<double>(std::max<std::int64_t>(1, mean.size()));
  for_each_index(shape_of(x), [&](const Index& i) { element(mean, at(i)) += element(x, i) / count; });
  for_each_index(shape, [&](const Index& i) {
    element(square, at(i)) += std::pow(element(x, i) - element(mean, at(i)), 2) / count;
  });
  for_each_index(shape_of(x), [&](const Index& i) {
    double& y = element(out, i);
    y = (element(x, i) - element(mean, at(i))) / std::sqrt(element(square, at(i)) + 1e-5);
    if (in.size() > 1) y = y * element(in[1], {i.back()}) + element(in[2], {i.back()});
  });
  return out;
}

Array divided_by_rms(const Arrays& in) {
  const Array size = reduced(in[0], -1, true, [](const std::vector<double>& v) {
    double total = 0;
    for (const double a : v) total += a * a;
    return std::sqrt(total / static_cast<double>(v.size()) + 0.01);
  });
  return indexed(shape_of(in[0]), [&](const Index& i) {
    return element(in[0], i) / element(size, i) * (in.size() > 1 ? element(in[1], {i.back()}) : 1);
  });
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

  const auto cut = [](Array y) {
    for (double& v : y) v = std::max(v, 0.0);
    return y;
  };
  const auto over_batch = [](const Arrays& in) {
    Axes axes;
    for (int k = 0; k + 1 < shape_of(in[0]).rank(); ++k) axes.append(k);
    return normalised(in, axes);
  };
  const auto beside = [=](const Shape& x) {
    Inputs inputs = affine(x);
    inputs.push_back({x});
    return inputs;
  };
  // Of so many values some lie so near relu's corner that differences reach across it.
  const std::string of_the_plain = "tests/ops/batch_norm.cpp compares large ones with the plain code, bit for bit";
  rows.push_back({.name = "batch_norm_relu",
                  .function = one([](In in) { return batch_norm_relu(in[0], in[1], in[2], {.training = true}); }),
                  .cases = {affine({5, 3}), affine({2, 2, 3, 4}), affine({7, 1})},
                  .reference = naive([=](const Arrays& in) { return cut(over_batch(in)); }),
                  .f32_tolerance = 1e-3,
                  .no_empty = "a batch of nothing has no mean",
                  .no_single = "a batch of one has no variance",
                  .no_large = of_the_plain,
                  .sized = images});
  rows.push_back(
      {.name = "batch_norm_relu",
       .variant = "with a shortcut",
       .function = one([](In in) { return batch_norm_relu(in[0], in[1], in[2], {.training = true}, in[3]); }),
       .cases = {beside({5, 3}), beside({2, 2, 3, 4}), beside({7, 1})},
       .reference = naive([=](const Arrays& in) {
         return cut(Array(over_batch({in[0], in[1], in[2]}) + in[3]));
       }),
       .f32_tolerance = 1e-3,
       .no_empty = "a batch of nothing has no mean",
       .no_single = "a batch of one has no variance",
       .no_large = of_the_plain,
       .sized = [=](std::int64_t n) {
         return beside({std::max<std::int64_t>(2, n / 64), 64});
       }});

  rows.push_back({.name = "group_norm",
                  .function = one([](In in) { return group_norm(in[0], 2, in[1], in[2]); }),
                  .cases = {affine({2, 3, 4}), affine({2, 2, 2, 6}), affine({3, 8}), affine({0, 2, 4})},
                  .large = {affine({3, 41, 37, 22}), affine({2, 5, 4'100}), affine({901, 3, 26})},
                  .reference = naive([](const Arrays& in) { return grouped(in, 2); }),
                  .f32_tolerance = 1e-3,
                  .no_single = "two groups",
                  .sized = [=](std::int64_t n) {
                    return affine({std::max<std::int64_t>(1, n / 16384), 16, 16, 64});
                  }});
  rows.push_back({.name = "group_norm",
                  .variant = "one group, plain",
                  .function = one([](In in) { return group_norm(in[0], 1, Tensor(), Tensor()); }),
                  .cases = {{{{2, 3, 3}}}, {{{1, 1}}}, {{{0, 2, 3}}}},
                  .large = {{{{2, 1'031, 33}}}},
                  .reference = naive([](const Arrays& in) { return grouped(in, 1); }),
                  .f32_tolerance = 1e-3});
  rows.push_back({.name = "group_norm",
                  .variant = "channel by channel",
                  .function = one([](In in) { return group_norm(in[0], in[0].size(-1), in[1], in[2]); }),
                  .cases = {affine({2, 3, 4}), affine({1, 1, 1}), affine({0, 2, 3})},
                  .large = {affine({7, 1'031, 11})},
                  .reference = naive([](const Arrays& in) { return grouped(in, shape_of(in[0])[-1]); }),
                  .f32_tolerance = 1e-3});
  const auto scaled = [](const Shape& x) { return Inputs{{x}, {{x[x.rank() - 1]}}}; };
  rows.push_back({.name = "rms_norm",
                  .function = one([](In in) { return rms_norm(in[0], in[1], 0.01); }),
                  .cases = {scaled({3, 5}), scaled({2, 2, 4}), scaled({37}), scaled({1}), scaled({0, 3})},
                  .large = {scaled({6'001, 23}), scaled({17, 8'209})},
                  .reference = naive(divided_by_rms),
                  .sized = [=](std::int64_t n) {
                    return scaled({std::max<std::int64_t>(2, n / 64), 64});
                  }});
  rows.push_back({.name = "rms_norm",
                  .variant = "plain",
                  .function = one([](In in) { return rms_norm(in[0], Tensor(), 0.01); }),
                  .cases = {{{{3, 5}}}, {{{1}}}, {{{0, 3}}}},
                  .large = {{{{3'001, 23}}}},
                  .reference = naive(divided_by_rms)});

  const auto dropped = [](In in) {
    static std::mutex one_at_a_time;  // all threads draw from one generator
    const std::lock_guard lock(one_at_a_time);
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
  add_norm_rows(rows);
}

}  // namespace weft::test
