// Layers of sequences, of larger images, of groups and of two inputs: they pass their options on.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using namespace weft::test;

namespace {

bool same(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && values_of(a) == values_of(b); }

}  // namespace

TEST_CASE("Conv1d passes on its options") {
  manual_seed(1);
  const Tensor x = randn({2, 13, 4});
  nn::Conv1d with(4, 6, {.kernel = 5, .stride = 2, .padding = 3, .dilation = 2, .groups = 2}),
      bare(4, 6, {.bias = false});
  CHECK(with.weight.shape() == Shape{5, 2, 6});
  CHECK(same(with(x), conv1d(x, with.weight, {.stride = 2, .padding = 3, .dilation = 2, .groups = 2}) + with.bias));
  CHECK(bare.parameters().size() == 1);
  CHECK(same(bare(x), conv1d(x, bare.weight)));
  CHECK(bare.multiply_adds(x.shape(), {2, 11, 6}) == 2 * 11 * 6 * 3 * 4);
  for (const double v : values_of(with.weight)) CHECK(std::abs(v) <= 1 / std::sqrt(10.0));
  CHECK(message_of([&] { bare(randn({2, 3, 5})); }).find("{2, 3, 5}") != std::string::npos);
  CHECK(message_of([] { nn::Conv1d(4, 6, {.groups = 4}); }).find("Conv1d: got 4 and 6 channels in 4 groups") == 0);
}

TEST_CASE("ConvTranspose2d passes on its options") {
  manual_seed(2);
  const Tensor x = randn({2, 4, 5, 6});
  const ConvTransposeOptions everything{
      .stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2}, .dilation = {1, 2}, .groups = 2};
  nn::ConvTranspose2d with(6, 4,
                           {.kernel = {2, 3},
                            .stride = everything.stride,
                            .padding = everything.padding,
                            .output_padding = everything.output_padding,
                            .dilation = everything.dilation,
                            .groups = 2}),
      bare(6, 4, {.bias = false});
  CHECK(with.weight.shape() == Shape{2, 3, 2, 6});
  CHECK(with.bias.shape() == Shape{4});
  CHECK(same(with(x), conv_transpose2d(x, with.weight, everything) + with.bias));
  CHECK(bare.parameters().size() == 1);
  CHECK(same(bare(x), conv_transpose2d(x, bare.weight)));
  CHECK(bare.multiply_adds(x.shape(), bare(x).shape()) == 2 * 4 * 5 * 6 * 9 * 4);
  for (const double v : values_of(with.weight)) CHECK(std::abs(v) <= 1 / std::sqrt(12.0));
  CHECK(message_of([&] { bare(randn({2, 3, 3, 5})); }).find("{2, 3, 3, 5}") != std::string::npos);
  CHECK(message_of([] { nn::ConvTranspose2d(4, 6, {.groups = 3}); }).find("ConvTranspose2d: got 4 and 6") == 0);
}

TEST_CASE("GroupNorm, RmsNorm and Upsample") {
  manual_seed(3);
  const Tensor x = randn({2, 3, 5, 6});
  nn::GroupNorm groups(2, 6), rough(3, 6, {.eps = 0.5});
  uniform_(groups.weight, 1, 2);
  uniform_(groups.bias, 1, 2);
  CHECK(same(groups(x), group_norm(x, 2, groups.weight, groups.bias)));
  CHECK(same(rough(x), group_norm(x, 3, ones({6}), zeros({6}), 0.5)));
  CHECK(message_of([] { nn::GroupNorm(4, 6); }).find("GroupNorm: got 6 channels in 4 groups") == 0);
  nn::RmsNorm plain(6), other(6, {.eps = 0.5});
  uniform_(plain.weight, 1, 2);
  CHECK(same(plain(x), rms_norm(x, plain.weight)));
  CHECK(same(other(x), rms_norm(x, ones({6}), 0.5)));
  CHECK(same(nn::Upsample(2)(x), upsample(x, 2)));
  CHECK(same(nn::Upsample(1.5, UpsampleMode::bilinear)(x), upsample(x, 1.5, UpsampleMode::bilinear)));
  const UpsampleOptions to{.size = {7, 9}, .mode = UpsampleMode::bilinear, .align_corners = true};
  CHECK(same(nn::Upsample(to)(x), upsample(x, to)));
  nn::Sequential net(nn::Conv2d(6, 4, {.padding = 1}), nn::GroupNorm(2, 4), nn::Upsample(2));
  CHECK(net(x).shape() == Shape{2, 6, 10, 4});
}

TEST_CASE("Bilinear is a form of both inputs for each output") {
  manual_seed(4);
  nn::Bilinear layer(3, 4, 2), bare(3, 4, 2, {.bias = false});
  layer.to(f64);
  CHECK(layer.weight.shape() == Shape{3, 4, 2});
  CHECK(bare.parameters().size() == 1);
  const Tensor a = randn({5, 2, 3}, f64), b = randn({5, 2, 4}, f64);
  const Tensor y = layer.forward(a, b);
  REQUIRE(y.shape() == Shape{5, 2, 2});
  for (std::int64_t o = 0; o < 2; ++o) {
    double sum = layer.bias.at({o});
    for (std::int64_t i = 0; i < 3; ++i)
      for (std::int64_t j = 0; j < 4; ++j) sum += a.at({4, 1, i}) * layer.weight.at({i, j, o}) * b.at({4, 1, j});
    CHECK(y.at({4, 1, o}) == doctest::Approx(sum).epsilon(1e-12));
  }
  const auto result =
      gradcheck([&](const Tensors& in) { return layer.forward(in[0], in[1]); }, {a, b}, {.order = 2, .fast = true});
  CHECK_MESSAGE(result.ok, result.message);
  struct Net : nn::Module {
    nn::Child<nn::Bilinear> form{this, "form", 3, 4, 2};
  } net;
  CHECK(net.form(ones({5, 3}), ones({5, 4})).shape() == Shape{5, 2});
  CHECK(message_of([&] { (void)layer.forward(b, a); }).find("Bilinear: got {5, 2, 4}") == 0);
}

TEST_CASE("batch norm over processes is that of the batch which they have together") {
  manual_seed(8);
  const Tensor x = randn({6, 3}, f64), other = randn({4, 3}, f64), shortcut = randn({6, 3}, f64);
  nn::BatchNorm part(3), whole(3);
  part.to(f64);
  whole.to(f64);
  // Another process with the other rows adds its sums: of ones and values first, then of squared deviations.
  const Tensor both = concat({x, other}, 0), deviations = square(other - mean(both, 0));
  int call = 0;
  part.over_processes = [&](const Tensor& sums) {
    return ++call % 2 == 1 ? sums + concat({sum(other, 0), full({1}, 4.0, f64)}) : sums + sum(deviations, 0);
  };
  CHECK(allclose(part(x), slice(whole(both), 0, 0, 6), 1e-12, 1e-12));
  CHECK(allclose(part.running_mean, whole.running_mean, 1e-12, 1e-12));
  CHECK(allclose(part.running_var, whole.running_var, 1e-12, 1e-12));
  CHECK(allclose(part.relu(x, shortcut), relu(slice(whole(both), 0, 0, 6) + shortcut), 1e-12, 1e-12));
  const auto result = gradcheck(
      [&](const Tensor& a) {
        call = 0;
        return part(a);
      },
      x);
  CHECK_MESSAGE(result.ok, result.message);
  part.eval();
  call = 0;
  part(x);
  CHECK(call == 0);
}
