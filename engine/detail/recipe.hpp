#pragma once
// Values that are made again in backward instead of being kept.
#include <weft/engine/tensor.hpp>

#include <functional>
#include <memory>
#include <mutex>

namespace weft::detail {

/// How a value is made from tensors that are kept, with its name for messages.
class Recipe {
 public:
  using Make = std::function<Tensor(const Tensors& from)>;
  Recipe(const char* op, Tensors from, Make make);
  /// From the value of another recipe.
  Recipe(const char* op, std::shared_ptr<Recipe> from, Make make);

  /// One more place that would have kept the value.
  void add_user();
  /// The value, not recorded. It is held until all users have asked for it, and made anew after that. Throws Error if
  /// what it is made from was changed in place.
  Tensor value();

 private:
  const char* op_;
  Tensors from_;
  std::vector<std::uint32_t> versions_;
  std::shared_ptr<Recipe> before_;
  Make make_;
  std::mutex mutex_;  // guards what follows: several threads may differentiate one graph
  int users_ = 0, waiting_ = 0;
  Tensor value_;
};

/// Whether a Recompute lives on this thread.
bool uses_recipes();
/// Gives a computed tensor a recipe: from now on it is not saved by any op, and what its own op saved of it is dropped.
void note_recipe(const Tensor& t, std::shared_ptr<Recipe> recipe);
/// The recipe of a tensor as it is; null if it has none, or was changed since.
std::shared_ptr<Recipe> recipe_of(const Tensor& t);
/// A stand-in to be saved for such a tensor: its shape, dtype and place on the tape, without its memory.
Tensor stand_in(const Tensor& t, std::shared_ptr<Recipe> recipe);
/// What a saved tensor stands for: itself, or what its recipe makes, at its place.
Tensor stood_for(const Tensor& saved);

}  // namespace weft::detail
