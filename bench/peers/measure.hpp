#pragma once
// What the two peers share, so that they time and report alike. Knows neither weft nor libtorch; C++17.
#include <dlfcn.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

namespace peers {

/// The median time of `work` in seconds, after some calls that do not count.
template <class F>
double median_seconds(int repetitions, int warm_up, F&& work) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < warm_up; ++i) work();
  std::vector<double> seconds;
  for (int i = 0; i < repetitions; ++i) {
    const auto start = Clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + repetitions / 2, seconds.end());
  return seconds[static_cast<std::size_t>(repetitions) / 2];
}

/// How a time is shown: divided by `items` (nodes, layers), in a unit of which a second has `per_second`.
struct Unit {
  const char* name;
  double per_second;
  double items = 1;
};
inline constexpr Unit ms_per_step{"ms/step", 1e3};
inline constexpr Unit us{"us", 1e6};

inline void report(const char* peer, const std::string& name, double seconds, const Unit& unit) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(R"({"peer":"%s","case":"%s","value":%.6g,"unit":"%s","seconds":%.6g,"max_rss_mb":%.1f})"
              "\n",
              peer, name.c_str(), seconds * unit.per_second / unit.items, unit.name, seconds,
              static_cast<double>(usage.ru_maxrss) / 1024);
  std::fflush(stdout);
}

/// Which kernels OpenBLAS has chosen, if it is there.
inline void report_blas(const char* peer) {
  using CoreName = char* (*)();
  if (const auto core = reinterpret_cast<CoreName>(dlsym(RTLD_DEFAULT, "openblas_get_corename")))
    std::printf(R"({"peer":"%s","blas":"%s"})"
                "\n",
                peer, core());
}

/// Cases that are measured in one go.
struct Group {
  const char* name;
  void (*run)();
};

/// usage: PEER [THREADS [GROUP]]; without a group all of them.
template <class SetThreads>
int main_of(const char* peer, int argc, char** argv, SetThreads&& set_threads, std::initializer_list<Group> groups) {
  set_threads(argc > 1 ? std::max(1, std::atoi(argv[1])) : 1);
  const std::string only = argc > 2 ? argv[2] : "";
  bool found = false;
  for (const Group& group : groups) {
    if (!only.empty() && only != group.name) continue;
    if (!found) report_blas(peer);
    found = true;
    group.run();
  }
  if (!found) std::fprintf(stderr, "no group is called %s\n", only.c_str());
  return found ? 0 : 1;
}

/// Square images of `side` pixels, channels to outputs with a square kernel.
struct ConvCase {
  int batch, channels, outputs, side, kernel, stride, padding;

  std::string name() const {
    std::array<char, 96> text{};
    std::snprintf(text.data(), text.size(), "conv_n%d_c%d_o%d_h%d_k%d_s%d", batch, channels, outputs, side, kernel,
                  stride);
    return text.data();
  }
};
inline constexpr ConvCase conv_cases[] = {
    {64, 16, 16, 32, 3, 1, 1}, {64, 32, 32, 16, 3, 1, 1}, {64, 64, 64, 8, 3, 1, 1},   {64, 16, 32, 32, 3, 2, 1},
    {8, 64, 64, 56, 3, 1, 1},  {8, 256, 64, 56, 1, 1, 0}, {8, 256, 256, 14, 3, 1, 1},
};
/// Recurrent nets of one layer over sequences of equal length.
struct SequenceCase {
  int batch, time, in, hidden;

  std::string name(const char* kind) const {
    return std::string(kind) + "_b" + std::to_string(batch) + "_t" + std::to_string(time) + "_i" + std::to_string(in) +
           "_h" + std::to_string(hidden);
  }
};
inline constexpr SequenceCase sequence_cases[] = {{32, 64, 128, 256}, {64, 50, 64, 128}, {16, 32, 512, 512}};
/// Blocks of a transformer, whose inner layer is four times as wide.
struct TransformerCase {
  int batch, time, features, heads;

  std::string name() const {
    return "transformer_b" + std::to_string(batch) + "_t" + std::to_string(time) + "_d" + std::to_string(features) +
           "_h" + std::to_string(heads);
  }
};
inline constexpr TransformerCase transformer_cases[] = {{32, 128, 256, 8}, {8, 256, 128, 4}, {4, 512, 256, 8}};
inline constexpr int elementwise_sizes[] = {1000, 100'000, 4'000'000};

}  // namespace peers
