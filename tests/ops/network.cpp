// The ops of networks where the op table does not look: bad input, ends of options, rows without a key to attend to,
// broadcast operands, PyTorch's figures.
#include <doctest/doctest.h>
#include <tests/support/mistakes.hpp>
#include <tests/support/sums.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;
using weft::test::check_all;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool same(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && allclose(a, b, 1e-12, 1e-14); }

}  // namespace

TEST_CASE("convolutions of sequences and transposed ones refuse what does not fit") {
  const Tensor line = parameter(zeros({2, 5, 4})), image = parameter(zeros({2, 5, 3, 4}));
  const Tensor taps = zeros({3, 4, 6}), window = zeros({3, 2, 6, 4}), inner = zeros({3, 6, 4});
  check_all({
      {"conv1d", [&] { (void)conv1d(image, taps); }, {"{2, 5, 3, 4}", "{batch, length, in}"}},
      {"conv1d", [&] { (void)conv1d(line, inner); }, {"{2, 5, 4}", "{3, 6, 4}"}},
      {"conv1d", [&] { (void)conv1d(line, taps, {.stride = 0}); }, {"stride {0}"}},
      {"conv1d", [&] { (void)conv1d(line, taps, {.padding = -1}); }, {"padding {-1}"}},
      {"conv1d", [&] { (void)conv1d(line, taps, {.groups = 3}); }, {"3 groups"}},
      {"conv1d", [&] { (void)conv1d(line, taps, {.dilation = 3}); }, {"padding {0}", "fits"}},
      {"conv1d", [&] { (void)conv1d(line, taps.to(f64)); }, {"f32", "f64"}},
      {"conv_transpose2d", [&] { (void)conv_transpose2d(line, window); }, {"{2, 5, 4}"}},
      {"conv_transpose2d",
       [&] {
         (void)conv_transpose2d(image, zeros({3, 2, 4, 6}));
       },
       {"a last axis of 4"}},
      {"conv_transpose2d", [&] { (void)conv_transpose2d(image, window, {.groups = 3}); }, {"3 groups"}},
      {"conv_transpose2d", [&] { (void)conv_transpose2d(image, window, {.padding = 4}); }, {"padding {4, 4}"}},
      {"conv_transpose2d",
       [&] {
         (void)conv_transpose2d(image, window, {.stride = 2, .output_padding = {0, 2}});
       },
       {"output_padding {0, 2}", "stride {2, 2}"}},
      {"conv_transpose2d",
       [&] {
         (void)conv_transpose2d(zeros({2, 0, 3, 4}), window);
       },
       {"{0, 3}"}},
      {"conv_transpose2d",
       [&] {
         (void)conv_transpose2d(image, zeros({3, 0, 6, 4}));
       },
       {"{3, 0}"}},
      {"conv_transpose2d",
       [&] { (void)conv_transpose2d(image, window, {.stride = std::int64_t{1} << 40U}); },
       {"2^31"}},
      {"conv_transpose1d", [&] { (void)conv_transpose1d(line, taps); }, {"{3, 4, 6}"}},
      {"conv_transpose1d", [&] { (void)conv_transpose1d(line, inner, {.output_padding = 1}); }, {"output_padding {1}"}},
  });
}

TEST_CASE("resampling, normalisation and attention refuse what does not fit") {
  const Tensor x = parameter(zeros({1, 4, 4, 6})), q = parameter(zeros({2, 3, 4})), wide = zeros({2, 3, 5});
  check_all({
      {"adaptive_avg_pool2d", [&] { (void)adaptive_avg_pool2d(q, 2); }, {"{2, 3, 4}"}},
      {"adaptive_avg_pool2d",
       [&] {
         (void)adaptive_avg_pool2d(x, {2, 0});
       },
       {"{2, 0}"}},
      {"adaptive_avg_pool2d",
       [&] {
         (void)adaptive_avg_pool2d(zeros({1, 0, 4, 6}), 1);
       },
       {"{1, 0, 4, 6}"}},
      {"upsample",
       [&] {
         (void)upsample(zeros({4, 6}), 2);
       },
       {"{4, 6}"}},
      {"upsample", [&] { (void)upsample(x, UpsampleOptions{}); }, {"neither"}},
      {"upsample", [&] { (void)upsample(x, {.size = 8, .scale = 2}); }, {"a size and a scale"}},
      {"upsample", [&] { (void)upsample(x, 0.2); }, {"0.2"}},
      {"upsample", [&] { (void)upsample(x, -1); }, {"-1"}},
      {"upsample", [&] { (void)upsample(x, std::nan("")); }, {"nan"}},
      {"upsample",
       [&] {
         (void)upsample(x, {.size = {0, 2}});
       },
       {"size 0"}},
      {"group_norm", [&] { (void)group_norm(x, 4, Tensor(), Tensor()); }, {"4 groups"}},
      {"group_norm", [&] { (void)group_norm(x, 0, Tensor(), Tensor()); }, {"0 groups"}},
      {"group_norm", [&] { (void)group_norm(x, 2, zeros({4}), Tensor()); }, {"{4}", "{6}"}},
      {"group_norm",
       [&] {
         (void)group_norm(zeros({2, 0, 6}), 2, Tensor(), Tensor());
       },
       {"{2, 0, 6}"}},
      {"rms_norm", [&] { (void)rms_norm(x, zeros({4})); }, {"{4}", "{6}"}},
      {"rms_norm",
       [&] {
         (void)rms_norm(zeros({2, 0}));
       },
       {"{2, 0}"}},
      {"rms_norm",
       [&] {
         (void)rms_norm(zeros({2, 3}, i64));
       },
       {"i64"}},
      {"scaled_dot_product_attention", [&] { (void)scaled_dot_product_attention(q, wide, q); }, {"{2, 3, 5}"}},
      {"scaled_dot_product_attention",
       [&] {
         (void)scaled_dot_product_attention(q, zeros({2, 2, 4}), q);
       },
       {"{2, 2, 4}"}},
      {"scaled_dot_product_attention",
       [&] {
         (void)scaled_dot_product_attention(q, q, zeros({5, 3, 4}));
       },
       {"{5}"}},
      {"scaled_dot_product_attention", [&] { (void)scaled_dot_product_attention(q, q, q.to(f64)); }, {"f64"}},
      {"scaled_dot_product_attention",
       [&] { (void)scaled_dot_product_attention(q, q, q, wide); },
       {"3 queries", "{2, 3, 5}"}},
      {"scaled_dot_product_attention",
       [&] {
         (void)scaled_dot_product_attention(q, q, q, zeros({3, 3}, i64));
       },
       {"i64"}},
      {"scaled_dot_product_attention",
       [&] {
         (void)scaled_dot_product_attention(zeros({2, 0}), zeros({3, 0}), zeros({3, 2}));
       },
       {"feature"}},
      {"huber_difference", [&] { (void)huber_difference(q, q, 0); }, {"delta 0"}},
      {"gaussian_surprise", [&] { (void)gaussian_surprise(q, q, q, -1); }, {"eps -1"}},
      {"hinge_margin", [&] { (void)hinge_margin(q, wide); }, {"{2, 3, 5}"}},
  });
}

TEST_CASE("conv_transpose2d is the adjoint of conv2d with the same weight") {
  manual_seed(3);
  const Tensor image = randn({2, 7, 8, 6}, f64), w = randn({3, 2, 3, 4}, f64);
  const Tensor made = conv2d(image, w, {.stride = {2, 3}, .padding = 1, .groups = 2});
  const Tensor x = randn(made.shape(), f64);
  const Tensor back = conv_transpose2d(x, w, {.stride = {2, 3}, .padding = 1, .output_padding = {0, 2}, .groups = 2});
  CHECK(back.shape() == image.shape());
  CHECK(std::abs(sum(made * x).item() - sum(image * back).item()) < 1e-12);
}

// Of 1 to 3 with a stride of 2 and the taps 10, 20, 30: as torch.nn.functional.conv_transpose1d has it.
TEST_CASE("conv_transpose1d by hand") {
  const Tensor y = conv_transpose1d(reshape(tensor({1, 2, 3}), {1, 3, 1}), reshape(tensor({10, 20, 30}), {3, 1, 1}),
                                    {.stride = 2, .padding = 1, .output_padding = 1});
  CHECK(same(reshape(y, {6}), tensor({20, 50, 40, 90, 60, 90})));
}

TEST_CASE("resampling by hand") {
  const Tensor line = reshape(tensor({1, 2, 3, 4}), {1, 4, 1});
  const auto values = [](const Tensor& t) { return reshape(t, {t.size()}); };
  // torch.nn.functional.interpolate's.
  CHECK(same(values(upsample(line, 2)), tensor({1, 1, 2, 2, 3, 3, 4, 4})));
  CHECK(same(values(upsample(line, 1.5)), tensor({1, 1, 2, 3, 3, 4})));
  CHECK(same(values(upsample(line, {.size = 3})), tensor({1, 2, 3})));
  CHECK(same(values(upsample(line, 2, UpsampleMode::bilinear)), tensor({1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4})));
  CHECK(same(values(upsample(line, {.size = 7, .mode = UpsampleMode::bilinear, .align_corners = true})),
             tensor({1, 1.5, 2, 2.5, 3, 3.5, 4})));
  CHECK(
      same(values(upsample(line, {.size = 1, .mode = UpsampleMode::bilinear, .align_corners = true})), tensor({1.0})));
  const Tensor image = reshape(arange(0, 25, f64), {1, 5, 5, 1});
  CHECK(same(values(adaptive_avg_pool2d(image, 2)), tensor({6, 8, 16, 18}, f64)));
  CHECK(same(values(adaptive_avg_pool2d(image, {1, 3})), tensor({10.5, 12, 13.5}, f64)));
  CHECK(same(adaptive_avg_pool2d(image, 5), image));
  CHECK(adaptive_avg_pool2d(image, {7, 1}).shape() == Shape{1, 7, 1, 1});
}

TEST_CASE("a neighbour that bilinear gives no weight does not matter") {
  const Tensor x = parameter(reshape(tensor({1.0, infinity, 3.0}, f64), {1, 3, 1}));
  const Tensor y = upsample(x, 2, UpsampleMode::bilinear);
  CHECK(y.at({0, 0, 0}) == 1);
  CHECK(y.at({0, 5, 0}) == 3);
  CHECK(y.at({0, 1, 0}) == infinity);
  CHECK(same(grad(sum(y), {x})[0], full({1, 3, 1}, 2, f64)));
}

TEST_CASE("group_norm is layer_norm of images in one group, and of nothing but channels") {
  manual_seed(4);
  const Tensor x = randn({3, 4, 5, 6}, f64) + 1e3, weight = randn({6}, f64), bias = randn({6}, f64);
  const Tensor whole = reshape(layer_norm(reshape(x, {3, 120}), Tensor(), Tensor()), x.shape());
  CHECK(allclose(group_norm(x, 1, weight, bias), whole * weight + bias, 1e-9, 1e-9));
  const Tensor rows = randn({5, 6}, f64);
  CHECK(same(group_norm(rows, 2, weight, bias),
             reshape(layer_norm(reshape(rows, {10, 3}), Tensor(), Tensor()), {5, 6}) * weight + bias));
  CHECK(same(group_norm(rows, 6, weight, bias), broadcast_to(bias, {5, 6})));  // one value has no deviation
}

TEST_CASE("rms_norm takes eps from the dtype") {
  const Tensor zero = zeros({1, 2}), tiny = full({1, 2}, 1e-4);
  CHECK(same(rms_norm(zero), zero));
  CHECK(rms_norm(tiny).at({0, 0}) == doctest::Approx(1e-4 / std::sqrt(1e-8 + 1.1920929e-7)).epsilon(1e-6));
  CHECK(rms_norm(tiny.to(f64)).at({0, 0}) == doctest::Approx(1.0));
  CHECK(rms_norm(tiny, Tensor(), 0.0).at({0, 0}) == doctest::Approx(1.0));
}

TEST_CASE("a query that may attend to no key gives 0 and takes no gradient") {
  manual_seed(5);
  const Tensor q = randn({3, 2}, f64), k = randn({4, 2}, f64), v = randn({4, 5}, f64);
  const Tensor sees = tensor({1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0}, {3, 4}, u8);
  for (const Tensor& mask : {sees, where(sees, 0.0, -infinity, f64)}) {
    const auto f = [&](const Tensors& in) { return Tensors{scaled_dot_product_attention(in[0], in[1], in[2], mask)}; };
    const Tensor y = f({q, k, v})[0];
    CHECK(same(slice(y, 0, 1, 2), zeros({1, 5}, f64)));
    CHECK(same(slice(y, 0, 2, 3), slice(v, 0, 1, 2)));
    const GradcheckResult result = gradcheck(f, {q, k, v}, {.order = 3});
    CHECK_MESSAGE(result.ok, result.message);
    Tensors leaves{parameter(q.clone()), parameter(k.clone()), parameter(v.clone())};
    for (const bool record : {false, true}) {
      const Tensors g = grad({sum(f(leaves)[0])}, leaves, {.create_graph = record});
      CHECK(same(slice(g[0], 0, 1, 2), zeros({1, 2}, f64)));
      for (const Tensor& t : g) CHECK(all(isfinite(t)).item() == 1);
    }
  }
  CHECK(same(scaled_dot_product_attention(q, slice(k, 0, 0, 0), slice(v, 0, 0, 0)), zeros({3, 5}, f64)));
  // The scores' gradient is taken where there is one, also by an added mask.
  const Tensor added = parameter(where(sees, 0.5, -infinity, f64));
  for (const bool record : {false, true}) {
    const Tensor g =
        grad({sum(square(scaled_dot_product_attention(q, k, v, added)))}, {added}, {.create_graph = record})[0];
    CHECK(all(isfinite(g)).item() == 1);
    CHECK(same(where(sees, 0.0, g), zeros({3, 4}, f64)));
  }
}

TEST_CASE("attention where blocks and the diagonal cross, beside the matrix of scores") {
  manual_seed(6);
  for (const auto& [queries, keys] : {std::pair{127, 513}, {128, 512}, {129, 511}, {260, 1030}, {1030, 260}}) {
    const Tensor q = randn({queries, 3}, f64), k = randn({keys, 3}, f64), v = randn({keys, 2}, f64);
    const Tensor sees = reshape(arange(0, queries, f64), {queries, 1}) >= reshape(arange(0, keys, f64), {1, keys});
    const Tensor scores = matmul(q, transpose(k)) * 2.0;
    const Tensor plain = matmul(softmax(where(sees, scores, -infinity)), v);
    CHECK(same(scaled_dot_product_attention(q, k, v, {}, {.causal = true, .scale = 2}), plain));
    CHECK(same(scaled_dot_product_attention(q, k, v, sees, {.scale = 2}), plain));
    // The scores grow from block to block, so that every earlier sum is taken down.
    const Tensor rising = reshape(arange(0, keys, f64), {1, keys});
    CHECK(same(scaled_dot_product_attention(q, k, v, rising, {.scale = 2}), matmul(softmax(scores + rising), v)));
  }
}

TEST_CASE("large scores do not overflow") {
  for (const DType dtype : {f32, f64}) {
    const Tensor q = full({2, 1}, 1e4, dtype), k = tensor({1e4, -1e4, 1e4}, {3, 1}, dtype),
                 v = tensor({1, 2, 3}, {3, 1}, dtype);
    CHECK(same(scaled_dot_product_attention(q, k, v), full({2, 1}, 2, dtype)));
  }
}

TEST_CASE("attention over long sequences holds no matrix of scores, forward or backward") {
  manual_seed(7);
  constexpr std::int64_t length = 3000;  // 36 MB of scores
  const Tensor q = parameter(randn({length, 4})), k = parameter(randn({length, 4})), v = parameter(randn({length, 4}));
  const std::int64_t before = memory_stats().bytes;
  reset_peak_bytes();
  (void)grad({sum(scaled_dot_product_attention(q, k, v, {}, {.causal = true}))}, {q, k, v});
  CHECK(memory_stats().peak_bytes - before < 4'000'000);
}
