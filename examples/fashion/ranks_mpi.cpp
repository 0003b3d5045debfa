#include <cstdio>

#include <weft/nn/addons/mpi/mpi.hpp>

#include "ranks.hpp"

namespace ranks {

int run(const std::function<int()>& body) {
  return weft::mpi::run([&](const weft::mpi::World& world) {
    if (!world.is_first() && std::freopen("/dev/null", "w", stdout) == nullptr)
      weft::fail("ranks: cannot open /dev/null");
    return body();
  });
}

int rank() { return weft::mpi::world().rank(); }
int size() { return weft::mpi::world().size(); }
std::vector<double> sum(const std::vector<double>& values) { return weft::mpi::world().sum(values); }
bool any(bool on_this_rank) { return weft::mpi::world().any(on_this_rank); }

struct Parallel::Impl {
  weft::mpi::DataParallel parallel;
};
Parallel::Parallel(weft::nn::Module& net, weft::nn::Stateful& optimizer, weft::nn::DataLoader& loader)
    : impl_(new Impl{weft::mpi::DataParallel(net, optimizer, loader)}) {}
Parallel::~Parallel() = default;
void Parallel::broadcast_buffers() { impl_->parallel.broadcast_buffers(); }

}  // namespace ranks
