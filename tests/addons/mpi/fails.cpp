// A distributed run one rank of which comes to an end it should not have: for faults.py.
// usage: fails CHECKPOINT STEPS [throw|kill|exit RANK STEP]
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/nn/addons/mpi/mpi.hpp>
#include <weft/weft.hpp>

using namespace weft;

namespace {

void come_to_grief(const std::string& how) {
  if (how == "throw") fail("the disk is full");
  if (how == "kill") std::raise(SIGKILL);
  if (how == "exit") _exit(0);
}

int train(const mpi::World& world, const std::vector<std::string>& args) {
  const std::string& checkpoint = args[0];
  const int steps = std::stoi(args[1]);
  manual_seed(1);
  const nn::Dataset data = {.x = randn({48, 4}), .y = randint(0, 3, {48})};
  const nn::ModulePtr net = nn::skip_mlp(4, {16}, 3);
  nn::Adam optimizer(*net);
  nn::DataLoader loader(data, {.batch_size = 12 / world.size(), .shuffle = true, .drop_last = true});
  loader.share(world.rank(), world.size());
  const nn::StatefulParts parts = {{"optimizer", &optimizer}, {"loader", &loader}};
  if (std::filesystem::exists(checkpoint)) nn::load(checkpoint, *net, parts);
  mpi::DataParallel parallel(*net, optimizer, loader);
  std::int64_t step = loader.epoch() * 4 + static_cast<std::int64_t>(loader.state()[1].second.item());
  std::printf("from step %d\n", static_cast<int>(step));
  while (step < steps)
    for (const auto& [x, y] : loader) {
      net->zero_grad();
      const Tensor loss = nn::cross_entropy((*net)(x), y);
      if (args.size() > 4 && world.rank() == std::stoi(args[3]) && step == std::stoi(args[4])) come_to_grief(args[2]);
      loss.backward();
      optimizer.step();
      nn::save(checkpoint, *net, parts);
      if (++step == steps) break;
    }
  std::printf("ended at step %d\n", static_cast<int>(step));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  return mpi::run([&](const mpi::World& world) { return train(world, args); });
}
