#include <weft/ops/kernels/loops/scratch.hpp>

namespace weft::detail {

namespace {

struct KeptBlock {
  void* data = nullptr;
  std::size_t bytes = 0;
};

// Larger ones are not worth keeping: little of them is in a core's cache when the next loop begins.
constexpr std::size_t most_kept = 1 << 20;

thread_local constinit bool ended = false;  // this thread, or so far that nothing can be kept for it

// What the parts of this thread's last loops had.
struct KeptBlocks {
  std::vector<KeptBlock> of_part;

  ~KeptBlocks() {
    ended = true;
    for (const KeptBlock& block : of_part)
      if (block.data != nullptr) free_block(block.data, block.bytes);
  }
};
thread_local KeptBlocks kept_blocks;

// Where a part's block is kept, or null where none is.
KeptBlock* place_of(std::size_t part, std::size_t bytes) {
#ifdef WEFT_NO_POOL
  return nullptr;  // the sanitizers are to see each end
#endif
  if (ended || bytes > most_kept) return nullptr;
  std::vector<KeptBlock>& blocks = kept_blocks.of_part;
  if (blocks.size() <= part) blocks.resize(part + 1);
  return &blocks[part];
}

}  // namespace

PartMemory::PartMemory(std::size_t part, std::size_t bytes) : part_(part), bytes_(bytes) {
  if (KeptBlock* const kept = place_of(part, bytes); kept != nullptr && kept->data != nullptr && kept->bytes >= bytes) {
    bytes_ = kept->bytes;
    data_ = std::exchange(kept->data, nullptr);
  } else {
    data_ = allocate_block(bytes);
  }
}

PartMemory::~PartMemory() {
  if (data_ == nullptr) return;
  KeptBlock block{data_, bytes_};
  // Of two the larger one stays, as when a loop ran within another's.
  if (KeptBlock* const kept = place_of(part_, bytes_);
      kept != nullptr && (kept->data == nullptr || kept->bytes < bytes_))
    std::swap(*kept, block);
  if (block.data != nullptr) free_block(block.data, block.bytes);
}

}  // namespace weft::detail
