#include <cstdlib>

#include <weft/engine/error.hpp>

#include "ranks.hpp"

namespace ranks {

int run(const std::function<int()>& body) {
  for (const char* set_by_launcher : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (std::getenv(set_by_launcher) != nullptr)
      weft::fail("started by mpirun, but built without weft::mpi: install MPI and configure again");
  return body();
}

int rank() { return 0; }
int size() { return 1; }
std::vector<double> sum(const std::vector<double>& values) { return values; }
bool any(bool on_this_rank) { return on_this_rank; }

struct Parallel::Impl {};
Parallel::Parallel(weft::nn::Module&, weft::nn::Stateful&, weft::nn::DataLoader&) {}
Parallel::~Parallel() = default;
void Parallel::broadcast_buffers() {}

}  // namespace ranks
