#pragma once
// Where the time goes: by op, forward and backward apart.
#include <weft/engine/observer.hpp>

namespace weft {

/// What the runs of one op took together.
struct ProfileRow {
  std::string op;
  Pass pass = Pass::forward;
  std::string module;  ///< the dotted path of the module that called it, if asked for by module
  std::int64_t calls = 0;
  double seconds = 0;
  std::int64_t bytes = 0;  ///< of all tensors that it was given and gave
};

/// While it lives, until stop(), every op that this thread runs is timed:
///   Profile profile;
///   loss(net(x)).backward();
///   std::cout << profile.table();
/// An op that runs inside another one counts as part of that.
class Profile {
 public:
  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// Ends it before its time.
  void stop();
  /// Most time first.
  std::vector<ProfileRow> rows(bool by_module = false) const;
  /// The rows as text, with the share of the time of all and the rate of the bytes.
  std::string table(bool by_module = false) const;
  /// Every single run, inner ones too, as a trace for chrome://tracing or ui.perfetto.dev: with module, fields, shapes
  /// and bytes. Throws Error if the file cannot be written.
  void write_chrome_trace(const std::string& path) const;

 private:
  class Recorder;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Observe> observe_;
};

}  // namespace weft
