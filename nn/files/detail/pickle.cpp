#include <weft/nn/files/detail/pickle.hpp>

#include <algorithm>
#include <cstring>
#include <string>

#include <weft/engine/error.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::detail {
namespace {

// Those that Python writes for what can be here with protocol 2, in the order of its documentation.
enum class Opcode : unsigned char {
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  long1 = 0x8A,
  binfloat = 'G',
  none = 'N',
  newtrue = 0x88,
  newfalse = 0x89,
  binunicode = 'X',
  empty_list = ']',
  append_one = 'a',
  appends = 'e',
  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  empty_dict = '}',
  setitem = 's',
  setitems = 'u',
  mark = '(',
  binput = 'q',
  long_binput = 'r',
  binget = 'h',
  long_binget = 'j',
  global = 'c',
  reduce = 'R',
  build = 'b',
  proto = 0x80,
  stop = '.',
  binpersid = 'Q',
};

}  // namespace

template <class... Parts>
void Pickle::wrong(const Parts&... parts) const {
  fail(where_, parts...);
}

void Pickle::damaged() const { wrong(" is damaged: byte ", at_ - 1, " does not fit what stands before"); }

Pickle::Pickle(std::string where, ByteSource& from, std::size_t bytes) : where_(std::move(where)) {
  if (bytes > longest_pickle) wrong(" has ", bytes, " bytes, needs at most ", longest_pickle);
  from.expect(bytes);
  bytes_.resize(bytes);
  from.read(bytes_.data(), bytes);
  from.expect_end();
  run();
}

std::string_view Pickle::take(std::size_t bytes) {
  if (bytes > bytes_.size() - at_) wrong(" is cut short");
  const std::string_view taken(bytes_.data() + at_, bytes);
  at_ += bytes;
  return taken;
}

std::string_view Pickle::take_line() {
  const std::size_t end = bytes_.find('\n', at_);
  const std::string_view line = take(end == std::string::npos ? end : end - at_);
  ++at_;
  return line;
}

std::uint64_t Pickle::take_number(std::size_t bytes) {
  std::uint64_t number = 0;
  std::memcpy(&number, take(bytes).data(), bytes);
  return number;
}

// Two's complement, as LONG1 and BININT have it.
std::int64_t Pickle::take_signed(std::size_t bytes) {
  if (bytes == 0) return 0;
  const auto unused = 64 - 8 * static_cast<int>(bytes);
  return static_cast<std::int64_t>(take_number(bytes) << unused) >> unused;
}

void Pickle::push(Value value) {
  if (values_.size() == most_pickled_values) wrong(" has more than ", most_pickled_values, " values");
  stack_.push_back(static_cast<Ref>(values_.size()));
  values_.push_back(std::move(value));
}

Pickle::Ref Pickle::top() const {
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) damaged();
  return stack_.back();
}

Pickle::Ref Pickle::pop() {
  const Ref ref = top();
  stack_.pop_back();
  return ref;
}

std::vector<Pickle::Ref> Pickle::pop_last(std::size_t count) {
  std::vector<Ref> result(count);
  for (std::size_t i = count; i-- > 0;) result[i] = pop();
  return result;
}

std::vector<Pickle::Ref> Pickle::pop_to_mark() {
  if (marks_.empty()) damaged();
  const std::size_t count = stack_.size() - marks_.back();
  std::vector<Ref> result = pop_last(count);
  marks_.pop_back();
  return result;
}

const std::vector<Pickle::Ref>& Pickle::items(Ref ref, Kind kind) const {
  if (values_[ref].kind != kind) damaged();
  return values_[ref].items;
}

void Pickle::put(std::uint64_t name) {
  if (memo_.size() == values_.size()) damaged();  // each value has one name
  memo_[name] = top();
}

void Pickle::get(std::uint64_t name) {
  const auto found = memo_.find(name);
  if (found == memo_.end()) damaged();
  stack_.push_back(found->second);
}

void Pickle::append(Kind to, const std::vector<Ref>& more) {
  static_cast<void>(items(top(), to));
  if (to == Kind::dictionary && more.size() % 2 != 0) damaged();
  std::vector<Ref>& all = values_[top()].items;
  all.insert(all.end(), more.begin(), more.end());
}

void Pickle::push_global() {
  const std::string module(take_line()), name = module + "." + std::string(take_line());
  if (name == "collections.OrderedDict") return push({.kind = Kind::ordered_dict});
  if (name == "torch._utils._rebuild_tensor_v2") return push({.kind = Kind::rebuild_tensor});
  if (name == "torch._utils._rebuild_parameter") return push({.kind = Kind::rebuild_parameter});
  if (name == "torch.Size") return push({.kind = Kind::size});
  const StoredType* type = module == "torch" ? stored_type_of_pytorch(std::string_view(name).substr(6)) : nullptr;
  if (type == nullptr)
    wrong(" asks for ", in_quotes(name), ", needs nothing but tensors and containers, as in net.state_dict()");
  push({.kind = Kind::storage_type, .type = type});
}

// ("storage", type, name, device, number of elements)
void Pickle::push_storage() {
  const std::vector<Ref> id = items(pop(), Kind::tuple);
  if (id.size() != 5 || values_[id[0]].text != "storage" || values_[id[1]].kind != Kind::storage_type ||
      values_[id[2]].kind != Kind::text || values_[id[4]].kind != Kind::integer)
    damaged();
  push({.kind = Kind::storage, .type = values_[id[1]].type, .items = {id[2], id[4]}});
}

void Pickle::call() {
  const std::vector<Ref> arguments = items(pop(), Kind::tuple);
  const Kind function = values_[pop()].kind;
  if (function == Kind::ordered_dict && arguments.empty()) {
    push({.kind = Kind::dictionary});
  } else if (function == Kind::size && arguments.size() == 1) {
    static_cast<void>(items(arguments[0], Kind::tuple));
    stack_.push_back(arguments[0]);
  } else if (function == Kind::rebuild_parameter && arguments.size() == 3) {
    // The tensor, whether it requires a gradient, hooks.
    static_cast<void>(items(arguments[0], Kind::tensor));
    stack_.push_back(arguments[0]);
  } else if (function == Kind::rebuild_tensor && (arguments.size() == 6 || arguments.size() == 7)) {
    // Storage, offset, sizes, strides, whether it requires a gradient, hooks; whether its values are to be negated or
    // conjugated.
    static_cast<void>(items(arguments[0], Kind::storage));
    for (const Ref numbers : {arguments[2], arguments[3]}) static_cast<void>(items(numbers, Kind::tuple));
    if (arguments.size() == 7 && !items(arguments[6], Kind::dictionary).empty()) damaged();
    push({.kind = Kind::tensor, .items = {arguments.begin(), arguments.begin() + 4}});
  } else {
    damaged();
  }
}

// A state dict's versions of its modules.
void Pickle::drop_attributes() {
  pop();
  static_cast<void>(items(top(), Kind::dictionary));
}

void Pickle::run() {
  if (take(1)[0] != static_cast<char>(Opcode::proto)) wrong(" does not begin like a pickle");
  if (const std::uint64_t version = take_number(1); version != 2)
    wrong(" is of protocol ", version, ", needs 2, as torch.save writes by default");
  while (!result_) step(static_cast<unsigned char>(take(1)[0]));
  if (!marks_.empty() || !stack_.empty()) damaged();
  if (at_ != bytes_.size()) wrong(" goes on after its end");
}

void Pickle::step(unsigned char opcode) {
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::binint: return push_integer(take_signed(4));
    case Opcode::binint1: return push_integer(static_cast<std::int64_t>(take_number(1)));
    case Opcode::binint2: return push_integer(static_cast<std::int64_t>(take_number(2)));
    case Opcode::long1: {
      const std::size_t bytes = take_number(1);
      if (bytes <= 8) return push_integer(take_signed(bytes));
      take(bytes);
      return push({});
    }
    case Opcode::binfloat: {
      std::string bytes(take(8));
      std::reverse(bytes.begin(), bytes.end());
      Value value{.kind = Kind::number};
      std::memcpy(&value.number, bytes.data(), sizeof value.number);
      return push(std::move(value));
    }
    case Opcode::none: return push({});
    case Opcode::newtrue: return push({.kind = Kind::boolean, .integer = 1});
    case Opcode::newfalse: return push({.kind = Kind::boolean, .integer = 0});
    case Opcode::binunicode: return push_text(take(take_number(4)));
    case Opcode::empty_list: return push({.kind = Kind::list});
    case Opcode::append_one: return append(Kind::list, {pop()});
    case Opcode::appends: return append(Kind::list, pop_to_mark());
    case Opcode::empty_tuple: return push({.kind = Kind::tuple});
    case Opcode::tuple: return push({.kind = Kind::tuple, .items = pop_to_mark()});
    case Opcode::tuple1: return push({.kind = Kind::tuple, .items = pop_last(1)});
    case Opcode::tuple2: return push({.kind = Kind::tuple, .items = pop_last(2)});
    case Opcode::tuple3: return push({.kind = Kind::tuple, .items = pop_last(3)});
    case Opcode::empty_dict: return push({.kind = Kind::dictionary});
    case Opcode::setitem: return append(Kind::dictionary, pop_last(2));
    case Opcode::setitems: return append(Kind::dictionary, pop_to_mark());
    case Opcode::mark: return marks_.push_back(stack_.size());
    case Opcode::binput: return put(take_number(1));
    case Opcode::long_binput: return put(take_number(4));
    case Opcode::binget: return get(take_number(1));
    case Opcode::long_binget: return get(take_number(4));
    case Opcode::global: return push_global();
    case Opcode::reduce: return call();
    case Opcode::build: return drop_attributes();
    case Opcode::binpersid: return push_storage();
    case Opcode::stop: result_ = pop(); return;
    default: wrong(" has the opcode ", int{opcode}, " at byte ", at_ - 1, ", needs those of tensors and containers");
  }
}

}  // namespace weft::detail
