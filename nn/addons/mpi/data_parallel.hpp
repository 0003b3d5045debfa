#pragma once
// Training on a share of each batch, with gradients averaged over all ranks.
#include <weft/nn/addons/mpi/world.hpp>
#include <weft/nn/data/loader.hpp>
#include <weft/nn/module.hpp>
#include <weft/nn/stateful.hpp>

#include <memory>
#include <vector>

namespace weft::mpi {

struct DataParallelOptions {
  /// Gradients travel together in buckets of about so many bytes: larger ones cost less a byte, smaller ones can leave
  /// earlier. 0: an eighth of all, from 64 KiB to 4 MiB.
  std::int64_t bucket_bytes = 0;
  /// Sums are added in the order of the ranks, so that they are the same bits as those of one process that does the
  /// shares one by one, on whatever machines. Else MPI_Iallreduce chooses the order.
  bool ordered = true;
  /// Batch norms in training normalise by the batch of all ranks, not each by its own share (a slower path: two more
  /// sums over the ranks a layer, forward and backward).
  bool sync_batch_norm = false;
};

/// When a bucket of a backward was sent and when its sum was there, in seconds after this rank had all its gradients:
/// what is negative was hidden behind backward.
struct BucketTimes {
  std::int64_t bytes = 0;  ///< of gradients
  double sent = 0, arrived = 0;
};

/// What came of the gradients' travels on this rank.
struct Communication {
  std::int64_t backwards = 0;     ///< that averaged
  std::int64_t buckets = 0;       ///< that were sent
  std::int64_t bytes_sent = 0;    ///< by this rank to others
  double seconds_waited = 0;      ///< in backward, when all gradients were there and sums were not
  double seconds_packing = 0;     ///< copying, adding, and asking MPI how far it is
  std::vector<BucketTimes> last;  ///< of the last backward
};

/// While it lives, training is distributed over all ranks (Li et al., PyTorch Distributed, arXiv 2006.15704). One line
/// before the loop does it:
///
///     mpi::DataParallel parallel(net, optimizer, loader);
///     for (auto [x, y] : loader) {  // each rank its share of every batch
///       optimizer.zero_grad();
///       nn::cross_entropy(net(x), y).backward();  // leaves the mean of all ranks' gradients
///       optimizer.step();
///     }
///
/// Every backward() of this thread then belongs to all ranks: each calls it equally often. A gradient travels as soon
/// as it is final, while backward goes on. A parameter that is used on some ranks only counts as 0 on the others; one
/// that is used on none gets no gradient. What comes after backward sees the mean: leaves' hooks, clip_grad_norm(),
/// the optimiser.
class DataParallel {
 public:
  /// Gives every rank the first one's net and state of the optimiser, and the loader its share: of an epoch's order,
  /// the same on all ranks, each batch_size examples go to the next rank. Throws Error on every rank if nets,
  /// optimisers, data or options differ, or if the last batch of an epoch holds less than one example a rank.
  DataParallel(nn::Module& module, nn::Stateful& optimizer, nn::DataLoader& loader, DataParallelOptions options = {});
  /// For data that the caller shares out.
  DataParallel(nn::Module& module, nn::Stateful& optimizer, DataParallelOptions options = {});
  ~DataParallel();
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;

  /// While this lives, backward() adds to this rank's own gradients only; the next one after it averages them all:
  ///
  ///     for (int piece = 0; piece < pieces; ++piece) {
  ///       const auto more = parallel.accumulate(piece + 1 < pieces);  // false: as if it were not there
  ///       loss_of(piece).backward();
  ///     }
  class Accumulate {
   public:
    ~Accumulate() { *depth_ -= by_; }
    Accumulate(const Accumulate&) = delete;
    Accumulate& operator=(const Accumulate&) = delete;

   private:
    friend class DataParallel;
    Accumulate(int* depth, bool on) : depth_(depth), by_(on ? 1 : 0) { *depth_ += by_; }
    int *depth_, by_;
  };
  [[nodiscard]] Accumulate accumulate(bool on = true);

  /// Gives every rank the first one's buffers, running statistics above all: each rank's are of its own shares. To be
  /// called before the ranks evaluate together.
  void broadcast_buffers();

  const Communication& communication() const;

 private:
  class Averaging;
  std::unique_ptr<Averaging> averaging_;
};

}  // namespace weft::mpi
