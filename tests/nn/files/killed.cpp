// Training whose process is killed at any moment goes on from its last checkpoint and ends with the bits of one that
// was never stopped.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tests/support/same.hpp>
#include <tests/support/sanitized.hpp>
#include <tests/support/temp_dir.hpp>

#include <array>
#include <chrono>
#include <random>
#include <thread>

#include <weft/weft.hpp>

extern char** environ;

using namespace weft;

namespace {

struct Net : nn::Module {
  nn::Child<nn::Conv2d> first{this, "first", 2, 6, {.padding = 1}};
  nn::Child<nn::Residual> block;
  nn::Child<nn::Dropout> dropout{this, "dropout", 0.3};
  nn::Child<nn::Linear> head{this, "head", 6, 3};
  Net()
      : block(this, "block",
              nn::make<nn::Sequential>(nn::Conv2d(6, 6, {.padding = 1}), nn::BatchNorm(6), nn::Lambda(relu)),
              {.keep = 0.6}) {}
  Tensor forward(const Tensor& x) override { return head(dropout(global_avg_pool(block(first(x))))); }
};

// Everything that has a state, made as at the start of a process.
struct Training {
  static constexpr std::int64_t epochs = 12;
  // The only draws of the default generator before training are the net's.
  bool seeded = (manual_seed(1), true);
  Generator made{2}, mixing{3};
  nn::Dataset data{randn({40, 6, 6, 2}, f32, made), randint(0, 3, {40}, i64, made)};
  nn::ModulePtr net = nn::make<Net>();
  nn::Ema average{*net, 0.9};
  nn::Adam optimizer{*net, {.lr = 0.01}};
  nn::DataLoader loader{data,
                        {.batch_size = 7,
                         .shuffle = true,
                         .seed = 4,
                         .augment = {.crop_padding = 1, .flip = true, .mean = {0.1, 0.2}, .stddev = {1, 2}},
                         .prefetch = 3,
                         .threads = 2}};
  nn::OneCycleLr schedule{optimizer, {.max_lr = 0.05, .total_steps = epochs * loader.batches()}};
  nn::StatefulParts parts = {{"optimizer", &optimizer}, {"schedule", &schedule}, {"average", &average},
                             {"loader", &loader},       {"mixing", &mixing},     {"generator", &default_generator()}};

  template <class F>
  void run(F after_step) {
    for (auto epoch = loader.epoch(); epoch < epochs; ++epoch)
      for (const auto& batch : loader) {
        const auto [x, y] = nn::mixup(batch, {.alpha = 0.4, .classes = 3}, mixing);
        optimizer.zero_grad();
        nn::cross_entropy((*net)(x), y).backward();
        optimizer.step();
        schedule.step();
        average.update();
        after_step();
      }
  }
};

constexpr const char* path_variable = "WEFT_KILLED_CHECKPOINT";
constexpr int report_descriptor = 3;
constexpr const char* child_name = "a process that trains until it is killed";

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// The process, and what it says of itself: a byte when it begins to train and one after each checkpoint.
class Child {
 public:
  Child() {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    reports_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], report_descriptor);
    const std::string only = std::string("--test-case=") + child_name;
    std::array<std::string, 5> words = {"killed", "--no-skip=true", "--minimal=true", "--no-version=true", only};
    std::array<char*, 6> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    REQUIRE(posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
  }
  ~Child() {
    if (process_ > 0) end();
    close(reports_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Whether it has said so once more; false if it has ended.
  bool report() {
    char byte = 0;
    return read(reports_, &byte, 1) == 1;
  }
  // Kills it; true if it had come to its end before.
  bool end() {
    kill(process_, SIGKILL);
    return waited();
  }
  bool waited() {
    int status = 0;
    REQUIRE(waitpid(process_, &status, 0) == process_);
    process_ = 0;
    if (WIFSIGNALED(status)) {
      CHECK(WTERMSIG(status) == SIGKILL);
      return false;
    }
    CHECK(WEXITSTATUS(status) == 0);
    return true;
  }

 private:
  pid_t process_ = 0;
  int reports_ = -1;
};

bool same_files(const std::string& a, const std::string& b) {
  const nn::NamedTensors one = nn::read_safetensors(a).tensors, other = nn::read_safetensors(b).tensors;
  bool same = one.size() == other.size() && !one.empty();
  for (std::size_t i = 0; same && i < one.size(); ++i)
    same = one[i].first == other[i].first && same_bits(one[i].second, other[i].second);
  return same;
}

}  // namespace

TEST_CASE("a process that trains until it is killed" * doctest::skip()) {
  const char* const path = std::getenv(path_variable);
  REQUIRE(path != nullptr);
  Training training;
  if (exists(path)) nn::load(path, *training.net, training.parts);
  const auto report = [] { REQUIRE(write(report_descriptor, "", 1) == 1); };
  report();
  training.run([&] {
    nn::save(path, *training.net, training.parts);
    report();
  });
}

TEST_CASE("every part is needed") {
  const TempDir dir;
  const std::string middle = dir / "middle", whole = dir / "whole", again = dir / "again";
  std::size_t parts = 0;
  {
    Training training;
    parts = training.parts.size();
    training.run([&] {
      if (training.schedule.steps() == 20) nn::save(middle, *training.net, training.parts);
      nn::save(whole, *training.net, training.parts);
    });
  }
  for (std::size_t left_out = 0; left_out <= parts; ++left_out) {
    Training training;
    nn::StatefulParts asked = training.parts;
    if (left_out < parts) asked.erase(asked.begin() + static_cast<std::ptrdiff_t>(left_out));
    nn::load(middle, *training.net, asked);
    training.run([&] { nn::save(again, *training.net, training.parts); });
    CAPTURE(left_out);
    CHECK(same_files(again, whole) == (left_out == parts));
  }
}

TEST_CASE("killed a hundred times, training loses no checkpoint and ends as if it had not been") {
  const TempDir dir;
  const std::string path = dir / "checkpoint", whole = dir / "whole";
  {
    Training training;
    training.run([&] { nn::save(whole, *training.net, training.parts); });
  }
  setenv(path_variable, path.c_str(), 1);
  std::mt19937 draw(5);
  const auto below = [&](unsigned n) { return static_cast<int>(draw() % n); };
  std::int64_t done = 0;  // steps that the last checkpoint has at least
  const auto finish = [&] {
    CHECK(same_files(path, whole));
    std::filesystem::remove(path);
    done = 0;
  };
  for (int kills = 0; kills < (test::sanitized ? 10 : 100);) {
    Child child;
    // Before it trains, at its first steps, or some steps on, and then at any moment of a step.
    const int wanted = below(6);
    int reports = 0;
    while (reports < wanted && child.report()) ++reports;
    std::this_thread::sleep_for(std::chrono::microseconds(below(wanted == 0 ? 30000 : 4000)));
    if (child.end()) {
      finish();
      continue;
    }
    ++kills;
    done += std::max(reports - 1, 0);
    REQUIRE((exists(path) || done == 0));
    if (!exists(path)) continue;
    Training training;
    REQUIRE_NOTHROW(nn::load(path, *training.net, training.parts));
    const std::int64_t steps = training.schedule.steps();
    CHECK(steps >= done);
    std::int64_t left = 0;
    for (auto epoch = training.loader.epoch(); epoch < Training::epochs; ++epoch)
      for ([[maybe_unused]] const auto& batch : training.loader) ++left;
    CHECK(steps + left == Training::epochs * training.loader.batches());
    done = steps;
  }
  Child last;
  while (last.report()) {
  }
  CHECK(last.waited());
  finish();
}
