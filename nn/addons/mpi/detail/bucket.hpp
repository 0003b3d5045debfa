#pragma once
// A part of the gradients on its way: packed, summed over the ranks, unpacked.
#include <weft/engine/tensor.hpp>

#include <mpi.h>
#include <vector>

namespace weft::mpi {

/// Communicators of their own for the two halves of a sum: MPI matches calls by their order, and how far the first
/// halves are when a second one is begun differs from rank to rank.
class Channels {
 public:
  Channels();
  ~Channels();
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  MPI_Comm scatter = MPI_COMM_NULL, gather = MPI_COMM_NULL;
  int size = 1;
};

class Bucket {
 public:
  /// For gradients of these sizes, of one dtype.
  Bucket(const Channels& channels, DType dtype, const std::vector<std::int64_t>& sizes, bool ordered);

  DType dtype() const { return dtype_; }
  /// Puts in the gradient of the i-th parameter: `before` + `now`, of which either may be undefined.
  void put(std::size_t i, const Tensor& before, const Tensor& now);
  /// Whether all have been put in.
  bool full() const { return missing_ == 0; }
  bool has(std::size_t i) const { return put_[i]; }

  /// Begins the sum.
  void send();
  /// Moves the sum on as far as it goes without waiting. Whether its second half has begun: those of the buckets begin
  /// in their order, the same on all ranks.
  bool advance();
  bool arrived() const { return stage_ == Stage::there; }
  /// Returns when it is.
  void wait();
  /// The mean over the ranks of the i-th parameter's gradient, in its shape; undefined where no rank had one.
  Tensor mean(std::size_t i, const Shape& shape) const;
  /// For the next backward.
  void clear();

  /// What send() sends from this rank to others.
  std::int64_t bytes_sent() const;

 private:
  enum class Stage { filling, scattering, gathering, there };
  template <class F>
  void visit(const F& f) const;
  void proceed();
  MPI_Datatype type() const;

  const Channels& channels_;
  DType dtype_;
  bool ordered_;
  // How many ranks have a gradient for each parameter, then the gradients; up to a multiple of the number of ranks,
  // each of which adds up one part.
  Tensor values_, parts_;
  std::vector<std::int64_t> begins_;  // of each parameter's gradient
  std::int64_t part_ = 0;             // elements
  std::vector<bool> put_;
  std::size_t missing_;
  Stage stage_ = Stage::filling;
  MPI_Request request_ = MPI_REQUEST_NULL;
};

}  // namespace weft::mpi
