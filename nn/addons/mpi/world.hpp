#pragma once
// The processes of a run.
#include <weft/engine/tensor.hpp>

#include <functional>
#include <string>
#include <vector>

namespace weft::mpi {

/// While it lives, MPI runs, and this process is one of size() ranks: those that `mpirun -n 4 program` has started, or
/// itself alone. One at a time, and where MPI was not started before, one a process. All calls are of the thread that
/// made it; what several ranks have to call they call in the same order.
///
/// Only the first rank writes files and draws progress (see set_writes_files). A rank uses its share of its machine's
/// cores unless OMP_NUM_THREADS is set. If it ends because of an exception, the whole run does.
class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool is_first() const { return rank_ == 0; }

  /// Returns when all ranks have called it.
  void barrier() const;
  /// The sums over all ranks, added in their order: the same bits on each.
  std::vector<double> sum(const std::vector<double>& values) const;
  double sum(double value) const { return sum(std::vector<double>{value})[0]; }
  /// Whether it is true on any rank.
  bool any(bool on_this_rank) const;
  /// Throws on every rank, if this text is not the same on all, an Error that names the first line that differs and
  /// whose it is. `what` is what the text describes: "the net".
  void check_same(const std::string& what, const std::string& text) const;

  /// Ends all ranks at once, after a line on stderr with this one's number and the reason.
  [[noreturn]] void abort(const std::string& why) const;

 private:
  int rank_ = 0, size_ = 1;
  int exceptions_;
  bool started_ = false;  // MPI, by this
  bool wrote_files_;
};

/// The World that there is. Throws Error if there is none.
World& world();

/// What a distributed program's main() does: calls body with the World and returns what that gives. An exception ends
/// all ranks by abort(); alone, it goes on to the caller:
///
///     int main(int argc, char** argv) {
///       return mpi::run([&](mpi::World& world) { ... return 0; });
///     }
int run(const std::function<int(World&)>& body);

/// The sum over all ranks of a tensor that has the same shape and dtype on each, added in their order. Differentiable:
/// the gradient is the sum over all ranks of theirs. Every rank sends its values to every other one: for small tensors.
Tensor sum(const Tensor& t);

}  // namespace weft::mpi
