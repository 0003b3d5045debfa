// An activation of one's own, as ordinary ops and as one fused pass: the same values and gradients, without the tensors
// in between.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>

using namespace weft;

// The same text for tensors and for fused: ops are overloaded for both.
auto smooth_gate = [](auto x, auto gate, auto bias) {
  return x * sigmoid(gate + bias) + 0.1 * tanh(x * gate) * where(x > 0.0, x, exp(x) - 1.0);
};

template <class F>
double milliseconds(F f) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / 20;
}

int main() {
  auto fused_gate = fused(smooth_gate);
  Tensor x = parameter(randn({512, 256})), gate = parameter(randn({512, 256})), bias = parameter(randn({256}));
  const Tensors inputs{x, gate, bias};
  const Tensor plain = smooth_gate(x, gate, bias), one = fused_gate(x, gate, bias);
  const Tensors plain_gradients = grad({sum(plain)}, inputs, {.retain_graph = true});
  const Tensors one_gradients = grad({sum(one)}, inputs, {.retain_graph = true});
  bool same = allclose(plain, one, 1e-4, 1e-5);
  for (std::size_t i = 0; i < inputs.size(); ++i) same &= allclose(plain_gradients[i], one_gradients[i], 1e-3, 1e-3);

  std::printf("%d nodes, %ld bytes kept, %.2f ms   as ordinary ops\n", int(tape_stats(plain).nodes),
              long(tape_stats(plain).bytes), milliseconds([&] { sum(smooth_gate(x, gate, bias)).backward(); }));
  std::printf("%d node, %ld bytes kept, %.2f ms   fused\n", int(tape_stats(one).nodes), long(tape_stats(one).bytes),
              milliseconds([&] { sum(fused_gate(x, gate, bias)).backward(); }));
  auto check = gradcheck([&](const Tensors& in) { return fused_gate(in[0], in[1], in[2]); },
                         {randn({2, 3}, f64), randn({2, 3}, f64), randn({3}, f64)}, {.order = 2});
  std::printf("gradients of both orders: %s\n", check ? "right" : check.message.c_str());
  return same && check ? 0 : 1;
}
