#include "train.hpp"

#include <cmath>

using namespace weft;

namespace {

bool is_weight(const std::string& name) { return name.ends_with("weight"); }

Tensors chosen(const nn::Module& net, bool weights) {
  Tensors all;
  for (const auto& [name, p] : net.named_parameters())
    if (is_weight(name) == weights) all.push_back(p);
  return all;
}

// A bound of the loss's curvature along the weights: the largest eigenvalue of the inputs' correlations, by the power
// method, and one for each hidden unit, whose values lie within -1 and 1.
double curvature(const Tensor& x, const nn::Module& net) {
  Tensor direction = ones({x.size(1), 1}, f64);
  double largest = 1;
  for (int i = 0; i < 20; ++i) {
    direction = matmul(transpose(x), matmul(x, direction)) / static_cast<double>(x.size(0));
    largest = std::sqrt(sum(square(direction)).item());
    if (largest == 0) break;
    direction = direction / largest;
  }
  double units = 0;
  for (const auto& [name, p] : net.named_parameters())
    if (name == "out.weight") units = static_cast<double>(p.size(0));
  return std::max(largest, 1.0) + units;
}

}  // namespace

void draw_weights(nn::Module& net, std::uint64_t seed) {
  const NoGrad off;
  Generator generator(seed);
  for (auto& [name, p] : net.named_parameters()) {
    Tensor values = p;
    if (is_weight(name))
      values.copy_((2.0 * rand(p.shape(), f64, generator) - 1.0) / std::sqrt(static_cast<double>(p.size(0))));
    else
      nn::zeros_(values);
  }
}

void fit(nn::Module& net, const nn::Dataset& rows, double l2, const nn::LbfgsOptions& options) {
  nn::Lbfgs optimiser(net, options);
  const Tensors weights = chosen(net, true);
  optimiser.step([&] {
    net.zero_grad();
    Tensor loss = nn::mse(net(rows.x), rows.y);
    if (l2 > 0)
      for (const Tensor& w : weights) loss = loss + l2 * sum(square(w));
    loss.backward();
    return loss;
  });
}

void fit(nn::Module& net, const nn::Dataset& rows, double l2) {
  fit(net, rows, l2, {.max_iter = 100, .tolerance_grad = 1e-5, .tolerance_change = 1e-7, .history_size = 20});
}

void fit_l1(nn::Module& net, const nn::Dataset& rows, double l1) {
  constexpr double momentum = 0.9;
  constexpr int steps = 200;
  const double lr = 0.9 / curvature(rows.x, net);
  // In the long run momentum makes the gradient count 1 / (1 - momentum) times, so the penalty has to as well.
  nn::Sgd optimiser({{chosen(net, true), {.lr = lr, .momentum = momentum, .l1 = l1 / (1 - momentum)}},
                     {chosen(net, false), {.lr = lr, .momentum = momentum}}});
  for (int step = 0; step < steps; ++step) {
    optimiser.zero_grad();
    nn::mse(net(rows.x), rows.y).backward();
    optimiser.step();
  }
}

double error_of(nn::Module& net, const nn::Dataset& rows) {
  const NoGrad off;
  const double error = nn::mse(net(rows.x), rows.y).item();
  return std::isfinite(error) ? error : HUGE_VAL;
}

double distance_from_least_squares(const MakeNet& make_net, const nn::Dataset& data) {
  const nn::Dataset rows{nn::Standardizer(data.x).apply(data.x), nn::Standardizer(data.y).apply(data.y)};
  const nn::ModulePtr net = make_net(rows.x.size(1), true, 0);
  for (Tensor p : net->parameters()) nn::zeros_(p);  // from there it finds the shortest of several solutions
  fit(*net, rows, 0, {.max_iter = 3000, .tolerance_grad = 1e-13, .tolerance_change = 0});
  const NoGrad off;
  const Tensor exact = lstsq(rows.x, rows.y);  // of centred columns, whose bias is 0
  double most = 0;
  for (const auto& [name, p] : net->named_parameters())
    most = std::max(most, max(abs(is_weight(name) ? p - exact : p)).item());
  return most;
}
