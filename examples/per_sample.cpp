// Gradients of single examples, and products with the Hessian of a net's loss: which example pulls hardest, and how
// curved the loss is (its largest eigenvalue, by power iteration).
#include <weft/weft.hpp>

#include <cmath>
#include <cstdio>

using namespace weft;

double dot(const Tensors& a, const Tensors& b) {
  double result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result += sum(a[i] * b[i]).item();
  return result;
}

int main() {
  manual_seed(6);
  Tensor x = randn({20, 3}, f64), y = sum(square(x), 1, true);
  y.mutable_data<double>()[7] += 50;  // a wrong entry
  nn::Sequential net(nn::Linear(3, 10), nn::Tanh(), nn::Linear(10, 1));
  net.to(f64);
  const Tensors weights = net.parameters();

  std::int64_t worst = 0;
  double longest = 0;
  Tensors mean_gradient;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const Tensors g = grad({nn::mse(net(slice(x, 0, i, i + 1)), slice(y, 0, i, i + 1))}, weights);
    if (dot(g, g) > longest) longest = dot(g, g), worst = i;
    for (std::size_t k = 0; k < g.size(); ++k) {
      if (i == 0) mean_gradient.push_back(zeros_like(g[k]));
      mean_gradient[k] += g[k] / double(x.size(0));
    }
  }
  std::printf("example %d has the longest gradient, %.1f\n", int(worst), std::sqrt(longest));
  const Tensors of_all = grad({nn::mse(net(x), y)}, weights);
  bool right = worst == 7;
  for (std::size_t k = 0; k < of_all.size(); ++k) right &= allclose(of_all[k], mean_gradient[k], 1e-9, 1e-9);

  auto loss = [&](const Tensors&) { return nn::mse(net(x), y); };  // the weights are inputs, taken as they are
  Tensors v;
  for (const Tensor& w : weights) v.push_back(randn_like(w));
  double largest = 0;
  for (int step = 0; step < 60; ++step) {
    const double length = std::sqrt(dot(v, v));
    for (Tensor& part : v) part = part / length;
    const Tensors product = hvp(loss, weights, v);
    largest = dot(v, product);
    v = product;
  }
  // The same from differences of gradients along v.
  const double length = std::sqrt(dot(v, v)), h = 1e-5;
  auto slope_at = [&](double step) {
    nn::NamedTensors moved;
    for (const auto& [name, w] : net.named_parameters()) moved.emplace_back(name, w + step / length * v[moved.size()]);
    return dot(grad({nn::mse(nn::functional_call(net, moved, x), y)}, weights), v) / length;
  };
  const double difference = (slope_at(h) - slope_at(-h)) / (2 * h);
  std::printf("largest eigenvalue of the Hessian %.4f, from differences %.4f\n", largest, difference);
  return right && std::abs(largest - difference) < 1e-3 * std::abs(largest) ? 0 : 1;
}
