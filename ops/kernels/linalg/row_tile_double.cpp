#include <weft/ops/kernels/linalg/row_tile_impl.hpp>

namespace weft::detail {

template void run_row_tile(std::int64_t, std::int64_t, const RowTile<double>&);
template void run_row_tile3(std::int64_t, const RowTile<double>&);

}  // namespace weft::detail
