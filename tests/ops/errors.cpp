// Bad input: one line that names the op, what it got and what it needs; and nothing changes.
#include <doctest/doctest.h>
#include <tests/support/mistakes.hpp>

#include <functional>
#include <limits>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/memory.hpp>
#include <weft/nn/losses.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;
using weft::test::check_all;

TEST_CASE("shapes that do not fit") {
  const Tensor a = parameter(zeros({2, 3})), b = parameter(zeros({4, 5})), row = zeros({3}),
               images = zeros({1, 4, 4, 3});
  check_all({
      {"add", [&] { (void)(a + b); }, {"{2, 3}", "{4, 5}"}},
      {"mul", [&] { (void)(a * b); }, {"{2, 3}", "{4, 5}"}},
      {"pow", [&] { (void)pow(a, b); }, {"{2, 3}"}},
      {"maximum", [&] { (void)maximum(a, b); }, {"{4, 5}"}},
      {"atan2", [&] { (void)atan2(a, b); }, {"{2, 3}", "{4, 5}"}},
      {"lerp", [&] { (void)lerp(a, a, b); }, {"{4, 5}"}},
      {"less", [&] { (void)(a < b); }, {"{2, 3}", "{4, 5}"}},
      {"allclose", [&] { (void)allclose(a, b); }, {"{2, 3}", "{4, 5}"}},
      {"matmul", [&] { (void)matmul(a, b); }, {"{2, 3}", "{4, 5}"}},
      {"matmul", [&] { (void)matmul(a, scalar(1)); }, {}},
      {"matmul",
       [&] {
         (void)matmul(zeros({2, 2, 3}), zeros({3, 3, 2}));
       },
       {"{2, 2, 3}"}},
      {"linear", [&] { (void)linear(a, b); }, {"{2, 3}", "{4, 5}"}},
      {"linear",
       [&] {
         (void)linear(a, zeros({3, 5}), zeros({4}));
       },
       {"{4}"}},
      {"conv2d",
       [&] {
         (void)conv2d(images, zeros({3, 3, 2, 4}));
       },
       {"{1, 4, 4, 3}", "{3, 3, 2, 4}"}},
      {"conv2d", [&] { (void)conv2d(a, b); }, {"{2, 3}"}},
      {"conv2d",
       [&] {
         (void)conv2d(images, zeros({5, 5, 3, 4}));
       },
       {"{5, 5, 3, 4}"}},
      {"conv2d",
       [&] {
         (void)conv2d(images, zeros({3, 3, 3, 4}), {.stride = 0});
       },
       {}},
      {"conv2d",
       [&] {
         (void)conv2d(images, zeros({3, 3, 3, 4}), {.groups = 2});
       },
       {}},
      {"max_pool2d", [&] { (void)max_pool2d(a); }, {"{2, 3}"}},
      {"max_pool2d", [&] { (void)max_pool2d(images, {.kernel = 9}); }, {}},
      {"avg_pool2d", [&] { (void)avg_pool2d(images, {.kernel = 2, .padding = 2}); }, {}},
      {"global_avg_pool", [&] { (void)global_avg_pool(a); }, {"{2, 3}"}},
      {"layer_norm", [&] { (void)layer_norm(a, zeros({4}), zeros({4})); }, {"{4}"}},
      {"batch_norm", [&] { (void)batch_norm(a, zeros({4}), zeros({4}), {.training = true}); }, {"{4}"}},
      {"dropout", [&] { (void)dropout(a, 1.5, true); }, {"1.5"}},
      {"reshape",
       [&] {
         (void)reshape(a, {4, 2});
       },
       {"{4, 2}", "{2, 3}"}},
      {"reshape",
       [&] {
         (void)reshape(a, {-1, 4});
       },
       {"{-1, 4}"}},
      {"reshape",
       [&] {
         (void)reshape(a, {-1, -1});
       },
       {"{-1, -1}"}},
      {"reshape",
       [&] {
         (void)reshape(zeros({0, 3}), {-1, 0});
       },
       {"{-1, 0}"}},
      {"squeeze", [&] { (void)squeeze(a, 0); }, {"{2, 3}"}},
      {"transpose", [&] { (void)transpose(row); }, {"{3}"}},
      {"permute", [&] { (void)permute(a, {0}); }, {"{2, 3}"}},
      {"permute",
       [&] {
         (void)permute(a, {0, 0});
       },
       {"{0, 0}"}},
      {"broadcast_to",
       [&] {
         (void)broadcast_to(a, {3, 3});
       },
       {"{2, 3}", "{3, 3}"}},
      {"broadcast_to", [&] { (void)broadcast_to(a, {3}); }, {"{2, 3}", "{3}"}},
      {"concat",
       [&] {
         (void)concat({a, b}, 0);
       },
       {"{2, 3}", "{4, 5}"}},
      {"concat",
       [&] {
         (void)concat({a, row}, 0);
       },
       {"{2, 3}", "{3}"}},
      {"concat", [&] { (void)concat({}); }, {}},
      {"stack",
       [&] {
         (void)stack({a, b});
       },
       {"{2, 3}", "{4, 5}"}},
      {"stack", [&] { (void)stack({}); }, {}},
      {"pad",
       [&] {
         (void)pad(a, {{1, 1}});
       },
       {"{2, 3}"}},
      {"sum_to", [&] { (void)sum_to(a, {4}); }, {"{2, 3}", "{4}"}},
      {"tril", [&] { (void)tril(row); }, {"{3}"}},
      {"triu", [&] { (void)triu(row); }, {"{3}"}},
      {"diagonal", [&] { (void)diagonal(row); }, {"{3}"}},
      {"diag", [&] { (void)diag(images); }, {"{1, 4, 4, 3}"}},
      {"slice_put", [&] { (void)slice_put(a, 1, 0, 2, row); }, {"{3}", "{2, 2}"}},
      {"masked_fill", [&] { (void)masked_fill(a, zeros({4}, u8), 0); }, {"{2, 3}", "{4}"}},
      {"masked_select", [&] { (void)masked_select(a, zeros({4}, u8)); }, {"{2, 3}", "{4}"}},
      {"embedding", [&] { (void)embedding(row, zeros({2}, i64)); }, {"{3}"}},
      {"mse", [&] { (void)nn::mse(a, b); }, {"{2, 3}", "{4, 5}"}},
      {"mse", [&] { (void)nn::mse(a, row); }, {"{2, 3}", "{3}"}},
      {"l1", [&] { (void)nn::l1(a, b); }, {"{2, 3}"}},
      {"bce_with_logits", [&] { (void)nn::bce_with_logits(a, b); }, {"{2, 3}"}},
      {"cross_entropy", [&] { (void)nn::cross_entropy(a, zeros({3}, i64)); }, {"{2, 3}", "{3}"}},
      {"nll", [&] { (void)nn::nll(a, zeros({3}, i64)); }, {"{2, 3}", "{3}"}},
  });
}

TEST_CASE("dtypes that do not fit") {
  const Tensor narrow = ones({2, 2}), wide = ones({2, 2}, f64), whole = ones({2, 2}, i64);
  check_all({
      {"add", [&] { (void)(narrow + wide); }, {"f32", "f64"}},
      {"div", [&] { (void)(whole / whole); }, {"i64"}},
      {"equal", [&] { (void)equal(narrow, whole); }, {"f32", "i64"}},
      {"exp", [&] { (void)exp(whole); }, {"i64"}},
      {"atan2", [&] { (void)atan2(whole, whole); }, {"i64"}},
      {"lerp", [&] { (void)lerp(narrow, wide, 0.5); }, {"f32", "f64"}},
      {"lerp", [&] { (void)lerp(narrow, narrow, wide); }, {"f32", "f64"}},
      {"selu", [&] { (void)selu(whole); }, {"i64"}},
      {"mean", [&] { (void)mean(whole); }, {"i64"}},
      {"softmax", [&] { (void)softmax(whole); }, {"i64"}},
      {"matmul", [&] { (void)matmul(narrow, wide); }, {"f32", "f64"}},
      {"matmul", [&] { (void)matmul(whole, whole); }, {"i64"}},
      {"conv2d",
       [&] {
         (void)conv2d(ones({1, 1, 1, 1}), ones({1, 1, 1, 1}, f64));
       },
       {"f32", "f64"}},
      {"where", [&] { (void)where(narrow, narrow, narrow); }, {"f32", "u8"}},
      {"where",
       [&] {
         (void)where(ones({2, 2}, u8), narrow, wide);
       },
       {"f32", "f64"}},
      {"logical_and", [&] { (void)logical_and(narrow, narrow); }, {"f32", "u8"}},
      {"concat",
       [&] {
         (void)concat({narrow, wide});
       },
       {"f32", "f64"}},
      {"stack",
       [&] {
         (void)stack({narrow, whole});
       },
       {"f32", "i64"}},
      {"index_select", [&] { (void)index_select(narrow, 0, narrow); }, {"f32", "i64"}},
      {"gather", [&] { (void)gather(narrow, 0, narrow); }, {"f32", "i64"}},
      {"take_along", [&] { (void)take_along(narrow, 0, narrow); }, {"f32", "i64"}},
      {"scatter_add", [&] { (void)scatter_add(narrow, 0, narrow, wide); }, {"f32", "f64"}},
      {"one_hot", [&] { (void)one_hot(narrow, 3); }, {"f32", "i64"}},
      {"stddev", [&] { (void)stddev(whole); }, {"i64"}},
      {"quantile", [&] { (void)quantile(whole, 0.5); }, {"i64"}},
      {"slice_put", [&] { (void)slice_put(narrow, 0, 0, 1, wide); }, {"f32", "f64"}},
      {"masked_fill", [&] { (void)masked_fill(narrow, narrow, 0); }, {"f32", "u8"}},
      {"masked_fill",
       [&] {
         (void)masked_fill(whole, ones({2, 2}, u8), 0.5);
       },
       {"0.5", "i64"}},
      {"masked_select", [&] { (void)masked_select(narrow, whole); }, {"i64", "u8"}},
      {"embedding", [&] { (void)embedding(narrow, narrow); }, {"f32", "i64"}},
      {"norm", [&] { (void)norm(whole); }, {"i64"}},
      {"cross_entropy", [&] { (void)nn::cross_entropy(narrow, ones({2}, u8)); }, {"u8"}},
      {"mse", [&] { (void)nn::mse(narrow, wide); }, {"f32", "f64"}},
  });
}

TEST_CASE("matrices that do not fit") {
  const Tensor wide = parameter(ones({2, 3})), square = parameter(eye(2)), row = ones({3}), whole = ones({2, 2}, i64);
  const Tensor batch = ones({2, 3, 3}), other = ones({4, 3, 3}), singular = zeros({3, 2, 2});
  check_all({
      {"dot", [&] { (void)dot(row, ones({2})); }, {"{3}", "{2}"}},
      {"dot", [&] { (void)dot(wide, wide); }, {"{2, 3}"}},
      {"outer", [&] { (void)outer(row, wide); }, {"{3}", "{2, 3}"}},
      {"trace", [&] { (void)trace(row); }, {"{3}"}},
      {"trace", [&] { (void)trace(whole); }, {"i64"}},
      {"einsum",
       [&] {
         (void)einsum("ij,jk->ik", {wide, square});
       },
       {"'j'", "3", "2"}},
      {"solve", [&] { (void)solve(wide, row); }, {"{2, 3}", "square"}},
      {"solve", [&] { (void)solve(square, row); }, {"{2, 2}", "rows"}},
      {"solve", [&] { (void)solve(batch, other); }, {"{2, 3, 3}", "{4, 3, 3}"}},
      {"solve", [&] { (void)solve(square, eye(2, f64)); }, {"f32", "f64"}},
      {"solve", [&] { (void)solve(singular, ones({2})); }, {"singular", "{0}"}},
      {"inverse", [&] { (void)inverse(row); }, {"{3}"}},
      {"inverse", [&] { (void)inverse(singular); }, {"singular", "{0}"}},
      {"triangular_solve", [&] { (void)triangular_solve(square, ones({2})); }, {"rows"}},
      {"triangular_solve", [&] { (void)triangular_solve(square, wide, {.left = false}); }, {"{2, 3}", "columns"}},
      {"triangular_solve", [&] { (void)triangular_solve(batch, other); }, {"{4, 3, 3}"}},
      {"det", [&] { (void)det(wide); }, {"{2, 3}"}},
      {"logdet", [&] { (void)logdet(whole); }, {"i64"}},
      {"lstsq", [&] { (void)lstsq(wide, row); }, {"{2, 3}", "{3}"}},
      {"lstsq", [&] { (void)lstsq(row, row); }, {"{3}"}},
      {"lstsq", [&] { (void)lstsq(batch, other); }, {"{2, 3, 3}"}},
      {"cholesky", [&] { (void)cholesky(wide); }, {"{2, 3}"}},
      {"cholesky", [&] { (void)cholesky(singular); }, {"positive definite", "{0}"}},
      {"qr", [&] { (void)qr(row); }, {"{3}"}},
      {"svd", [&] { (void)svd(whole); }, {"i64"}},
      {"svd",
       [&] {
         (void)svd(full({2, 2}, std::numeric_limits<double>::infinity()));
       },
       {"infinity"}},
      {"eigh", [&] { (void)eigh(wide); }, {"{2, 3}"}},
  });
}

TEST_CASE("axes and indices out of range") {
  const Tensor a = parameter(ones({2, 3})), labels = tensor({0, 3}, {2}, i64);
  check_all({
      {"sum", [&] { (void)sum(a, 2); }, {"2"}},
      {"sum",
       [&] {
         (void)sum(a, {0, -2});
       },
       {"{0, -2}"}},
      {"mean", [&] { (void)mean(a, -3); }, {"-3"}},
      {"max",
       [&] {
         (void)max(zeros({0, 2}), 0);
       },
       {"{0, 2}"}},
      {"argmax", [&] { (void)argmax(a, 5); }, {"5"}},
      {"softmax", [&] { (void)softmax(a, 2); }, {"2"}},
      {"log_softmax", [&] { (void)log_softmax(a, -3); }, {"-3"}},
      {"flatten", [&] { (void)flatten(a, 0, 2); }, {"2"}},
      {"flatten", [&] { (void)flatten(a, 1, 0); }, {"1", "0"}},
      {"squeeze", [&] { (void)squeeze(a, 2); }, {"2"}},
      {"unsqueeze", [&] { (void)unsqueeze(a, 3); }, {"3"}},
      {"swap_axes", [&] { (void)swap_axes(a, 0, 2); }, {"2"}},
      {"permute",
       [&] {
         (void)permute(a, {0, 2});
       },
       {"2"}},
      {"concat",
       [&] {
         (void)concat({a, a}, 2);
       },
       {"2"}},
      {"stack",
       [&] {
         (void)stack({a, a}, 3);
       },
       {"3"}},
      {"split", [&] { (void)split(a, 1, 2); }, {"2"}},
      {"split", [&] { (void)split(a, 0); }, {"0"}},
      {"chunk", [&] { (void)chunk(a, 0); }, {"0"}},
      {"slice", [&] { (void)slice(a, 2, 0, 1); }, {"2"}},
      {"slice", [&] { (void)slice(a, 0, 0, 1, 0); }, {"0"}},
      {"pad",
       [&] {
         (void)pad(a, {{0, 0}, {-1, 0}});
       },
       {"-1"}},
      {"index_select", [&] { (void)index_select(a, 0, labels); }, {"index 3", "{2, 3}"}},
      {"index_select", [&] { (void)index_select(a, 1, tensor({-1}, {1}, i64)); }, {"-1"}},
      {"index_select", [&] { (void)index_select(a, 2, labels); }, {"2"}},
      {"gather", [&] { (void)gather(a, 0, labels); }, {"{2, 3}"}},
      {"gather",
       [&] {
         (void)gather(a, 1, zeros({3, 1}, i64));
       },
       {"{3, 1}", "{2, 3}"}},
      {"gather",
       [&] {
         (void)gather(a, 1, full({2, 1}, 3, i64));
       },
       {"index 3", "{2, 3}"}},
      {"take_along", [&] { (void)take_along(a, 0, labels); }, {"{2, 3}"}},
      {"take_along",
       [&] {
         (void)take_along(a, 0, zeros({1, 2}, i64));
       },
       {"{1, 2}", "{1, 3}"}},
      {"take_along",
       [&] {
         (void)take_along(a, 0, full({1, 3}, -1, i64));
       },
       {"index -1"}},
      {"scatter_add",
       [&] {
         (void)scatter_add(a, 0, zeros({1, 3}, i64), ones({1, 2}));
       },
       {"{1, 2}", "{1, 3}"}},
      {"scatter_add",
       [&] {
         (void)scatter_add(a, 0, full({1, 3}, 2, i64), ones({1, 3}));
       },
       {"index 2"}},
      {"one_hot", [&] { (void)one_hot(labels, 3); }, {"index 3", "3 classes"}},
      {"one_hot", [&] { (void)one_hot(labels, 0); }, {"0 classes"}},
      {"flip",
       [&] {
         (void)flip(a, {0, -2});
       },
       {"twice"}},
      {"roll", [&] { (void)roll(a, 1, 2); }, {"2"}},
      {"repeat", [&] { (void)repeat(a, 2, 2); }, {"2"}},
      {"repeat", [&] { (void)repeat(a, -1, 0); }, {"-1"}},
      {"tile",
       [&] {
         (void)tile(a, {2, -1});
       },
       {"-1"}},
      {"slice_put", [&] { (void)slice_put(a, 2, 0, 1, a); }, {"2"}},
      {"slice_put", [&] { (void)slice_put(a, 0, 0, 1, a, 0); }, {"0"}},
      {"embedding", [&] { (void)embedding(a, labels); }, {"index 3", "{2, 3}"}},
      {"cumsum", [&] { (void)cumsum(a, 2); }, {"2"}},
      {"cumprod", [&] { (void)cumprod(a, -3); }, {"-3"}},
      {"sort", [&] { (void)sort(a, 2); }, {"2"}},
      {"argsort", [&] { (void)argsort(a, 2); }, {"2"}},
      {"topk", [&] { (void)topk(a, 1, 2); }, {"2"}},
      {"topk", [&] { (void)topk(a, 4); }, {"k = 4", "{2, 3}"}},
      {"topk", [&] { (void)topk(a, -1); }, {"k = -1"}},
      {"median", [&] { (void)median(a, 2); }, {"2"}},
      {"median",
       [&] {
         (void)median(zeros({2, 0}));
       },
       {"{2, 0}"}},
      {"quantile", [&] { (void)quantile(a, 1.5); }, {"1.5"}},
      {"quantile", [&] { (void)quantile(a, 0.5, 2); }, {"2"}},
      {"quantile",
       [&] {
         (void)quantile(zeros({0, 2}), 0.5, 0);
       },
       {"{0, 2}"}},
      {"norm", [&] { (void)norm(a, {}, false, 0); }, {"p = 0"}},
      {"norm",
       [&] {
         (void)norm(zeros({0, 2}), 0, false, std::numeric_limits<double>::infinity());
       },
       {"{0, 2}"}},
      {"stddev",
       [&] {
         (void)stddev(zeros({0, 2}), 0);
       },
       {"{0, 2}"}},
      {"cross_entropy", [&] { (void)nn::cross_entropy(a, labels); }, {"3"}},
      {"nll", [&] { (void)nn::nll(a, labels); }, {"3"}},
      {"clamp", [&] { (void)clamp(a, 1, 0); }, {"1", "0"}},
      {"hardtanh", [&] { (void)hardtanh(a, 1, 0); }, {"1", "0"}},
      {"celu", [&] { (void)celu(a, 0); }, {"alpha 0"}},
  });
}

TEST_CASE("undefined tensors are refused") {
  const Tensor none, a = parameter(ones({2}));
  for (const auto& f : std::vector<std::function<void()>>{[&] { (void)(a + none); }, [&] { (void)tanh(none); },
                                                          [&] {
                                                            (void)concat({a, none});
                                                          },
                                                          [&] { (void)sum(none); }, [&] { (void)matmul(none, a); },
                                                          [&] { (void)reshape(none, {1}); }}) {
    const auto nodes = memory_stats().nodes;
    CHECK_THROWS_AS(f(), Error);
    CHECK(memory_stats().nodes == nodes);
  }
}
