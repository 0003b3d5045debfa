// Writes event files for event_file.py, which knows what must be in them. usage: event_file DIRECTORY
#include <weft/weft.hpp>

using namespace weft;

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  const std::string run = argv[1], csv = run + "/metrics.csv";
  const std::vector<std::string> columns = {"epoch", "loss/train", "accuracy"};
  {
    nn::Metrics metrics(csv, columns, {.events = run});
    for (int epoch = 1; epoch <= 4; ++epoch) metrics.add(epoch, 1.0 / epoch, 0.125 * epoch);

    std::vector<double> cubes;
    for (int i = -50; i < 50; ++i) cubes.push_back(i * i * i / 1000.0);
    metrics.events().histogram("weights", 2, tensor(cubes, {100}, f64));

    std::vector<int> pixels;
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 6; ++x)
        for (int c = 0; c < 3; ++c) pixels.push_back((60 * y + 10 * x + 80 * c) % 256);
    metrics.events().image("picture", 3, tensor(pixels, {4, 6, 3}, u8));
    metrics.events().text("note", 0, "the **first** part");
  }
  nn::Metrics metrics(csv, columns, {.keep = 2, .events = run});  // the rest of the first part no longer counts
  metrics.add(3, 0.25, 1);

  nn::Sequential net(nn::Linear(3, 8), nn::Residual(nn::make<nn::Sequential>(nn::Linear(8, 8), nn::ReLU())),
                     nn::Lambda([](const Tensor& x) {
                       return reshape(x, {-1, 2, 4});
                     }));
  const Tensor x = randn({5, 3});
  auto names = net.named_parameters();
  names.emplace_back("x", x);
  metrics.events().graph(net(x), names);
}
