#pragma once
// The processes that train together: where weft::mpi was built those that mpirun has started, else this one.
#include <functional>
#include <memory>
#include <vector>

#include <weft/nn/data/loader.hpp>
#include <weft/nn/module.hpp>

namespace ranks {

/// What main() does. Only the first rank prints.
int run(const std::function<int()>& body);

int rank();
int size();
inline bool is_first() { return rank() == 0; }
/// The sums over all ranks.
std::vector<double> sum(const std::vector<double>& values);
/// Whether it is true on any of them.
bool any(bool on_this_rank);

/// While it lives, backward leaves the mean of all ranks' gradients.
class Parallel {
 public:
  Parallel(weft::nn::Module& net, weft::nn::Stateful& optimizer, weft::nn::DataLoader& loader);
  ~Parallel();
  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;
  /// All ranks get the first one's running statistics.
  void broadcast_buffers();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ranks
