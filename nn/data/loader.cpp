// DataLoader: which examples make a batch, what happens to them, and the thread that prepares them ahead.
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <numeric>
#include <thread>

#include <weft/nn/data/detail/check.hpp>
#include <weft/nn/data/loader.hpp>

namespace weft::nn {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): small, and a stream of its own for every (seed, epoch, example) is cheap, so
// that what happens to an example depends neither on the batch size nor on where training was taken up again.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t epoch, std::uint64_t item) {
    state_ = mixed(mixed(mixed(seed) + epoch) + item);
  }
  /// A number in [0, n); n is so much smaller than 2^64 that the remainder's bias does not matter.
  std::int64_t below(std::int64_t n) {
    state_ += golden;
    return static_cast<std::int64_t>(mixed(state_) % static_cast<std::uint64_t>(n));
  }

 private:
  static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15U;
  static std::uint64_t mixed(std::uint64_t z) {
    z += golden;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

constexpr std::uint64_t order_stream = ~std::uint64_t{0};  // no example has this number

std::size_t row_bytes(const Tensor& t) { return static_cast<std::size_t>(t.size() / t.size(0)) * size_of(t.dtype()); }

void copy_row(const Tensor& from, std::int64_t source, Tensor& to, std::int64_t target) {
  const auto bytes = row_bytes(from);
  std::memcpy(to.impl()->storage->data() + static_cast<std::size_t>(target) * bytes,
              from.impl()->storage->data() + static_cast<std::size_t>(source) * bytes, bytes);
}

bool changes_anything(const Augment& augment) {
  return augment.crop_padding > 0 || augment.flip || !augment.mean.empty();
}

template <class T>
void copy_image(const T* from, T* to, std::int64_t height, std::int64_t width, std::int64_t channels,
                const Augment& augment, Draws draws) {
  const std::int64_t padding = augment.crop_padding;
  const std::int64_t down = padding > 0 ? draws.below(2 * padding + 1) - padding : 0;
  const std::int64_t right = padding > 0 ? draws.below(2 * padding + 1) - padding : 0;
  const bool mirrored = augment.flip && draws.below(2) == 1;
  for (std::int64_t row = 0; row < height; ++row) {
    const std::int64_t source_row = row + down;
    const bool inside_row = source_row >= 0 && source_row < height;
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t source_column = (mirrored ? width - 1 - column : column) + right;
      const bool inside = inside_row && source_column >= 0 && source_column < width;
      const T* const pixel = from + (source_row * width + source_column) * channels;
      for (std::int64_t c = 0; c < channels; ++c) *to++ = inside ? pixel[c] : T{0};
    }
  }
  if (augment.mean.empty()) return;
  to -= height * width * channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    const T mean = static_cast<T>(augment.mean[static_cast<std::size_t>(c)]);
    const T scale = static_cast<T>(1 / augment.stddev[static_cast<std::size_t>(c)]);
    for (std::int64_t i = 0; i < height * width; ++i) to[i * channels + c] = (to[i * channels + c] - mean) * scale;
  }
}

void check_augment(const Augment& augment, const Tensor& x) {
  if (augment.crop_padding < 0) fail("DataLoader: got crop_padding ", augment.crop_padding, ", needs 0 or more");
  if (!changes_anything(augment) && augment.stddev.empty()) return;
  detail::check_floating("DataLoader with augment", x);
  if (x.rank() != 4) fail("DataLoader: got x ", x.shape(), " to augment, needs images {n, height, width, channels}");
  const auto channels = static_cast<std::size_t>(x.size(3));
  if (augment.mean.size() != augment.stddev.size() || (!augment.mean.empty() && augment.mean.size() != channels))
    fail("DataLoader: got ", augment.mean.size(), " means and ", augment.stddev.size(), " stddevs, needs ", channels,
         " of both or none");
  for (const double s : augment.stddev)
    if (!(s > 0)) fail("DataLoader: got stddev ", s, ", needs more than 0");
}

}  // namespace

struct DataLoader::Source {
  Dataset data;
  LoaderOptions options;

  std::int64_t batches() const {
    // Without the sum that overflows for the largest batch sizes.
    return options.drop_last ? data.size() / options.batch_size : (data.size() - 1) / options.batch_size + 1;
  }
  std::vector<std::int64_t> order(std::int64_t epoch) const {
    std::vector<std::int64_t> order(static_cast<std::size_t>(data.size()));
    std::iota(order.begin(), order.end(), 0);
    if (!options.shuffle) return order;
    Draws draws(options.seed, static_cast<std::uint64_t>(epoch), order_stream);
    for (std::int64_t i = data.size() - 1; i > 0; --i)
      std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(draws.below(i + 1))]);
    return order;
  }
};

/// One epoch. The thread that reads the batches also allocates them; the worker only fills memory, so that nothing of
/// it is recorded, pooled or freed on a thread that comes and goes.
class DataLoader::Run {
 public:
  Run(std::shared_ptr<const Source> source, std::int64_t epoch, std::int64_t first_batch)
      : source_(std::move(source)), epoch_(epoch), asked_(first_batch), order_(source_->order(epoch)) {
    const int ahead = source_->options.prefetch;
    if (ahead < 1 || asked_ >= source_->batches()) return;
    for (int i = 0; i < ahead; ++i) ask();
    worker_ = std::thread([this] { work(); });
  }
  ~Run() {
    if (!worker_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// The next batch; an undefined one after the last.
  Batch next() {
    if (!worker_.joinable()) {
      if (asked_ >= source_->batches()) return {};
      Job job = make_job();
      fill(job);
      return std::move(job.batch);
    }
    Job job;
    {
      std::unique_lock lock(mutex_);
      if (waiting_.empty() && ready_.empty() && !busy_) return {};
      changed_.wait(lock, [this] { return !ready_.empty(); });
      job = std::move(ready_.front());
      ready_.pop_front();
    }
    ask();
    return std::move(job.batch);
  }

 private:
  struct Job {
    std::int64_t first = 0;  // place in the epoch's order
    Batch batch;
  };

  Job make_job() {
    const Dataset& data = source_->data;
    Job job;
    job.first = asked_++ * source_->options.batch_size;
    const std::int64_t count = std::min(source_->options.batch_size, data.size() - job.first);
    Shape x_shape = data.x.shape(), y_shape = data.y.shape();
    x_shape[0] = y_shape[0] = count;
    job.batch.x = detail::make_tensor("DataLoader", x_shape, data.x.dtype());
    job.batch.y = detail::make_tensor("DataLoader", y_shape, data.y.dtype());
    return job;
  }
  void ask() {
    if (asked_ >= source_->batches()) return;
    Job job = make_job();
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(job));
    }
    changed_.notify_all();
  }
  void fill(Job& job) const {
    const Dataset& data = source_->data;
    const Augment& augment = source_->options.augment;
    const bool plain = !changes_anything(augment);
    for (std::int64_t i = 0; i < job.batch.size(); ++i) {
      const std::int64_t example = order_[static_cast<std::size_t>(job.first + i)];
      copy_row(data.y, example, job.batch.y, i);
      if (plain) {
        copy_row(data.x, example, job.batch.x, i);
        continue;
      }
      const Draws draws(source_->options.seed, static_cast<std::uint64_t>(epoch_), static_cast<std::uint64_t>(example));
      detail::visit_floating(data.x.dtype(), [&](auto kind) {
        using T = decltype(kind);
        const std::int64_t size = data.x.size() / data.size();
        copy_image(detail::data_of<T>(data.x) + example * size, detail::mutable_data_of<T>(job.batch.x) + i * size,
                   data.x.size(1), data.x.size(2), data.x.size(3), augment, draws);
      });
    }
  }
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
      if (stopped_) return;
      Job job = std::move(waiting_.front());
      waiting_.pop_front();
      busy_ = true;
      lock.unlock();
      fill(job);
      lock.lock();
      busy_ = false;
      ready_.push_back(std::move(job));
      changed_.notify_all();
    }
  }

  std::shared_ptr<const Source> source_;
  std::int64_t epoch_;
  std::int64_t asked_;  // batches handed out as jobs so far
  std::vector<std::int64_t> order_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> waiting_, ready_;
  bool busy_ = false, stopped_ = false;
  std::thread worker_;
};

DataLoader::DataLoader(Dataset data, LoaderOptions options) {
  detail::check_dataset("DataLoader", data);
  if (options.batch_size < 1) fail("DataLoader: got batch_size ", options.batch_size, ", needs 1 or more");
  if (options.prefetch < 0) fail("DataLoader: got prefetch ", options.prefetch, ", needs 0 or more");
  check_augment(options.augment, data.x);
  source_ = std::make_shared<const Source>(Source{std::move(data), std::move(options)});
}

std::int64_t DataLoader::batches() const { return source_->batches(); }
const LoaderOptions& DataLoader::options() const { return source_->options; }

void DataLoader::seek(std::int64_t epoch, std::int64_t batch) {
  if (epoch < 0 || batch < 0 || batch > batches())
    fail("DataLoader::seek: got epoch ", epoch, ", batch ", batch, ", needs an epoch from 0 and a batch up to ",
         batches());
  epoch_ = epoch;
  first_batch_ = batch;
}

DataLoader::Iterator DataLoader::begin() {
  auto run = std::make_shared<Run>(source_, epoch_, first_batch_);
  ++epoch_;
  first_batch_ = 0;
  return Iterator(std::move(run));
}

DataLoader::Iterator::Iterator(std::shared_ptr<Run> run) : run_(std::move(run)), batch_(run_->next()) {}

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  batch_ = {};  // its memory serves the batch that is asked for next
  batch_ = run_->next();
  return *this;
}

}  // namespace weft::nn
