#pragma once
// Event files: a run's numbers, histograms, pictures and graph, for TensorBoard.
#include <weft/nn/named_tensors.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::nn {

/// Writes a file of TensorBoard's format, events.out.tfevents.SECONDS.HOST.PID.N, into a directory. Such a directory is
/// a run; `tensorboard --logdir runs` shows those below `runs` beside each other. Each record is written at once, and
/// taken off again where that fails: a run that is killed leaves a file that can be read. Tags with a common first
/// part, "loss/train" and "loss/test", are shown together. Steps are from 0. To be used from one thread at a time.
///
/// Everything throws Error if the file cannot be written, and before anything is written on a bad argument.
class EventFile {
 public:
  /// Begins a new file in the directory, which is made if need be. For a run that is taken up again: what older files
  /// of the directory hold from step `first_step` on, no longer counts. TensorBoard reads a run's files in the order of
  /// their names, and the session's start that stands at the head of each takes back what came before from that step
  /// on; a reader that does not know of sessions does so as soon as it finds a point of the same tag at an earlier
  /// step.
  explicit EventFile(const std::string& directory, std::int64_t first_step = 0);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// A point of a curve. The format keeps floats: 7 digits. nan and infinities are shown as such.
  void scalar(std::string_view tag, std::int64_t step, double value);
  /// How the elements are distributed, in buckets whose limits are 0 and +-1e-12 * 1.1^k up to 1e20, with minimum,
  /// maximum, number, sum and sum of squares. Throws Error, as TensorFlow's op does, if there is no element or one is
  /// not finite: there is no bucket for it, and without it the picture would be of another tensor.
  void histogram(std::string_view tag, std::int64_t step, const Tensor& values);
  /// A picture {height, width, channels} of 1 (grey), 3 (RGB) or 4 (RGBA) channels, or {height, width}: u8 as it is,
  /// f32 and f64 from 0 to 1. Throws Error for other shapes, dtypes and values, and above 2^30 bytes.
  void image(std::string_view tag, std::int64_t step, const Tensor& pixels);
  /// Words, as Markdown.
  void text(std::string_view tag, std::int64_t step, std::string_view markdown);
  /// The tape behind `result`: each op is a node named by its module's path, "stage1/0/conv1/conv2d", which TensorBoard
  /// folds by these names, with its fields and the shapes of its outputs; parameters and inputs are nodes too, under
  /// their `names` (as named_parameters() gives them). In names a dot becomes a slash, and what is neither a letter, a
  /// digit nor one of "-/" an underscore. Throws Error if nothing was recorded.
  void graph(const Tensor& result, const NamedTensors& names = {});

  /// Empty in a process that writes no files.
  const std::string& path() const { return path_; }

 private:
  void append(const std::string& event);
  std::string path_;
  int descriptor_ = -1;
  std::int64_t bytes_ = 0;
};

/// One thing that an event file says.
struct Event {
  enum class Kind : std::uint8_t { version, start, graph, scalar, histogram, image, text, other };

  Kind kind = Kind::other;
  std::int64_t step = 0;
  double wall_time = 0;  ///< seconds since 1970
  std::string tag;       ///< of a scalar, histogram, image or text
  double value = 0;      ///< of a scalar
  std::string content;   ///< what else there is, encoded: a picture's PNG file, or a message of Protocol Buffers
};

/// Reads an event file, by whomever it was written. Throws Error if it is missing, a record is cut, a checksum is wrong
/// or what it holds is no event; no memory is taken for more than the file has.
std::vector<Event> read_events(const std::string& path);

}  // namespace weft::nn
