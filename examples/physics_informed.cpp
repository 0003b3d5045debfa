// A physics-informed net (Raissi, Perdikaris and Karniadakis 2019): u(x, t) of the heat equation u_t = 0.1 u_xx on
// [0, 1] with u(x, 0) = sin(pi x) and u = 0 at both ends, from the equation alone. Derivatives of the net with respect
// to its inputs are in the loss, so training differentiates them again.
#include <weft/weft.hpp>

#include <cmath>
#include <cstdio>
#include <numbers>

using namespace weft;

int main() {
  manual_seed(3);
  const double k = 0.1, pi = std::numbers::pi;
  nn::Sequential net(nn::Linear(2, 24), nn::Tanh(), nn::Linear(24, 24), nn::Tanh(), nn::Linear(24, 1));
  // The factors hold the start and the ends exactly.
  auto u = [&](const Tensor& x, const Tensor& t) {
    return sin(pi * x) * (1.0 + t * net(concat({x, t}))) + t * x * (1.0 - x) * net(concat({x, t}));
  };
  nn::Adam optimiser(net, {.lr = 0.01});
  constexpr int steps = 400;
  nn::CosineLr schedule(optimiser, {.total_steps = steps});
  for (int step = 1; step <= steps; ++step) {
    Tensor x = parameter(rand({128, 1})), t = parameter(rand({128, 1}));
    Tensors first = grad({sum(u(x, t))}, {x, t}, {.create_graph = true});
    Tensor u_xx = grad({sum(first[0])}, {x}, {.create_graph = true})[0];
    Tensor loss = mean(square(first[1] - k * u_xx));
    optimiser.zero_grad();
    loss.backward();
    optimiser.step();
    schedule.step();
    if (step % 100 == 0) std::printf("step %3d  residual %.2e\n", step, loss.item());
  }
  NoGrad off;
  Tensor x = linspace(0, 1, 21), t = full({21, 1}, 1.0);
  x = reshape(x, {21, 1});
  const double error = max(abs(u(x, t) - std::exp(-k * pi * pi) * sin(pi * x))).item();
  std::printf("largest error at t = 1: %.4f of %.4f\n", error, std::exp(-k * pi * pi));
  return error < 0.02 ? 0 : 1;
}
