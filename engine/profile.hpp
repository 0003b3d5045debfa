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

/// One run of an op.
struct ProfileRun {
  std::string op;
  std::string module;  ///< the dotted path of the module that called it
  std::string fields;  ///< "axis = 1"
  std::string shapes;  ///< "{2, 3}, {3} -> {2}"
  Pass pass = Pass::forward;
  std::size_t depth = 0;   ///< it ran inside so many others
  double begin = 0;        ///< seconds after the first run began
  double seconds = 0;      ///< how long it took
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
  /// Every single run that has ended, inner ones too, in the order in which they began.
  std::vector<ProfileRun> runs() const;
  /// The same as a trace for chrome://tracing or ui.perfetto.dev. Throws Error if the file cannot be written.
  void write_chrome_trace(const std::string& path) const;

 private:
  class Recorder;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Observe> observe_;
};

}  // namespace weft
