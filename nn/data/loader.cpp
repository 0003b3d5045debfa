// DataLoader: which examples make a batch, and the threads that prepare them ahead.
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/one_thread.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/data/detail/augment.hpp>
#include <weft/nn/data/detail/check.hpp>
#include <weft/nn/data/detail/choices.hpp>
#include <weft/nn/data/loader.hpp>
#include <weft/nn/detail/matched.hpp>
#include <weft/nn/fingerprint.hpp>

namespace weft::nn {
namespace {

using detail::Choices;

std::size_t row_bytes(const Tensor& t) { return static_cast<std::size_t>(t.size() / t.size(0)) * size_of(t.dtype()); }

std::byte* row(const Tensor& t, std::int64_t i) {
  return t.impl()->storage->data() + static_cast<std::size_t>(i) * row_bytes(t);
}

Shape with_count(std::int64_t count, const Shape& example) {
  Shape shape = {count};
  for (int axis = 0; axis < example.rank(); ++axis) shape.append(example[axis]);
  return shape;
}

Shape without_count(const Shape& batch) {
  Shape shape;
  for (int axis = 1; axis < batch.rank(); ++axis) shape.append(batch[axis]);
  return shape;
}

}  // namespace

/// The examples: rows of tensors, or what a function gives.
struct DataLoader::Source {
  Tensors rows;  // empty: ask `examples`
  detail::Examples examples;
  LoaderOptions options;

  /// What all parts together are given at a time.
  std::int64_t step() const { return step_of(options.batch_size, options.parts); }
  static std::int64_t step_of(std::int64_t batch_size, std::int64_t parts) {
    std::int64_t step = 0;
    return __builtin_mul_overflow(batch_size, parts, &step) ? std::numeric_limits<std::int64_t>::max() : step;
  }
  /// Where a batch of this part begins and ends in the epoch's order.
  std::pair<std::int64_t, std::int64_t> range(std::int64_t batch) const {
    const std::int64_t first = batch * step(), left = examples.size - first;
    if (left >= step()) {
      const std::int64_t begin = first + options.part * options.batch_size;
      return {begin, begin + options.batch_size};
    }
    // left < step <= parts * batch_size: the shares are batches that are not full
    const auto share = [&](std::int64_t part) {
      return first + left / options.parts * part + left % options.parts * part / options.parts;
    };
    return {share(options.part), share(options.part + 1)};
  }
  std::int64_t batches() const {
    const std::int64_t full = examples.size / step();
    if (options.drop_last || examples.size % step() == 0) return full;
    const auto [begin, end] = range(full);
    return begin < end ? full + 1 : full;
  }
  /// The batch to go on with after so many that took so many examples each: the first with one that was not among them.
  std::int64_t batch_after(std::int64_t done, std::int64_t their_step) const {
    if (their_step == step()) return done;
    // Exact, as less than 2^53 examples are done.
    const double examples_done = static_cast<double>(done) * static_cast<double>(their_step);
    return std::min(batches(), static_cast<std::int64_t>(examples_done / static_cast<double>(step())));
  }
  std::vector<std::int64_t> order(std::int64_t epoch) const {
    const Choices draws(options.seed, static_cast<std::uint64_t>(epoch), detail::order_stream);
    if (options.shuffle) return detail::shuffled(examples.size, draws);
    std::vector<std::int64_t> order(static_cast<std::size_t>(examples.size));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    return order;
  }
};

/// One epoch. Of a Dataset, the thread that reads the batches also allocates them; the workers only fill memory, so
/// that nothing of it is pooled or freed on a thread that comes and goes.
class DataLoader::Run {
 public:
  Run(std::shared_ptr<const Source> source, std::int64_t epoch, std::int64_t first_batch)
      : source_(std::move(source)),
        epoch_(epoch),
        asked_(first_batch),
        given_(first_batch),
        order_(source_->order(epoch)) {
    const LoaderOptions& options = source_->options;
    if (options.prefetch == 0) return;
    const int ahead = std::max(options.prefetch, options.threads);
    for (int i = 0; i < ahead; ++i) ask();
    try {
      while (workers_.size() < std::min(static_cast<std::size_t>(options.threads), jobs_.size()))
        workers_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Run() { stop(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::int64_t epoch() const { return epoch_; }
  /// Batches of the epoch up to the one that was given last.
  std::int64_t given() const { return given_; }
  /// Whether the loop has come to its end.
  bool ended() const { return ended_; }

  /// The next batch; nothing after the last.
  Tensors next() {
    if (given_ == source_->batches()) {
      ended_ = true;
      return {};
    }
    ++given_;
    if (workers_.empty()) {
      Job job = make_job();
      fill(job);
      return std::move(job.batch);
    }
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return jobs_.front().done; });
      job = std::move(jobs_.front());
      jobs_.pop_front();
      --begun_;
    }
    ask();
    if (job.error) std::rethrow_exception(job.error);
    return std::move(job.batch);
  }

 private:
  struct Job {
    std::int64_t first = 0, count = 0;  // place in the epoch's order
    Tensors batch;
    std::exception_ptr error;
    bool done = false;
  };

  Job make_job() {
    Job job;
    const auto [begin, end] = source_->range(asked_++);
    job.first = begin;
    job.count = end - begin;
    for (const Tensor& rows : source_->rows) {
      Shape shape = rows.shape();
      shape[0] = job.count;
      job.batch.push_back(detail::make_tensor("DataLoader", shape, rows.dtype()));
    }
    return job;
  }
  void ask() {
    if (asked_ >= source_->batches()) return;
    Job job = make_job();
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    changed_.notify_all();
  }
  void fill(Job& job) const {
    const NoGrad off;
    for (std::int64_t i = 0; i < job.count; ++i) {
      const std::int64_t number = order_[static_cast<std::size_t>(job.first + i)];
      if (source_->rows.empty()) {
        const Tensors example = source_->examples.example(number);
        if (i == 0) make_batch(job, example, number);
        for (std::size_t part = 0; part < example.size(); ++part) {
          check_alike(job, example, part, number);
          put(job, part, i, example[part].impl()->storage->data(), number);
        }
      } else {
        for (std::size_t part = 0; part < job.batch.size(); ++part)
          put(job, part, i, row(source_->rows[part], number), number);
      }
    }
  }
  /// For a data set of the user's own: what an example looks like is known when there is one.
  void make_batch(Job& job, const Tensors& example, std::int64_t number) const {
    for (const Tensor& t : example) {
      if (!t.defined()) fail("DataLoader: got an undefined tensor in example ", number);
      job.batch.push_back(detail::make_tensor("DataLoader", with_count(job.count, t.shape()), t.dtype()));
    }
    const Augment& augment = source_->options.augment;
    if (detail::changes_anything(augment)) detail::check_augment(augment, example[0].shape(), example[0].dtype());
  }
  void check_alike(const Job& job, const Tensors& example, std::size_t part, std::int64_t number) const {
    const Tensor& t = example[part];
    if (!t.defined()) fail("DataLoader: got an undefined tensor in example ", number);
    const Tensor& batch = job.batch[part];
    const Shape needed = without_count(batch.shape());
    if (t.shape() != needed || t.dtype() != batch.dtype())
      fail("DataLoader: got ", t.dtype(), " ", t.shape(), " as tensor ", part, " of example ", number, ", needs ",
           batch.dtype(), " ", needed, " as in example ", order_[static_cast<std::size_t>(job.first)]);
  }
  /// One tensor of an example goes to its place in the batch.
  void put(Job& job, std::size_t part, std::int64_t i, const std::byte* from, std::int64_t number) const {
    const LoaderOptions& options = source_->options;
    const Tensor& batch = job.batch[part];
    if (part > 0 || !detail::changes_anything(options.augment)) {
      std::memcpy(row(batch, i), from, row_bytes(batch));
      return;
    }
    const Choices draws(options.seed, static_cast<std::uint64_t>(epoch_), static_cast<std::uint64_t>(number));
    detail::augment_image(from, row(batch, i), without_count(batch.shape()), batch.dtype(), options.augment, draws);
  }
  void work() {
    const detail::OneThread alone;  // the training loop has the others
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopped_ || begun_ < jobs_.size(); });
      if (stopped_) return;
      Job& job = jobs_[begun_++];  // stays where it is until it is done
      lock.unlock();
      try {
        fill(job);
      } catch (...) {
        job.error = std::current_exception();
        job.batch.clear();
      }
      lock.lock();
      job.done = true;
      changed_.notify_all();
    }
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  std::shared_ptr<const Source> source_;
  std::int64_t epoch_;
  std::int64_t asked_, given_;  // batches of the epoch handed out as jobs, and to the loop
  bool ended_ = false;
  std::vector<std::int64_t> order_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;  // guards what follows, of a job that is under way nothing but its end
  std::condition_variable changed_;
  std::deque<Job> jobs_;   // the batches ahead, in order
  std::size_t begun_ = 0;  // of these
  bool stopped_ = false;
};

namespace {

void check_part(const char* op, int part, int parts) {
  if (part < 0 || part >= parts) fail(op, ": got part ", part, " of ", parts, ", needs 0 to parts - 1");
}

}  // namespace

DataLoader::DataLoader(Source source) {
  const LoaderOptions& options = source.options;
  if (options.batch_size < 1) fail("DataLoader: got batch_size ", options.batch_size, ", needs 1 or more");
  if (options.prefetch < 0) fail("DataLoader: got prefetch ", options.prefetch, ", needs 0 or more");
  if (options.threads < 1) fail("DataLoader: got threads ", options.threads, ", needs 1 or more");
  check_part("DataLoader", options.part, options.parts);
  if (source.examples.size < 1) fail("DataLoader: got ", source.examples.size, " examples, needs at least one");
  detail::check_augment(options.augment);
  if (!source.rows.empty() && detail::changes_anything(options.augment))
    detail::check_augment(options.augment, without_count(source.rows[0].shape()), source.rows[0].dtype());
  source_ = std::make_shared<const Source>(std::move(source));
}

DataLoader::DataLoader(Dataset data, LoaderOptions options)
    : DataLoader((detail::check_dataset("DataLoader", data),
                  Source{{data.x, data.y}, {data.size(), 2, nullptr}, std::move(options)})) {}
DataLoader::DataLoader(detail::Examples examples, LoaderOptions options)
    : DataLoader(Source{{}, std::move(examples), std::move(options)}) {}

std::int64_t DataLoader::batches() const { return source_->batches(); }
const LoaderOptions& DataLoader::options() const { return source_->options; }

void DataLoader::share(int part, int parts) {
  check_part("DataLoader::share", part, parts);
  Source shared = *source_;
  shared.options.part = part;
  shared.options.parts = parts;
  const std::int64_t at = shared.batch_after(first_batch_, source_->step());
  source_ = std::make_shared<const Source>(std::move(shared));
  seek(epoch_, at);
}

std::uint64_t DataLoader::fingerprint() const {
  const LoaderOptions& o = source_->options;
  Fingerprint print;
  for (const std::int64_t number : {source_->examples.size, o.batch_size, static_cast<std::int64_t>(o.seed),
                                    std::int64_t{o.parts}, std::int64_t{o.shuffle}, std::int64_t{o.drop_last},
                                    std::int64_t{o.augment.crop_padding}, std::int64_t{o.augment.flip}})
    print.add(number);
  for (const auto& numbers : {o.augment.mean, o.augment.stddev}) {
    print.add(static_cast<std::int64_t>(numbers.size()));
    for (const double number : numbers) print.add(number);
  }
  for (const Tensor& rows : source_->rows) print.add(rows);
  return print.value();
}

void DataLoader::check_place(const char* op, std::int64_t epoch, std::int64_t batch) const {
  if (epoch < 0 || epoch > std::int64_t{1} << 53 || batch < 0 || batch > batches())
    fail(op, ": got epoch ", epoch, ", batch ", batch, ", needs 0 to 2^53 and 0 to ", batches());
}

void DataLoader::seek(std::int64_t epoch, std::int64_t batch) {
  check_place("DataLoader::seek", epoch, batch);
  epoch_ = epoch;
  first_batch_ = batch;
  run_.reset();
}

NamedTensors DataLoader::state() const {
  const auto run = run_.lock();
  const bool under_way = run != nullptr && !run->ended();
  const LoaderOptions& options = source_->options;
  const auto number = [](std::int64_t n) { return from_buffer(std::span<const std::int64_t>(&n, 1), {}); };
  NamedTensors state = {
      {"epoch", number(under_way ? run->epoch() : epoch_)}, {"batch", number(under_way ? run->given() : first_batch_)},
      {"examples", number(source_->examples.size)},         {"batch_size", number(options.batch_size)},
      {"shuffle", number(options.shuffle ? 1 : 0)},         {"seed", number(static_cast<std::int64_t>(options.seed))}};
  if (options.parts > 1) state.emplace_back("parts", number(options.parts));
  return state;
}

std::function<void()> DataLoader::prepare_load(const NamedTensors& saved) {
  constexpr const char* who = "DataLoader: the saved state";
  const auto number = [](const Tensor& t) { return t.data<std::int64_t>()[0]; };
  const bool in_parts =
      std::any_of(saved.begin(), saved.end(), [](const auto& named) { return named.first == "parts"; });
  NamedTensors mine = state();
  if (source_->options.parts > 1) mine.pop_back();
  if (in_parts) mine.emplace_back("parts", zeros({}, i64));
  const Tensors found = detail::matched(who, saved, mine);
  const std::int64_t parts = in_parts ? number(found[6]) : 1;
  if (parts < 1 || parts > std::numeric_limits<int>::max()) fail(who, " has ", parts, " parts, needs 1 or more");
  const std::int64_t their_step = Source::step_of(number(found[3]), parts);
  for (std::size_t i = 2; i < 6; ++i)
    if (number(found[i]) != number(mine[i].second) && !(i == 3 && their_step == source_->step()))
      fail(who, " has ", mine[i].first, " ", number(found[i]), ", needs ", number(mine[i].second));
  const std::int64_t epoch = number(found[0]);
  check_place(who, epoch, std::clamp<std::int64_t>(number(found[1]), 0, batches()));
  const std::int64_t batch = source_->batch_after(number(found[1]), their_step);
  check_place(who, epoch, batch);
  return [this, epoch, batch] { seek(epoch, batch); };
}

std::shared_ptr<DataLoader::Run> DataLoader::start() {
  auto run = std::make_shared<Run>(source_, epoch_, first_batch_);
  ++epoch_;
  first_batch_ = 0;
  run_ = run;
  return run;
}

DataLoader::Iterator DataLoader::begin() {
  const int tensors = source_->examples.tensors;
  if (tensors > 2)
    fail("DataLoader: got examples of ", tensors, " tensors, a Batch holds 2: loop over as<", tensors, ">()");
  return Iterator(start());
}

void DataLoader::check_tensors(int wanted) const {
  const int tensors = source_->examples.tensors;
  if (wanted != tensors) fail("DataLoader::as<", wanted, ">: got examples of ", tensors, " tensors, needs ", wanted);
}

Tensors DataLoader::next(Run& run) { return run.next(); }

}  // namespace weft::nn
