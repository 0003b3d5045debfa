#include <weft/engine/detail/rows.hpp>

#include <weft/engine/detail/extras.hpp>

namespace weft::detail {

void note_rows(const Tensor& t, const Tensor& rows) {
  Extras& extras = extras_of(t.impl());
  extras.rows = rows.detach();
  extras.rows_version = version_of(t);
}

Tensor noted_rows(const Tensor& t) {
  const Extras* const extras = t.impl()->extras.get();
  const bool known = extras != nullptr && extras->rows.defined() && extras->rows_version == version_of(t);
  return known ? extras->rows : Tensor();
}

}  // namespace weft::detail
