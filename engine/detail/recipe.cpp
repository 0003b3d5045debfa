#include <weft/engine/detail/recipe.hpp>

#include <utility>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/detail/node.hpp>
#include <weft/engine/detail/thread_state.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/recompute.hpp>

namespace weft {

Recompute::Recompute() : before_(std::exchange(detail::this_thread.uses_recipes, true)) {}
Recompute::~Recompute() { detail::this_thread.uses_recipes = before_; }

namespace detail {
namespace {

// Another handle on a tensor's memory at the place of a third.
Tensor placed(Tensor handle, const Tensor& place) {
  if (Node* node = place.impl()->node) {
    handle.impl()->node = Ref<Node>::share(node).take();
    handle.impl()->output_index = place.impl()->output_index;
  }
  return handle;
}

}  // namespace

Recipe::Recipe(const char* op, Tensors from, Make make) : op_(op), from_(std::move(from)), make_(std::move(make)) {
  for (const Tensor& t : from_) versions_.push_back(t.defined() ? version_of(t) : 0);
}

Recipe::Recipe(const char* op, std::shared_ptr<Recipe> from, Make make)
    : op_(op), before_(std::move(from)), make_(std::move(make)) {
  before_->add_user();
}

void Recipe::add_user() {
  const std::lock_guard lock(mutex_);
  ++users_;
}

Tensor Recipe::value() {
  const std::lock_guard lock(mutex_);
  if (!value_.defined()) {
    for (std::size_t i = 0; i < from_.size(); ++i)
      if (from_[i].defined() && version_of(from_[i]) != versions_[i])
        fail("backward: an input of ", op_, " of shape ", from_[i].shape(),
             " was changed in place after it was used, and its result is to be computed again");
    const NoGrad off;
    value_ = make_(before_ ? Tensors{before_->value()} : from_);
    waiting_ = users_;
  }
  Tensor value = value_;
  if (--waiting_ <= 0) value_ = Tensor();
  return value;
}

bool uses_recipes() { return this_thread.uses_recipes; }

void note_recipe(const Tensor& t, std::shared_ptr<Recipe> recipe) {
  Node* const node = t.impl()->node;
  if (node == nullptr) return;  // nothing was recorded
  node->exchange_saved_output(t, [&] { return stand_in(t.detach(), recipe); });
  Extras& extras = extras_of(t.impl());
  extras.recipe = std::move(recipe);
  extras.recipe_version = version_of(t);
}

std::shared_ptr<Recipe> recipe_of(const Tensor& t) {
  const Extras* const extras = t.impl()->extras.get();
  return extras != nullptr && extras->recipe && extras->recipe_version == version_of(t) ? extras->recipe : nullptr;
}

Tensor stand_in(const Tensor& t, std::shared_ptr<Recipe> recipe) {
  Tensor stand = placed(alias(empty({0}, t.dtype()), t.shape()), t);
  recipe->add_user();
  Extras& extras = extras_of(stand.impl());
  extras.recipe = std::move(recipe);
  extras.stands_in = true;
  return stand;
}

Tensor stood_for(const Tensor& saved) {
  const Extras* const extras = saved.impl()->extras.get();
  if (extras == nullptr || !extras->stands_in) return saved;
  return placed(extras->recipe->value().detach(), saved);
}

}  // namespace detail
}  // namespace weft
