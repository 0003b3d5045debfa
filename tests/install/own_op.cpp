// A user's own op, checked from one row by the installed package.
#include <weft/testing/check_op.hpp>
#include <weft/weft.hpp>

#include <cstdio>
#include <xtensor/xmath.hpp>

using namespace weft;

struct Softsign : Op<Softsign> {
  static constexpr const char* name = "my_softsign";
  static Tensor forward(Context& ctx, const Tensor& x) { return ctx.save(x), x / (1.0 + abs(x)); }
  static Tensor backward(Context& ctx, const Tensor& g) { return g / square(1.0 + abs(ctx.saved(0))); }
};

int main() {
  const auto result = testing::check_op(
      {.name = "my_softsign",
       .function = testing::one([](const Tensors& in) { return apply<Softsign>(in[0]); }),
       .cases = testing::unary_cases(testing::apart),
       .reference = testing::naive([](const testing::Arrays& in) { return in[0] / (1.0 + xt::abs(in[0])); })});
  std::printf("%s\n", result.ok ? "right" : result.message.c_str());
  return result.ok ? 0 : 1;
}
