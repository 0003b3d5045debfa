#pragma once
// What can be chosen on the command line.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <weft/nn/files/safetensors.hpp>

struct Options {
  // The run's settings: kept in its checkpoints, so that it is taken up again as it was.
  std::string net = "residual";
  int depth = 20;
  std::string shortcut = "B";
  bool pre_activation = false;
  int growth = 12;
  std::string data = "fashion";
  std::int64_t epochs = 3, batch = 128, limit = 0;
  int crop = 0;
  double lr = 0.2;
  std::uint64_t seed = 1;

  // What may differ from call to call.
  std::string dir, out, resume;
  std::vector<std::string> compare;
  int threads = 0;

  /// A few words for tables and pictures: "residual-20-B".
  std::string label() const;
  /// The settings by name.
  weft::nn::Notes settings() const;
  /// Where the run keeps its checkpoint.
  std::string checkpoint() const { return out + "/checkpoint.safetensors"; }
};

/// The options that the command line gives, filled up from the checkpoint if there is one to take up. Nothing where
/// all that was asked for was help. Throws weft::Error in one line on a mistake.
std::optional<Options> read_options(int argc, const char* const* argv);

/// The command, for a shell, that goes on with a run that was interrupted.
std::string resume_command(const std::string& program, const Options& options);
