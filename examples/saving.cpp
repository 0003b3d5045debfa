// Training that is stopped and taken up again gives bit for bit what it would have given; an encoder out of a larger
// net; a file made under other names.
#include <weft/weft.hpp>

#include <cstdio>

using namespace weft;

struct Net : nn::Module {
  nn::Child<nn::Linear> encoder{this, "encoder", 4, 8}, head;
  explicit Net(std::int64_t classes) : head(this, "head", 8, classes) {}
  Tensor forward(const Tensor& x) override { return head(tanh(encoder(x))); }
};

int main() {
  manual_seed(8);
  nn::Dataset data{randn({64, 4}), randint(0, 3, {64})};
  auto train = [&](Net& net, nn::Optimizer& optimiser, nn::DataLoader& loader) {
    for (auto [x, y] : loader) {
      optimiser.zero_grad();
      nn::cross_entropy(net(x), y).backward();
      optimiser.step();
    }
  };
  const nn::LoaderOptions options{.batch_size = 16, .shuffle = true, .seed = 1};

  Net net(3);
  nn::Adam optimiser(net, {.lr = 0.01});
  nn::DataLoader loader(data, options);
  train(net, optimiser, loader);
  nn::save("saving.safetensors", net, &optimiser, nullptr, {{"epoch", "1"}});
  train(net, optimiser, loader);

  Net again(3);  // as if in another process
  nn::Adam other(again, {.lr = 0.01});
  nn::DataLoader rest(data, options);
  const nn::LoadReport report = nn::load("saving.safetensors", again, &other);
  rest.seek(std::stol(report.notes[0].second));
  train(again, other, rest);
  bool same = true;
  for (std::size_t i = 0; i < net.parameters().size(); ++i)
    same &= allclose(net.parameters()[i], again.parameters()[i], 0, 0);
  std::printf("taken up again at epoch %s: %s\n", report.notes[0].second.c_str(), same ? "the same" : "different");

  Net ten(10);
  for (const std::string& name : nn::load("saving.safetensors", ten, {.strict = false}).misshapen)
    std::printf("left as it was: %s\n", name.c_str());
  nn::Linear encoder(4, 8);
  nn::load("saving.safetensors", encoder, {.prefix = "encoder."});
  nn::Sequential numbered(nn::Linear(4, 8), nn::Lambda(tanh), nn::Linear(8, 3));
  nn::load("saving.safetensors", numbered, {.rename = [](const std::string& name) {
             return (name.starts_with("encoder") ? "0." : "2.") + name.substr(name.find('.') + 1);
           }});
  const nn::NamedTensors before = nn::state(numbered);  // in memory
  nn::zeros_(numbered.parameters()[0]);
  nn::load_state(numbered, before);
  const bool loaded = allclose(encoder(data.x), ten.encoder(data.x)) && before.size() == 4 &&
                      allclose(encoder.weight, numbered.parameters()[0]);
  std::printf("the encoder alone, and under other names: %s\n", loaded ? "loaded" : "different");
  return same && loaded ? 0 : 1;
}
