// The addon as a user finds it: its header and its target are enough.
#include <weft/nn/addons/mpi/mpi.hpp>
#include <weft/weft.hpp>

int main() {
  return weft::mpi::run([](const weft::mpi::World& world) {
    weft::nn::Linear net(2, 1);
    weft::nn::Sgd optimizer(net, {.lr = 0.1});
    weft::mpi::DataParallel parallel(net, optimizer);
    weft::sum(net(weft::ones({1, 2}))).backward();
    return net.bias.grad().item() == 1 && world.sum(2.0) == 2.0 * world.size() ? 0 : 1;
  });
}
