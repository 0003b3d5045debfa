#pragma once
// Independent pieces of work on all cores.
#include <cstdint>
#include <functional>
#include <string>

namespace common {

/// Calls work(0), ..., work(count - 1) on as many threads as tensor operations may use (weft::num_threads()); meanwhile
/// each operation runs on one. Which thread does what is left to chance, so `work` must write to places of its own and
/// draw from generators of its own. Shows a bar on a terminal. Throws the first exception of any, after all have ended.
void in_parallel(const std::string& label, std::int64_t count, const std::function<void(std::int64_t)>& work);

}  // namespace common
