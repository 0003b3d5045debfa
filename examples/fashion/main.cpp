// Trains an image classifier from the command line: which shortcuts does a deep net need? See --help.
#include <fmt/format.h>

#include <filesystem>

#include <weft/weft.hpp>

#include "options.hpp"
#include "ranks.hpp"
#include "report.hpp"
#include "train.hpp"

namespace {

std::vector<RunDir> runs_of(const Options& options) {
  std::vector<RunDir> runs;
  for (const std::string& dir : options.compare) {
    const auto path = std::filesystem::path(dir).lexically_normal();
    runs.push_back({dir, (path.has_filename() ? path : path.parent_path()).filename().string()});
  }
  runs.push_back({options.out, options.label()});
  return runs;
}

void report(const Options& options) {
  const auto runs = runs_of(options);
  print_table(runs);
  const std::string picture = options.out + "/curves.png";
  if (draw_curves(runs, picture))
    fmt::print("\nPicture: {}\n", picture);
  else
    fmt::print(stderr, "fashion: no picture: gnuplot is missing or failed on {}.gp\n", picture);
}

int run(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  if (!options) return 0;
  for (const std::string& dir : options->compare) check_run(dir);  // before the work
  const bool ended = train(*options);
  if (!ranks::is_first()) return 0;
  if (ended)
    report(*options);
  else
    fmt::print("Stopped. To go on: {}\n", resume_command(argv[0], *options));
  end_if_interrupted();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return ranks::run([&] { return run(argc, argv); });
  } catch (const std::exception& e) {
    fmt::print(stderr, "fashion: {}\n", e.what());
    return 1;
  }
}
