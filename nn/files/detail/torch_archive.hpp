#pragma once
// What torch.save writes: a zip archive of a pickle and the bytes of the storages that it names.
// https://pytorch.org/docs/stable/notes/serialization.html
#include <weft/engine/tensor.hpp>
#include <weft/nn/files/detail/pickle.hpp>
#include <weft/nn/files/detail/zip.hpp>
#include <weft/nn/named_tensors.hpp>

#include <map>

namespace weft::detail {

/// An archive whose tensors all lie inside their storages, and those inside the file. Dictionaries and lists in each
/// other are one list of tensors whose names are joined by dots.
class TorchArchive {
 public:
  struct Entry {
    std::string name;
    const StoredType* type;
    Shape sizes;
    IntList strides;
    std::size_t offset;  // in elements
    const ZipReader::Member* storage;
  };

  /// Throws Error naming `op`, the file and what is wrong with it.
  TorchArchive(const char* op, const std::string& path);

  const std::vector<Entry>& entries() const { return entries_; }
  /// Numbers and text that lie beside the tensors.
  const nn::Notes& notes() const { return notes_; }
  /// A tensor's elements, in an order of their own: a new tensor of its sizes. Throws Error if its storage is damaged.
  Tensor read(const Entry& entry);

 private:
  void list(const Pickle& pickle, Pickle::Ref ref, const std::string& name, int depth);
  void list_tensor(const Pickle& pickle, const Pickle::Value& tensor, const std::string& name);
  const std::vector<std::byte>& bytes_of(const ZipReader::Member& member);

  ZipReader zip_;
  std::string where_, root_;
  std::map<std::string_view, const ZipReader::Member*> members_;
  std::vector<Entry> entries_;
  nn::Notes notes_;
  std::size_t listed_bytes_ = 0;  // of names and notes
  const ZipReader::Member* last_ = nullptr;
  std::vector<std::byte> last_bytes_;  // of the storage that was read last, as its neighbours may be parts of it
};

}  // namespace weft::detail
