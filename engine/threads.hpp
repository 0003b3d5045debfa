#pragma once

namespace weft {

/// The number of threads that tensor operations may use: at first the machine's (or OMP_NUM_THREADS).
int num_threads();

/// Sets that number for all later operations of every thread. Throws Error unless n >= 1.
void set_num_threads(int n);

}  // namespace weft
