#pragma once

namespace weft {

/// Whether this process writes files and draws progress: true unless told otherwise. Of several processes that do one
/// work together only one has to: in the others save(), Metrics and all else that writes a file do everything but that.
bool writes_files();
void set_writes_files(bool on);

}  // namespace weft
