// What does a skip layer do in a net with hidden units? Three nets on a table whose target is mostly linear, with a
// bend: a linear model, hidden units alone, and hidden units beside a skip layer from the inputs to the output. Takes a
// CSV file with a column "y", or makes one up.
#include <weft/weft.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <optional>

using namespace weft;

struct Net : nn::Module {
  std::optional<nn::Child<nn::Linear>> skip, hidden, out;
  Net(std::int64_t in, bool with_skip, bool with_hidden) {
    if (with_skip) skip.emplace(this, "skip", in, 1);
    if (with_hidden) hidden.emplace(this, "hidden", in, 24), out.emplace(this, "out", 24, 1);
  }
  Tensor forward(const Tensor& x) override {
    Tensor y = zeros({x.size(0), 1});
    if (skip) y += (*skip)(x);
    if (out) y += (*out)(tanh((*hidden)(x)));
    return y;
  }
};

void train(Net& net, const nn::Dataset& rows) {
  nn::DataLoader loader(rows, {.batch_size = 32, .shuffle = true});
  nn::Adam optimiser(net);
  nn::OneCycleLr schedule(optimiser, {.max_lr = 0.02, .total_steps = 100 * loader.batches()});
  for (int epoch = 0; epoch < 100; ++epoch)
    for (auto [x, y] : loader) {
      optimiser.zero_grad();
      nn::mse(net(x), y).backward();
      optimiser.step(), schedule.step();
    }
}

double test_error(Net& net, const nn::Dataset& rows) {
  NoGrad off;
  return nn::mse(net(rows.x), rows.y).item();
}

void write_table(const std::string& path) {
  std::ofstream file(path);
  file << "a,b,c,y\n";
  for (Tensor row : randn({1000, 4}))
    file << row.at({0}) << ',' << row.at({1}) << ',' << row.at({2}) << ','
         << 2 * row.at({0}) - row.at({1}) + std::sin(3 * row.at({2})) + 0.05 * row.at({3}) << '\n';
}

int main(int argc, char** argv) {
  manual_seed(1);
  const std::string path = argc > 1 ? argv[1] : "skip_layer.csv";
  if (argc == 1) write_table(path);
  auto [known, unseen] = nn::split(nn::read_csv(path, {.target = "y"}), {0.75, 0.25}, 1);
  nn::Standardizer inputs(known.x), outputs(known.y);
  known = {inputs.apply(known.x), outputs.apply(known.y)};
  unseen = {inputs.apply(unseen.x), outputs.apply(unseen.y)};

  std::printf("mean squared error on unseen rows, in variances of the target, of five nets each\n");
  auto mean_error = [&, &known = known, &unseen = unseen](const char* what, bool with_skip, bool with_hidden) {
    double error = 0;
    for (int i = 0; i < 5; ++i) {
      Net net(known.x.size(1), with_skip, with_hidden);
      train(net, known);
      error += test_error(net, unseen) / 5;
    }
    std::printf("  %-26s %.4f\n", what, error);
    return error;
  };
  const double linear = mean_error("skip layer alone (linear)", true, false);
  const double hidden = mean_error("hidden units alone", false, true);
  const double both = mean_error("both", true, true);
  return argc == 1 && !(hidden < 0.5 * linear && both < 0.5 * linear) ? 1 : 0;  // of the table above
}
