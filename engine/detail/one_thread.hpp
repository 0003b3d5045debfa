#pragma once
// Work that runs beside other work keeps to its own thread.

namespace weft::detail {

/// While it lives, num_threads() is 1 on the thread that made it.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  bool before_;
};

}  // namespace weft::detail
