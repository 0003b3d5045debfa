#include <weft/nn/addons/mpi/data_parallel.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>

#include <weft/engine/backward.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/addons/mpi/broadcast.hpp>
#include <weft/nn/addons/mpi/detail/bucket.hpp>
#include <weft/nn/addons/mpi/detail/messages.hpp>
#include <weft/nn/layers/batch_norm.hpp>

namespace weft::mpi {

/// Hears of each gradient and answers with the mean.
class DataParallel::Averaging : public BackwardObserver {
 public:
  Averaging(nn::Module& module, DataParallelOptions options) : module_(module), options_(options) {
    if (options.bucket_bytes < 0) fail("DataParallel: got bucket_bytes ", options.bucket_bytes, ", needs 0 or more");
    std::int64_t bytes = 0;
    for (auto& [name, parameter] : module.named_parameters()) {
      if (parameter.requires_grad()) {
        numbers_.emplace(parameter.impl(), parameters_.size());
        parameters_.push_back(parameter);
        bytes += bytes_of(parameter);
      } else {
        frozen_.emplace(parameter.impl(), name);
      }
    }
    if (options.bucket_bytes == 0)
      options_.bucket_bytes = std::clamp<std::int64_t>(bytes / 8, std::int64_t{64} << 10, std::int64_t{4} << 20);
    if (world().size() == 1) return;
    // Backward begins at the end of the net; the first one shows the order.
    std::vector<int> order(parameters_.size());
    std::iota(order.rbegin(), order.rend(), 0);
    make_buckets(order);
    if (options.sync_batch_norm)
      for (auto& [path, part] : module.named_modules())
        if (auto* const norm = dynamic_cast<nn::BatchNorm*>(part)) {
          norm->over_processes = [](const Tensor& sums) { return mpi::sum(sums); };
          norms_.push_back(norm);
        }
    observe_.emplace(*this);
  }
  ~Averaging() override {
    for (nn::BatchNorm* norm : norms_) norm->over_processes = nullptr;
    // Of a backward that failed, sums are still under way to and from this memory: it stays, and the run ends.
    if (in_backward_) static_cast<void>(kept_.release());
  }

  void ready(const Tensor& leaf, const Tensor& gradient) override {
    if (depth > 0) return;
    const Clock clock(communication.seconds_packing);
    in_backward_ = true;
    const auto found = numbers_.find(leaf.impl());
    if (found == numbers_.end()) {
      if (const auto frozen = frozen_.find(leaf.impl()); frozen != frozen_.end())
        fail("DataParallel: got a gradient of ", frozen->second, ", which required none when this was made");
      return;  // not the net's
    }
    if (gradient.requires_grad()) fail("DataParallel: got create_graph, needs a backward that is not recorded");
    put(found->second, gradient);
    if (!ordered_by_backward_) seen_.push_back(static_cast<int>(found->second));
    send_full_ones();
    for (std::size_t i = arrived_; i < sent_ && buckets_[i].advance();) ++i;
    note_arrivals();
  }

  void finish(std::vector<LeafGradient>& gradients) override {
    if (depth > 0) return;
    {
      const Clock clock(communication.seconds_packing);
      for (std::size_t p = 0; p < parameters_.size(); ++p)
        if (!buckets_[places_[p].bucket].has(places_[p].number)) put(p, Tensor());
      send_full_ones();
    }
    const double end = MPI_Wtime();
    {
      const Clock clock(communication.seconds_waited);
      while (arrived_ < buckets_.size()) {
        buckets_[arrived_].wait();
        note_arrivals();
      }
    }
    for (BucketTimes& times : times_) {
      times.sent -= end;
      times.arrived -= end;
    }
    communication.last = times_;
    const Clock clock(communication.seconds_packing);
    std::unordered_map<const weft::detail::TensorImpl*, std::size_t> listed;
    for (std::size_t i = 0; i < gradients.size(); ++i) listed.emplace(gradients[i].leaf.impl(), i);
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      Tensor mean = buckets_[places_[p].bucket].mean(places_[p].number, parameters_[p].shape());
      if (!mean.defined()) continue;
      parameters_[p].zero_grad();  // what was there is in the mean
      if (const auto found = listed.find(parameters_[p].impl()); found != listed.end())
        gradients[found->second].gradient = std::move(mean);
      else
        gradients.push_back({parameters_[p], std::move(mean)});
    }
    for (Bucket& bucket : buckets_) bucket.clear();
    sent_ = arrived_ = 0;
    in_backward_ = false;
    ++communication.backwards;
    if (!ordered_by_backward_) order_by_backward();
  }

  void broadcast_buffers() {
    for (auto& [name, buffer] : module_.named_buffers()) broadcast_values(buffer);
  }

  int depth = 0;  // of accumulate()
  Communication communication;

 private:
  class Clock {
   public:
    explicit Clock(double& sum) : sum_(sum), from_(MPI_Wtime()) {}
    ~Clock() { sum_ += MPI_Wtime() - from_; }
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;

   private:
    double& sum_;
    double from_;
  };
  static std::int64_t bytes_of(const Tensor& t) { return t.size() * static_cast<std::int64_t>(size_of(t.dtype())); }
  struct Place {
    std::size_t bucket = 0, number = 0;
  };

  void make_buckets(const std::vector<int>& order) {
    buckets_.clear();
    times_.clear();
    places_.assign(parameters_.size(), {});
    std::vector<std::int64_t> sizes;
    DType dtype = f32;
    std::int64_t bytes = 0;
    const auto close = [&] {
      if (sizes.empty()) return;
      buckets_.emplace_back(channels_, dtype, sizes, options_.ordered);
      times_.push_back({.bytes = bytes});
      sizes.clear();
      bytes = 0;
    };
    for (const int number : order) {
      const auto p = static_cast<std::size_t>(number);
      const Tensor& parameter = parameters_[p];
      if (parameter.dtype() != dtype || bytes >= options_.bucket_bytes) close();
      dtype = parameter.dtype();
      places_[p] = {buckets_.size(), sizes.size()};
      sizes.push_back(parameter.size());
      bytes += bytes_of(parameter);
    }
    close();
  }

  // From the second backward on the buckets are filled in the order in which gradients come on the first rank.
  void order_by_backward() {
    ordered_by_backward_ = true;
    std::vector<bool> has_come(parameters_.size());
    for (const int number : seen_) has_come[static_cast<std::size_t>(number)] = true;
    for (std::size_t p = parameters_.size(); p-- > 0;)
      if (!has_come[p]) seen_.push_back(static_cast<int>(p));
    broadcast_bytes(std::as_writable_bytes(std::span(seen_)), 0);
    make_buckets(seen_);
  }

  void put(std::size_t p, const Tensor& gradient) {
    const Tensor& parameter = parameters_[p];
    Bucket& bucket = buckets_[places_[p].bucket];
    if (parameter.dtype() != bucket.dtype())
      fail("DataParallel: a parameter has become ", parameter.dtype(), ", was ", bucket.dtype(), " when this was made");
    bucket.put(places_[p].number, parameter.grad(), gradient);
  }

  // Buckets are sent in their order, which is the same on all ranks.
  void send_full_ones() {
    for (; sent_ < buckets_.size() && buckets_[sent_].full(); ++sent_) {
      times_[sent_].sent = MPI_Wtime();
      buckets_[sent_].send();
      ++communication.buckets;
      communication.bytes_sent += buckets_[sent_].bytes_sent();
    }
  }

  void note_arrivals() {
    for (; arrived_ < sent_ && buckets_[arrived_].arrived(); ++arrived_) times_[arrived_].arrived = MPI_Wtime();
  }

  nn::Module& module_;
  DataParallelOptions options_;
  Channels channels_;
  Tensors parameters_;
  std::unordered_map<const weft::detail::TensorImpl*, std::size_t> numbers_;
  std::unordered_map<const weft::detail::TensorImpl*, std::string> frozen_;
  std::vector<nn::BatchNorm*> norms_;
  std::unique_ptr<std::vector<Bucket>> kept_ = std::make_unique<std::vector<Bucket>>();
  std::vector<Bucket>& buckets_ = *kept_;
  std::vector<BucketTimes> times_;  // of each
  std::vector<Place> places_;       // of each parameter
  std::vector<int> seen_;           // in the first backward
  std::size_t sent_ = 0, arrived_ = 0;
  bool ordered_by_backward_ = false, in_backward_ = false;
  std::optional<ObserveBackward> observe_;
};

namespace {

// Each rank's share of the loader.
void share(nn::DataLoader& loader) {
  loader.share(world().rank(), world().size());
  const nn::LoaderOptions& o = loader.options();
  world().check_same("the loader", fmt::format("{} examples\nbatch_size {}\nshuffle {}\nseed {}\ndrop_last {}\n"
                                               "augmentation and data: fingerprint {:016x}",
                                               loader.state()[2].second.item(), o.batch_size, o.shuffle, o.seed,
                                               o.drop_last, loader.fingerprint()));
  const auto batches = static_cast<double>(loader.batches());
  if (world().any(world().sum(batches) != batches * world().size()))
    fail("DataParallel: the last batch of an epoch has fewer examples than there are ranks, ", world().size(),
         ": needs drop_last");
}

}  // namespace

DataParallel::DataParallel(nn::Module& module, nn::Stateful& optimizer, DataParallelOptions options) {
  broadcast(module, optimizer);
  world().check_same("DataParallelOptions",
                     fmt::format("{} bytes a bucket\nordered {}\nsync_batch_norm {}", options.bucket_bytes,
                                 options.ordered, options.sync_batch_norm));
  averaging_ = std::make_unique<Averaging>(module, options);
}

DataParallel::DataParallel(nn::Module& module, nn::Stateful& optimizer, nn::DataLoader& loader,
                           DataParallelOptions options)
    : DataParallel(module, optimizer, (share(loader), options)) {}

DataParallel::~DataParallel() = default;

DataParallel::Accumulate DataParallel::accumulate(bool on) { return {&averaging_->depth, on}; }

void DataParallel::broadcast_buffers() { averaging_->broadcast_buffers(); }

const Communication& DataParallel::communication() const { return averaging_->communication; }

}  // namespace weft::mpi
