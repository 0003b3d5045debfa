// Files for load_pytorch that are damaged, made to harm or something else: an Error in one line, whatever they say.
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/refused.hpp>
#include <tests/support/same.hpp>
#include <tests/support/sanitized.hpp>
#include <tests/support/temp_dir.hpp>

#include <sys/resource.h>
#include <zlib.h>
#include <cstring>

#include <weft/nn/files/detail/zip.hpp>

using namespace weft;

namespace {

const std::string figures = WEFT_SOURCE_DIR "/tests/figures/pytorch/";

std::string bytes_of(std::uint64_t number, std::size_t width) {
  return {reinterpret_cast<const char*>(&number), width};
}

// What Python's pickle writes for these.
const std::string begin("\x80\2", 2), end = ".";
std::string text(const std::string& s) { return "X" + bytes_of(s.size(), 4) + s; }
std::string whole(std::uint64_t n) { return "\x8a\x08" + bytes_of(n, 8); }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string tuple(const std::string& items) { return "(" + items + "t"; }
std::string tuple_of(const std::vector<std::uint64_t>& numbers) {
  std::string items;
  for (const std::uint64_t n : numbers) items += whole(n);
  return tuple(items);
}
std::string dictionary(const std::string& items) { return "}(" + items + "u"; }
std::string call(const std::string& function, const std::string& arguments) {
  return function + tuple(arguments) + "R";
}
const std::string float_storage = global("torch", "FloatStorage"),
                  rebuild = global("torch._utils", "_rebuild_tensor_v2"),
                  no_hooks = global("collections", "OrderedDict") + ")R";
std::string storage(const std::string& type = float_storage, const std::string& name = "0", std::uint64_t count = 4) {
  return tuple(text("storage") + type + text(name) + text("cpu") + whole(count)) + "Q";
}
std::string view(const std::string& of, std::uint64_t offset, const std::vector<std::uint64_t>& sizes,
                 const std::vector<std::uint64_t>& strides) {
  return call(rebuild, of + whole(offset) + tuple_of(sizes) + tuple_of(strides) + "\x89" + no_hooks);
}
const std::string plain = view(storage(), 0, {4}, {1});

struct Member {
  std::string name, bytes;
};
// Four numbers as the storage "0".
const Member numbers{"a/data/0", std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40", 16)};

void write_archive(const std::string& path, const std::vector<Member>& members, bool deflated = false) {
  detail::ZipWriter zip("test", path, deflated);
  for (const Member& member : members) {
    zip.begin(member.name);
    zip.write(member.bytes.data(), member.bytes.size());
    zip.end();
  }
  zip.commit();
}

struct Four : nn::Module {
  nn::Buffer w{this, "w", zeros({4})};
};

std::string error_of(const std::string& path, nn::Module& net) {
  const std::string text = refused(path, [&](const std::string& at) { nn::load_pytorch(at, net); });
  CAPTURE(text);
  CHECK((text == "no error" || text.starts_with("load_pytorch: ") || text.starts_with("read_safetensors: ")));
  CHECK(text.size() < 400 + path.size());
  return text;
}

// What is said of an archive with this pickle, which is framed by its beginning and its end.
class Pickled {
 public:
  std::string operator()(const std::string& value, const std::string& first = begin, const std::string& last = end) {
    write_archive(dir_ / "p", {{"a/data.pkl", first + value + last}, numbers, {"a/version", "3\n"}});
    Four net;
    const std::string text = error_of(dir_ / "p", net);
    if (text == "no error")
      CHECK(allclose(net.w, tensor({1, 2, 3, 4}), 0, 0));
    else
      CHECK(max(abs(net.w)).item() == 0);
    return text;
  }
  std::string of(const std::string& tensor) { return (*this)(dictionary(text("w") + tensor)); }

 private:
  TempDir dir_;
};

void check_says(const std::string& said, const std::string& part) {
  CAPTURE(said);
  CAPTURE(part);
  CHECK(said.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a pickle is not run: it may ask for tensors and containers only") {
  Pickled say;
  CHECK(say.of(plain) == "no error");
  CHECK(say.of(call(global("torch._utils", "_rebuild_parameter"), plain + "\x88" + no_hooks)) == "no error");
  check_says(say(call(global("os", "system"), text("true"))),
             "p: the pickle asks for \"os.system\", needs nothing but tensors and containers, as in net.state_dict()");
  check_says(say.of(call(global("builtins", "eval"), text("1"))), "asks for \"builtins.eval\"");
  check_says(say.of(global("posix", "system")), "asks for \"posix.system\"");
  check_says(say.of(storage(global("os", "FloatStorage"))), "asks for \"os.FloatStorage\"");
  check_says(say.of(storage(global("torch", "ComplexFloatStorage"))), "asks for \"torch.ComplexFloatStorage\"");
  check_says(say.of(global("torch", std::string(100'000, 'x'))), "asks for \"torch.xxx");
  check_says(say.of(global("a\x1b[31m\"", "b")), "asks for \"a\\x1b[31m\\\".b\"");
  check_says(say.of(")\x81"), "has the opcode 129");                           // NEWOBJ
  check_says(say.of("(ios\nsystem\n"), "has the opcode 105");                  // INST
  check_says(say.of(text("os") + text("system") + "\x93"), "the opcode 147");  // STACK_GLOBAL
  check_says(say.of("\x82\1"), "has the opcode 130");                          // EXT1
  check_says(say.of("(o"), "has the opcode 111");                              // OBJ
  for (const std::string& called : {float_storage, text("f"), plain, std::string("}")})
    check_says(say.of(called + ")R"), "is damaged");
  for (const std::string& arguments : {std::string("]"), text("a"), std::string("N")})
    check_says(say.of(no_hooks.substr(0, no_hooks.size() - 2) + arguments + "R"), "is damaged");
  check_says(say.of(call(global("collections", "OrderedDict"), "]")), "is damaged");
  check_says(say.of("]}b"), "is damaged");  // attributes of a list
  check_says(say.of(plain + "}b"), "is damaged");

  const TempDir dir;
  Four net;
  check_says(error_of(figures + "module.pt", net), "asks for \"torch.nn.modules.container.Sequential\"");
  check_says(error_of(figures + "old.pt", net), "is in the format from before PyTorch 1.6, needs to be written anew");
}

TEST_CASE("a pickle that is no program is damaged") {
  Pickled say;
  check_says(say("", "", ""), "is cut short");
  check_says(say("", begin, ""), "is cut short");
  check_says(say("}", "\x80\4"), "is of protocol 4, needs 2");
  check_says(say("}", ""), "does not begin like a pickle");
  check_says(say("}", begin, ".."), "goes on after its end");
  for (const std::string value :
       {"",    "t",   "R",          "s",     "u",      "a",        "e",     "b",    "Q",     "}}", "(",  "(}",
        "h\1", "q\1", "}q\1q\2q\3", "}K\1s", "}(K\1u", "]K\1K\1s", "}K\1a", "\x85", "(\x85", "}Q", ")Q", "j\1\1\1\1"}) {
    CAPTURE(value);
    check_says(say(value), "is damaged");
  }
  for (const std::string value : {"X", "X\5", "K", "J\1", "G123", "\x8a", "\x8a\5", "cos", "cos\nsys"})
    check_says(say(value, begin, ""), "is cut short");
  check_says(say("X\xff\xff\xff\xff"), "is cut short");
  check_says(say("\x8a\xff"), "is cut short");
  for (const std::string value : {"N", "K\1", "]", ")", "G12345678"}) check_says(say(value), "holds no dictionary");
  check_says(say(plain), "holds no dictionary");
  for (const std::string& key : {std::string("N"), std::string(")"), plain})
    check_says(say(dictionary(key + plain)), "a key in \"\" that is neither text nor a number");
}

TEST_CASE("bombs are refused before they go off") {
  Pickled say;
  std::string deep = "}";
  for (int i = 0; i < 500'000; ++i) deep += text("k") + "}";
  deep += std::string(500'000, 's');
  check_says(say(deep), "more than 64 deep");
  check_says(say(std::string(1'000'000, ']') + std::string(999'999, 'a')), "holds no dictionary");
  check_says(say.of(std::string(100'000, ']') + std::string(99'999, 'a')), "more than 64 deep");
  check_says(say("}q\1" + text("self") + "h\1s"), "more than 64 deep");  // holds itself
  std::string doubling = "]q" + std::string(1, '\0');
  for (char i = 1; i < 50; ++i)  // each list holds the one before twice
    doubling += std::string("](h") + static_cast<char>(i - 1) + "h" + static_cast<char>(i - 1) + "eq" + i;
  check_says(say.of("(" + doubling + "t"), "more names and notes than 16000000 bytes hold");
  std::string same_text = text(std::string(1'000'000, 'x')) + "q\1](";
  for (int i = 0; i < 100; ++i) same_text += "h\1";
  check_says(say.of(tuple(same_text + "e")), "more names and notes than");
  check_says(say(std::string(2'000'001, 'N')), "has more than 2000000 values");
  check_says(say(std::string(16'000'000, 'N')), "has 16000003 bytes, needs at most 16000000");
  std::string puts = "}";
  for (std::uint64_t i = 0; i < 1'000'000; ++i) puts += "r" + bytes_of(i, 4);
  check_says(say(puts), "is damaged");
  // A long tuple that is asked for again and again is neither copied nor gone through.
  std::string again = "(" + std::string(1'000'000, 'N') + "tq\1" + storage() + "q\2";
  for (int i = 0; i < 50'000; ++i) again += global("torch", "Size") + "h\1\x85R" + rebuild + "(h\2Nh\1h\1NNtR";
  check_says(say(again), "is damaged");
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  CHECK(usage.ru_maxrss < 2'000'000);  // KiB
}

TEST_CASE("a tensor lies inside its storage, and the storage inside the file") {
  Pickled say;
  const std::uint64_t huge = std::uint64_t{1} << 62, negative = ~std::uint64_t{0};
  const std::string s = storage();
  check_says(say.of(view(storage(float_storage, "1"), 0, {4}, {1})), "in the storage \"data/1\", which is not there");
  check_says(say.of(view(storage(float_storage, "../../x"), 0, {4}, {1})), "which is not there");
  for (const std::uint64_t count : {std::uint64_t{5}, huge, negative})
    check_says(say.of(view(storage(float_storage, "0", count), 0, {4}, {1})), "of 16 bytes, which cannot be");
  check_says(say.of(view(storage(global("torch", "DoubleStorage"), "0", 4), 0, {4}, {1})),
             "of 16 bytes, which cannot be 4");
  check_says(say.of(view(s, 1, {4}, {1})),
             "tensor \"w\" of {4} with strides {1} from 1 on goes beyond its storage of 4 elements");
  for (const std::uint64_t offset : {std::uint64_t{5}, huge, negative})
    check_says(say.of(view(s, offset, {0}, {1})), "goes beyond its storage");
  check_says(say.of(view(s, 4, {1}, {1})), "goes beyond its storage");
  check_says(say.of(view(s, 0, {4}, {2})), "goes beyond its storage");
  check_says(say.of(view(s, 0, {2}, {huge})), "goes beyond its storage");
  check_says(say.of(view(s, 3, {4}, {negative})), "goes beyond its storage");
  check_says(say.of(view(s, 0, {2, 3}, {2, 1})), "goes beyond its storage");
  check_says(say.of(view(s, 0, {negative}, {1})), "tensor \"w\"");
  check_says(say.of(view(s, 0, {huge, huge, huge}, {0, 0, 0})), "tensor \"w\"");
  check_says(say.of(view(s, 0, {4}, {})), "has 1 sizes and 0 strides");
  check_says(say.of(view(s, 0, std::vector<std::uint64_t>(9, 1), std::vector<std::uint64_t>(9, 1))), "has 9 sizes");
  // However large a view of one number is, no memory is taken for what the module does not have.
  check_says(say.of(view(s, 0, {1ULL << 40}, {0})), "has \"w\" as f32 {1099511627776}, needs f32 {4}");
  check_says(say.of(plain + text("w") + plain), "has \"w\" and \"w\", which are both \"w\"");
  const std::string parts[] = {s, whole(0), tuple_of({4}), tuple_of({1}), "\x89", no_hooks};
  for (std::size_t wrong = 0; wrong < 4; ++wrong) {
    std::string arguments;
    for (std::size_t i = 0; i < 6; ++i) arguments += i == wrong ? text("x") : parts[i];
    check_says(say.of(call(rebuild, arguments)), wrong == 1 ? "than a whole number" : "is damaged");
  }
  check_says(say.of(call(rebuild, s + whole(0) + tuple(text("4")) + tuple_of({1}) + "\x89" + no_hooks)),
             "something else for a size, stride or offset than a whole number");
  const std::string negated = dictionary(text("neg") + "\x88");
  check_says(say.of(plain.substr(0, plain.size() - 2) + negated + "tR"), "is damaged");
  CHECK(say.of(plain.substr(0, plain.size() - 2) + "}tR") == "no error");
  for (const std::string& id : {tuple(text("storage") + float_storage + text("0") + text("cpu")),
                                tuple(text("other") + float_storage + text("0") + text("cpu") + whole(4)),
                                tuple(text("storage") + text("f") + text("0") + text("cpu") + whole(4)),
                                tuple(text("storage") + float_storage + whole(0) + text("cpu") + whole(4)),
                                tuple(text("storage") + float_storage + text("0") + text("cpu") + text("4"))})
    check_says(say.of(id + "Q"), "is damaged");
}

TEST_CASE("an archive has one pickle, stored as it is, in this byte order") {
  const TempDir dir;
  const Member pickle{"a/data.pkl", begin + dictionary(text("w") + plain) + end};
  const auto say = [&](const std::vector<Member>& members, bool deflated = false) {
    write_archive(dir / "z", members, deflated);
    Four net;
    return error_of(dir / "z", net);
  };
  CHECK(say({pickle, numbers}) == "no error");
  CHECK(say({{"a/.format_version", "1"},
             {"a/.storage_alignment", "64"},
             pickle,
             {"a/byteorder", "little"},
             numbers,
             {"a/version", "3\n"},
             {"a/.data/serialization_id", std::string(40, '1')}}) == "no error");  // of PyTorch 2
  check_says(say({pickle, numbers, {"a/byteorder", "big"}}), "is in the byte order \"big\", needs \"little\"");
  check_says(say({numbers}), "has no data.pkl, needs to be written by torch.save");
  check_says(say({{"data.pkl", pickle.bytes}, numbers}), "has no data.pkl");
  check_says(say({{"a/b/data.pkl", pickle.bytes}, numbers}), "has no data.pkl");
  check_says(say({pickle, numbers, {"b/data.pkl", pickle.bytes}}),
             "has two pickles, \"a/data.pkl\" and \"b/data.pkl\"");
  check_says(say({pickle, {"b/data/0", numbers.bytes}}), "\"data/0\", which is not there");
  check_says(say({pickle, numbers, numbers}), "has \"a/data/0\" twice");
  check_says(say({pickle, numbers}, true), "\"a/data.pkl\" is compressed, needs to be stored as it is");

  say({pickle, numbers});
  std::string bytes = file_bytes(dir / "z");
  bytes[bytes.find(numbers.bytes)] ^= 1;
  put_file(dir / "z", bytes);
  Four net;
  check_says(error_of(dir / "z", net), "\"a/data/0\" is damaged: its checksum is another");
  CHECK(max(net.w).item() == 0);
}

TEST_CASE("other files are not taken for PyTorch's") {
  const TempDir dir;
  Four net;
  check_says(error_of(dir / "missing", net), "cannot read");
  check_says(error_of(dir.path(), net), "is not a file");
  for (const char* other : {"", "P", "{\"a\": 1}", "hello, this is text", "\x93NUMPY\1\0v\0{'descr'"}) {
    put_file(dir / "file", other);
    check_says(error_of(dir / "file", net), "is neither a safetensors file nor one by torch.save");
  }
  put_file(dir / "file", "PK");
  check_says(error_of(dir / "file", net), "is no zip archive, or cut short");
  put_file(dir / "file", "\x80\2}.");
  check_says(error_of(dir / "file", net), "is in the format from before PyTorch 1.6");
  nn::save_npz(dir / "file", {{"w", ones({4})}});
  check_says(error_of(dir / "file", net), "has no data.pkl");
}

namespace {

struct Tiny : nn::Sequential {
  Tiny() : nn::Sequential(nn::Linear(2, 1), nn::BatchNorm(1)) {}
};

// Loads it or says why not; whether it was loaded.
bool loads(const std::string& path, nn::Module& net, const std::string& bytes) {
  put_file(path, bytes);
  return error_of(path, net) == "no error";
}

bool same_state(const nn::Module& a, const nn::Module& b) {
  const nn::NamedTensors x = nn::state(a), y = nn::state(b);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!same_bits(x[i].second, y[i].second)) return false;
  return true;
}

}  // namespace

TEST_CASE("a file that is cut anywhere is refused") {
  const TempDir dir;
  Tiny net;
  const Tiny before = net;
  const std::string archive = file_bytes(figures + "tiny.pt");
  nn::save_pytorch(dir / "safetensors", net);
  const std::string safetensors = file_bytes(dir / "safetensors");
  for (std::size_t length = 0; length < archive.size(); length += test::sanitized ? 3 : 1)
    CHECK_FALSE(loads(dir / "cut", net, archive.substr(0, length)));
  for (std::size_t length = 0; length < safetensors.size(); length += test::sanitized ? 3 : 1)
    CHECK_FALSE(loads(dir / "cut", net, safetensors.substr(0, length)));
  CHECK(same_state(net, before));
  CHECK(loads(dir / "whole", net, archive));
  CHECK_FALSE(same_state(net, before));
}

TEST_CASE("a file with any byte changed is refused, or the byte means nothing") {
  const TempDir dir;
  const std::string good = file_bytes(figures + "tiny.pt");
  Tiny expected;
  nn::load_pytorch(figures + "tiny.pt", expected);
  int loaded = 0;
  for (std::size_t at = 0; at < good.size(); at += test::sanitized ? 3 : 1)
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ change);
      Tiny net;
      const Tiny before = net;
      const bool whole = loads(dir / "bad", net, bad);
      loaded += whole;
      CHECK(same_state(net, whole ? expected : before));
    }
  CHECK(loaded > 0);  // padding, dates
}

TEST_CASE("a pickle with any byte changed, and its checksum with it, never crashes the reader") {
  const TempDir dir;
  const std::string good = file_bytes(figures + "tiny.pt");
  const auto number_at = [&](std::size_t at, std::size_t width) {
    std::uint64_t number = 0;
    std::memcpy(&number, good.data() + at, width);
    return static_cast<std::size_t>(number);
  };
  const std::size_t entry = good.find("PK\1\2");
  REQUIRE(good.compare(entry + 46, 13, "tiny/data.pkl") == 0);
  const std::size_t size = number_at(entry + 24, 4), first = 30 + number_at(26, 2) + number_at(28, 2);
  const auto try_with = [&](const std::string& pickle) {
    std::string bad = good;
    bad.replace(first, size, pickle);
    const auto sum = crc32(0, reinterpret_cast<const unsigned char*>(pickle.data()), static_cast<unsigned>(size));
    bad.replace(entry + 16, 4, bytes_of(sum, 4));
    Tiny net;
    return loads(dir / "bad", net, bad);
  };
  const std::string pickle = good.substr(first, size);
  CHECK(try_with(pickle));
  int loaded = 0;
  for (std::size_t at = 0; at < size; at += test::sanitized ? 3 : 1)
    for (const char put : std::string("\0.(tR}]ubQhK\x8a\xff", 14)) {
      std::string bad = pickle;
      bad[at] = put;
      loaded += try_with(bad);
    }
  CHECK(loaded > 0);  // such as another device
  std::uint64_t random = 7;
  const auto draw = [&](std::size_t below) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>((random >> 33) % below);
  };
  for (int i = 0; i < (test::sanitized ? 1000 : 3000); ++i) {  // parts moved over others
    std::string bad = pickle;
    const std::size_t length = 1 + draw(40), from = draw(size - length), to = draw(size - length);
    bad.replace(to, length, pickle.substr(from, length));
    try_with(bad);
  }
}
