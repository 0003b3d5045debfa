#include <weft/nn/addons/mpi/detail/bucket.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/addons/mpi/detail/messages.hpp>

namespace weft::mpi {

Channels::Channels() {
  MPI_Comm_dup(MPI_COMM_WORLD, &scatter);
  MPI_Comm_dup(MPI_COMM_WORLD, &gather);
  MPI_Comm_size(scatter, &size);
}

Channels::~Channels() {
  MPI_Comm_free(&scatter);
  MPI_Comm_free(&gather);
}

Bucket::Bucket(const Channels& channels, DType dtype, const std::vector<std::int64_t>& sizes, bool ordered)
    : channels_(channels), dtype_(dtype), ordered_(ordered), put_(sizes.size()), missing_(sizes.size()) {
  auto end = static_cast<std::int64_t>(sizes.size());
  for (const std::int64_t size : sizes) {
    begins_.push_back(end);
    end += size;
  }
  begins_.push_back(end);
  part_ = (end + channels.size - 1) / channels.size;
  if (part_ > std::numeric_limits<int>::max())
    fail("DataParallel: got a gradient of ", end, " elements, needs at most ", std::numeric_limits<int>::max(),
         " a rank");
  values_ = zeros({part_ * channels.size}, dtype);
  if (ordered) parts_ = zeros({part_ * channels.size}, dtype);
}

template <class F>
void Bucket::visit(const F& f) const {
  dtype_ == f32 ? f(float{}) : f(double{});
}

MPI_Datatype Bucket::type() const { return type_of(dtype_); }

void Bucket::put(std::size_t i, const Tensor& before, const Tensor& now) {
  visit([&]<class T>(T) {
    T* const values = values_.mutable_data<T>().data();
    T* const to = values + begins_[i];
    const Tensor& first = before.defined() ? before : now;
    values[i] = first.defined() ? T{1} : T{0};
    if (!first.defined()) {
      std::fill(to, values + begins_[i + 1], T{0});
    } else if (before.defined() && now.defined()) {
      const std::span<const T> a = before.data<T>(), b = now.data<T>();
      for (std::size_t k = 0; k < a.size(); ++k) to[k] = a[k] + b[k];
    } else {
      std::memcpy(to, first.data<T>().data(), first.data<T>().size_bytes());
    }
  });
  put_[i] = true;
  --missing_;
}

void Bucket::send() {
  visit([&]<class T>(T) {
    T* const values = values_.mutable_data<T>().data();
    const int count = static_cast<int>(part_);
    if (ordered_) {
      MPI_Ialltoall(values, count, type(), parts_.mutable_data<T>().data(), count, type(), channels_.scatter,
                    &request_);
      stage_ = Stage::scattering;
    } else {
      MPI_Iallreduce(MPI_IN_PLACE, values, count * channels_.size, type(), MPI_SUM, channels_.gather, &request_);
      stage_ = Stage::gathering;
    }
  });
}

// To be called when the request is done.
void Bucket::proceed() {
  if (stage_ == Stage::gathering) {
    stage_ = Stage::there;
    return;
  }
  visit([&]<class T>(T) {
    const auto size = static_cast<std::size_t>(part_);
    T* const parts = parts_.mutable_data<T>().data();
    add_in_order(parts, size, channels_.size);
    const int count = static_cast<int>(part_);
    MPI_Iallgather(parts, count, type(), values_.mutable_data<T>().data(), count, type(), channels_.gather, &request_);
  });
  stage_ = Stage::gathering;
}

bool Bucket::advance() {
  while (stage_ != Stage::there) {
    int done = 0;
    MPI_Test(&request_, &done, MPI_STATUS_IGNORE);
    if (done == 0) break;
    proceed();
  }
  return stage_ != Stage::scattering;
}

void Bucket::wait() {
  while (stage_ != Stage::there) {
    MPI_Wait(&request_, MPI_STATUS_IGNORE);
    proceed();
  }
}

Tensor Bucket::mean(std::size_t i, const Shape& shape) const {
  Tensor mean;
  visit([&]<class T>(T) {
    const T* const values = values_.data<T>().data();
    if (values[i] == T{0}) return;
    mean = empty(shape, dtype_);
    const std::span<T> to = mean.mutable_data<T>();
    const T* const from = values + begins_[i];
    for (std::size_t k = 0; k < to.size(); ++k) to[k] = from[k] / static_cast<T>(channels_.size);
  });
  return mean;
}

void Bucket::clear() {
  std::fill(put_.begin(), put_.end(), false);
  missing_ = put_.size();
  stage_ = Stage::filling;
}

// Scattering and gathering each send a rank's part to every other one; the best algorithms of an all-reduce send as
// much.
std::int64_t Bucket::bytes_sent() const {
  return 2 * part_ * (channels_.size - 1) * static_cast<std::int64_t>(size_of(dtype_));
}

}  // namespace weft::mpi
