// Ranks that do not have the same net, optimiser, data or options find out at the start, all of them, and say which.
#include "ranks.hpp"

using namespace weft;

namespace {

const int rank = ranks().rank();

nn::Dataset data(std::int64_t size, double first = 0) {
  Tensor x = zeros({size, 2});
  x.mutable_data<float>()[0] = static_cast<float>(first);
  return {.x = x, .y = zeros({size, 1})};
}

std::string said(nn::Module& net, nn::Stateful& optimizer, nn::DataLoader& loader,
                 mpi::DataParallelOptions options = {}) {
  return message_of([&] { mpi::DataParallel(net, optimizer, loader, options); });
}

}  // namespace

TEST_CASE("nets of other shapes, on rank 2") {
  nn::Linear net(2, rank == 2 ? 5 : 4);
  nn::Sgd optimizer(net, {.lr = 0.1});
  nn::DataLoader loader(data(12));
  CHECK(
      said(net, optimizer, loader) ==
      "mpi: the net of rank 2 is another than that of rank 0: \"weight f32 {2, 5}\" where rank 0 has \"weight f32 {2, "
      "4}\"");
}

TEST_CASE("optimisers of another kind, on rank 1") {
  nn::Linear net(2, 1);
  nn::Sgd sgd(net, {.lr = 0.1});
  nn::Adam adam(net);
  nn::DataLoader loader(data(12));
  CHECK(said(net, rank == 1 ? static_cast<nn::Stateful&>(adam) : sgd, loader)
            .find("mpi: the state of what trains it of rank 1 is another than that of rank 0: ") == 0);
}

TEST_CASE("other data, on rank 2, and another seed, on rank 1") {
  nn::Linear net(2, 1);
  nn::Sgd optimizer(net, {.lr = 0.1});
  nn::DataLoader other_data(data(12, rank == 2 ? 1 : 0)), other_seed(data(12), {.seed = rank == 1 ? 5U : 0U});
  CHECK(said(net, optimizer, other_data)
            .find("mpi: the loader of rank 2 is another than that of rank 0: \"augmentation and data: fingerprint ") ==
        0);
  CHECK(said(net, optimizer, other_seed) ==
        "mpi: the loader of rank 1 is another than that of rank 0: \"seed 5\" where rank 0 has \"seed 0\"");
}

TEST_CASE("other options, and a last batch that is too small to be shared out") {
  nn::Linear net(2, 1);
  nn::Sgd optimizer(net, {.lr = 0.1});
  nn::DataLoader loader(data(12), {.batch_size = 2});
  CHECK(said(net, optimizer, loader, {.ordered = rank != 1}) ==
        "mpi: DataParallelOptions of rank 1 is another than that of rank 0: \"ordered false\" where rank 0 has "
        "\"ordered true\"");
  nn::DataLoader uneven(data(13), {.batch_size = 2});
  CHECK(said(net, optimizer, uneven) ==
        "DataParallel: the last batch of an epoch has fewer examples than there are ranks, 3: needs drop_last");
  nn::DataLoader even(data(15), {.batch_size = 2});
  CHECK(said(net, optimizer, even).empty());
}
