#pragma once
// A bar on the terminal for work that takes a while.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weft::nn {

/// Draws `label [====>    ] 45% 27,000/60,000  2310/s  loss 0.412  0:14 left` on standard error, at most ten times a
/// second; says nothing where that is no terminal.
class Progress {
 public:
  /// Named numbers that stand beside the bar.
  using Values = std::vector<std::pair<std::string, double>>;

  /// `total` items in all, of which `done` were there before the clock starts.
  Progress(std::string label, std::int64_t total, std::int64_t done = 0);
  /// Takes the bar off the terminal.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` items are there now.
  void update(std::int64_t done, const Values& values = {});

 private:
  std::string label_;
  std::int64_t total_, before_;
  double started_, drawn_ = 0;
  bool shown_, dirty_ = false;
};

}  // namespace weft::nn

namespace weft::detail {

/// What Progress draws, at most `width` columns; seconds: since the clock started, for `done` - `before` items.
std::string progress_line(const std::string& label, std::int64_t total, std::int64_t before, std::int64_t done,
                          double seconds, const nn::Progress::Values& values, int width);

}  // namespace weft::detail
