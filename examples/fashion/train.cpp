#include "train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <optional>

#include <weft/weft.hpp>

#include "ranks.hpp"
#include "report.hpp"

namespace nn = weft::nn;
using weft::Tensor;

namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;  // the signal

// Whether this rank, or another, has been interrupted: the answer is the same on all.
bool to_be_stopped() {
  if (!ranks::any(interrupted != 0)) return false;
  if (interrupted == 0) interrupted = SIGTERM;
  return true;
}

// The first interrupt asks for an end after the step under way, a second one ends at once.
void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { interrupted = signal; };
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void make_directory(const std::string& out) {
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error) weft::fail("--out: cannot make the directory ", out, ": ", error.message());
}

struct Data {
  nn::Dataset train, test;
};

Data read_data(const Options& o) {
  const auto read = o.data == "fashion" ? nn::fashion_mnist : nn::cifar10;
  Data data = {read(o.dir, nn::Split::train), read(o.dir, nn::Split::test)};
  if (o.limit > data.train.size()) weft::fail("--limit: got ", o.limit, ", needs at most ", data.train.size());
  if (o.limit > 0) data.train = nn::head(data.train, o.limit);
  if (data.train.size() < o.batch) weft::fail("--batch: got ", o.batch, ", needs at most ", data.train.size());
  if (o.batch % ranks::size() != 0)
    weft::fail("--batch: got ", o.batch, ", needs a multiple of the ", ranks::size(), " ranks that share it");
  return data;
}

nn::ModulePtr make_net(const Options& o, int channels) {
  constexpr int classes = 10;
  if (o.net == "plain") return nn::plain_net(o.depth, channels, classes);
  if (o.net == "dense") return nn::densenet(o.depth, o.growth, true, 0.5, channels, classes);
  const auto shortcut = o.shortcut == "A"   ? nn::ShortcutOption::A
                        : o.shortcut == "B" ? nn::ShortcutOption::B
                                            : nn::ShortcutOption::C;
  return nn::resnet_cifar(o.depth, shortcut, o.pre_activation, channels, classes);
}

// Mean loss and accuracy over what has been seen so far.
struct Totals {
  double loss = 0, correct = 0, examples = 0;

  void add(const Tensor& batch_loss, const Tensor& logits, const Tensor& y) {
    const weft::NoGrad off;
    const auto n = static_cast<double>(y.size());
    loss += batch_loss.item() * n;
    correct += weft::sum(weft::equal(weft::argmax(logits, 1), y).to(weft::f32)).item();
    examples += n;
  }
  void add(const Totals& more) {
    loss += more.loss;
    correct += more.correct;
    examples += more.examples;
  }
  /// Those of all ranks together.
  Totals of_all_ranks() const {
    const auto sums = ranks::sum({loss, correct, examples});
    return {sums[0], sums[1], sums[2]};
  }
  double mean_loss() const { return loss / examples; }
  double accuracy() const { return correct / examples; }
};

// Loss and accuracy on the test images, of which each rank has a share; nothing if interrupted.
std::optional<Totals> evaluate(nn::Module& net, nn::DataLoader& loader, std::int64_t images) {
  const weft::NoGrad off;
  net.eval();
  Totals totals;
  nn::Progress bar("test", images);
  for (const auto& batch : loader) {
    const Tensor logits = net(batch.x);
    totals.add(nn::cross_entropy(logits, batch.y), logits, batch.y);
    bar.update(static_cast<std::int64_t>(totals.examples) * ranks::size());
    if (interrupted != 0) break;
  }
  net.train();
  if (to_be_stopped()) return std::nullopt;
  return totals.of_all_ranks();
}

// A run that goes on in another directory takes its rows and its curves along.
void bring_metrics(const std::filesystem::path& from, const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (!ranks::is_first() || !fs::exists(from / "metrics.csv", none) ||
      fs::equivalent(from.empty() ? "." : from, to, none))
    return;
  for (const auto& entry : fs::directory_iterator(from.empty() ? "." : from)) {
    const std::string name = entry.path().filename().string();
    if (name == "metrics.csv" || name.starts_with("events.out.tfevents."))
      fs::copy_file(entry.path(), to / name, fs::copy_options::overwrite_existing);
  }
}

// Where a run is, beyond what the parts of its checkpoint hold.
struct Position {
  std::int64_t images = 0, steps = 0;  // of an epoch
  std::int64_t epoch = 0, batch = 0;   // done in whole, and of the one under way
  Totals totals;                       // of the epoch under way
  double seconds = 0;                  // of training, evaluation not counted

  nn::Notes notes() const {
    return {{"images", fmt::format("{}", images)},
            {"steps", fmt::format("{}", steps)},
            {"at-epoch", fmt::format("{}", epoch)},
            {"at-batch", fmt::format("{}", batch)},
            {"at-loss", fmt::format("{}", totals.loss)},
            {"at-correct", fmt::format("{}", totals.correct)},
            {"at-examples", fmt::format("{}", totals.examples)},
            {"at-seconds", fmt::format("{}", seconds)}};
  }

  void read(const nn::Notes& notes) {
    const auto get = [&](const char* name, auto& value) {
      for (const auto& [key, text] : notes)
        if (key == name && std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) return;
      weft::fail("--resume: the checkpoint does not say \"", name, "\"");
    };
    const std::int64_t images_here = images, steps_here = steps;
    get("images", images);
    get("steps", steps);
    if (images != images_here || steps != steps_here)
      weft::fail("--resume: the run had ", images, " images and ", steps, " steps an epoch, the data here gives ",
                 images_here, " and ", steps_here);
    get("at-epoch", epoch);
    get("at-batch", batch);
    get("at-loss", totals.loss);
    get("at-correct", totals.correct);
    get("at-examples", totals.examples);
    get("at-seconds", seconds);
  }
};

}  // namespace

bool train(const Options& o) {
  if (o.threads > 0) weft::set_num_threads(o.threads);
  weft::manual_seed(o.seed);
  make_directory(o.out);
  const Data data = read_data(o);
  const nn::ChannelStats stats = nn::channel_stats(data.train.x);
  nn::DataLoader loader(data.train,
                        {.batch_size = o.batch / ranks::size(),
                         .shuffle = true,
                         .seed = o.seed,
                         .drop_last = true,
                         .augment = {.crop_padding = o.crop, .flip = true, .mean = stats.mean, .stddev = stats.stddev},
                         .part = ranks::rank(),
                         .parts = ranks::size()});
  nn::DataLoader test_loader(data.test, {.batch_size = 500,
                                         .augment = {.mean = stats.mean, .stddev = stats.stddev},
                                         .part = ranks::rank(),
                                         .parts = ranks::size()});

  const nn::ModulePtr net = make_net(o, static_cast<int>(data.train.x.size(3)));
  std::int64_t parameter_count = 0;
  for (const Tensor& p : net->parameters()) parameter_count += p.size();
  const std::string workers = ranks::size() == 1 ? "" : fmt::format("{} ranks of ", ranks::size());
  fmt::print("{} on {}: {} parameters, {} images, {} epochs of {} steps, {}{} threads\n", o.label(), o.data,
             parameter_count, data.train.size(), o.epochs, loader.batches(), workers, weft::num_threads());

  nn::Sgd optimizer(net->parameters(), {.lr = o.lr, .momentum = 0.9, .weight_decay = 5e-4, .nesterov = true});
  nn::OneCycleLr schedule(optimizer, {.max_lr = o.lr, .total_steps = o.epochs * loader.batches()});

  const nn::StatefulParts parts = {
      {"optimizer", &optimizer}, {"schedule", &schedule}, {"generator", &weft::default_generator()}};
  Position at;
  at.images = data.train.size();
  at.steps = loader.batches();
  if (!o.resume.empty()) at.read(nn::load(o.resume, *net, parts).notes);
  ranks::Parallel parallel(*net, optimizer, loader);
  if (at.epoch > o.epochs) weft::fail("--resume: the checkpoint is at epoch ", at.epoch, " of ", o.epochs);
  watch_interrupts();
  if (!o.resume.empty()) bring_metrics(std::filesystem::path(o.resume).parent_path(), o.out);
  nn::Metrics metrics(o.out + "/metrics.csv", metrics_columns,
                      {.keep = static_cast<std::size_t>(at.epoch), .events = o.out});
  Totals here;  // of this rank, since the last checkpoint
  const auto checkpoint = [&] {
    at.totals.add(here.of_all_ranks());
    here = {};
    nn::Notes notes = o.settings();
    notes.emplace_back("dir", std::filesystem::absolute(o.dir).string());
    for (auto& note : at.notes()) notes.push_back(std::move(note));
    nn::save(o.checkpoint(), *net, parts, notes);
  };

  net->train();
  while (at.epoch < o.epochs) {
    loader.seek(at.epoch, at.batch);
    const auto started = Clock::now();
    const double before = at.seconds;
    const std::int64_t steps = at.steps - at.batch;  // none where only the evaluation is left
    {
      const std::string label = fmt::format("epoch {}/{}", at.epoch + 1, o.epochs);
      nn::Progress bar(label, at.steps * o.batch, at.batch * o.batch);
      for (const auto& batch : loader) {
        optimizer.zero_grad();
        const Tensor logits = (*net)(batch.x);
        const Tensor loss = nn::cross_entropy(logits, batch.y);
        here.add(loss, logits, batch.y);
        if (!std::isfinite(here.loss))
          weft::fail("the loss is no longer finite at step ", at.batch + 1, " of epoch ", at.epoch + 1,
                     ": try a lower --lr");
        loss.backward();
        optimizer.step();
        schedule.step();
        ++at.batch;
        at.seconds = before + std::chrono::duration<double>(Clock::now() - started).count();
        Totals shown = at.totals;
        shown.add(here);
        bar.update(at.batch * o.batch, {{"loss", shown.mean_loss()}, {"accuracy", shown.accuracy()}});
        if (to_be_stopped()) break;
      }
    }
    parallel.broadcast_buffers();
    checkpoint();
    if (interrupted != 0) return false;
    const auto result = evaluate(*net, test_loader, data.test.size());
    if (!result) return false;
    const Totals& tested = *result;
    const double ms_a_step = 1e3 * (at.seconds - before) / static_cast<double>(std::max<std::int64_t>(steps, 1));
    ++at.epoch;
    metrics.add({static_cast<double>(at.epoch), at.totals.mean_loss(), at.totals.accuracy(), tested.mean_loss(),
                 tested.accuracy(), optimizer.lr(), at.seconds});
    fmt::print(
        "epoch {:3}/{}  train loss {:.4f} accuracy {:.4f}  test loss {:.4f} accuracy {:.4f}  {:.1f} s ({:.0f} ms a "
        "step)\n",
        at.epoch, o.epochs, at.totals.mean_loss(), at.totals.accuracy(), tested.mean_loss(), tested.accuracy(),
        at.seconds, ms_a_step);
    std::fflush(stdout);
    at.batch = 0;
    at.totals = {};
    checkpoint();
    if (to_be_stopped() && at.epoch < o.epochs) return false;
  }
  return true;
}

void end_if_interrupted() {
  if (interrupted == 0 || ranks::size() > 1) return;  // mpirun ends its ranks by itself
  std::fflush(nullptr);
  std::signal(interrupted, SIG_DFL);
  std::raise(interrupted);
}
