#include <weft/nn/train/progress.hpp>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <weft/engine/files.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int terminal_width() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string clock_time(double seconds) {
  const std::int64_t s = std::llround(std::min(seconds, 3.6e6));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

std::string detail::progress_line(const std::string& label, std::int64_t total, std::int64_t before, std::int64_t done,
                                  double seconds, const nn::Progress::Values& values, int width) {
  const double part = total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 1.0;
  const double rate = seconds > 0 ? static_cast<double>(done - before) / seconds : 0;
  std::string after = fmt::format(" {:3.0f}% {}/{}", part * 100, detail::grouped(done), detail::grouped(total));
  if (rate > 0) after += fmt::format("  {:.{}f}/s", rate, rate < 10 ? 1 : 0);
  for (const auto& [name, value] : values) after += fmt::format("  {} {:.3f}", name, value);
  if (rate > 0)
    after += fmt::format("  {} left", clock_time(static_cast<double>(std::max<std::int64_t>(total - done, 0)) / rate));

  std::string line = label;
  const int room = std::min(30, width - static_cast<int>(label.size() + after.size()) - 3);
  if (room >= 5) {
    const auto filled = static_cast<std::size_t>(part * room);
    std::string bar(filled, '=');
    if (static_cast<int>(filled) < room) bar += '>';
    bar.resize(static_cast<std::size_t>(room), ' ');
    line += " [" + bar + "]";
  }
  line += after;
  if (static_cast<int>(line.size()) > width) line.resize(static_cast<std::size_t>(std::max(width, 0)));
  return line;
}

namespace nn {

Progress::Progress(std::string label, std::int64_t total, std::int64_t done)
    : label_(std::move(label)),
      total_(total),
      before_(done),
      started_(now()),
      shown_(writes_files() && isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (dirty_) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::int64_t done, const Values& values) {
  if (!shown_) return;
  const double time = now();
  if (dirty_ && time - drawn_ < 0.1 && done < total_) return;
  drawn_ = time;
  dirty_ = true;
  // One column stays free: terminals wrap when the last is written.
  const std::string line =
      detail::progress_line(label_, total_, before_, done, time - started_, values, terminal_width() - 1);
  std::fputs(("\r" + line + "\033[K").c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace nn
}  // namespace weft
