// OpenBLAS goes by a table of processor models. A model newer than the table gets kernels for SSE3 at a quarter of the
// speed: 0.3.21 on Emerald Rapids does 30 GFLOP/s a core for f32, and 137 with the kernels chosen here.
#include <weft/ops/kernels/linalg/blas_core.hpp>

#include <cstdlib>
#include <cstring>

// Exported by builds of OpenBLAS that hold kernels for many processors; weak, for those that hold one set.
extern "C" {
[[gnu::weak]] char* openblas_get_corename();
[[gnu::weak]] void gotoblas_dynamic_init();
[[gnu::weak]] void gotoblas_dynamic_quit();
}

namespace weft::detail {

bool choose_blas_core() {
#if defined(__x86_64__)
  if (openblas_get_corename == nullptr || gotoblas_dynamic_init == nullptr || gotoblas_dynamic_quit == nullptr)
    return false;
  constexpr const char* variable = "OPENBLAS_CORETYPE";
  if (std::getenv(variable) != nullptr || std::strcmp(openblas_get_corename(), "Prescott") != 0) return false;
  __builtin_cpu_init();
  const char* core = nullptr;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) core = "Haswell";
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw"))
    core = "SkylakeX";
  if (core == nullptr) return false;
  setenv(variable, core, 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv(variable);
  return true;
#else
  return false;
#endif
}

}  // namespace weft::detail
