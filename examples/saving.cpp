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

// A training run with everything that has a state; what the net starts from, and dropout, follow from the seed.
struct Run {
  Net net;
  nn::Adam optimiser{net, {.lr = 0.01}};
  nn::DataLoader loader;
  nn::StatefulParts parts = {{"optimizer", &optimiser}, {"loader", &loader}, {"generator", &default_generator()}};

  Run(const nn::Dataset& data, std::uint64_t seed)
      : net((manual_seed(seed), 3)), loader(data, {.batch_size = 16, .shuffle = true, .seed = 1}) {}
  void train(int steps) {
    for (auto epoch = loader.epoch(); epoch < 3; ++epoch)
      for (auto [x, y] : loader) {
        optimiser.zero_grad();
        nn::cross_entropy(net(dropout(x, 0.1, true)), y).backward();
        optimiser.step();
        if (--steps == 0) {
          nn::save("saving.safetensors", net, parts, {{"net", "three classes"}});  // the step is done
          return;
        }
      }
  }
};

int main() {
  Generator generator(8);
  const nn::Dataset data{randn({64, 4}, f32, generator), randint(0, 3, {64}, i64, generator)};

  Run whole(data, 1);
  whole.train(12);
  const nn::NamedTensors wanted = nn::state(whole.net);
  Run stopped(data, 1);
  stopped.train(6);  // in the midst of the second epoch

  Run again(data, 2);  // as if in another process
  const nn::LoadReport report = nn::load("saving.safetensors", again.net, again.parts);
  again.train(6);
  bool same = true;
  for (std::size_t i = 0; i < wanted.size(); ++i) same &= allclose(wanted[i].second, again.net.parameters()[i], 0, 0);
  std::printf("%s, taken up again in the midst of an epoch: %s\n", report.notes[0].second.c_str(),
              same ? "the same" : "different");

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
