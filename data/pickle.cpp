#include "data/pickle.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include "data/byte_reader.h"
#include "engine/core/dtype.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Pickled = PickleValue::Kind;
using Ref = std::uint32_t;

constexpr std::size_t kMostBytes = std::size_t{32} << 20U;
constexpr std::size_t kMostValues = std::size_t{1} << 21U;
constexpr std::size_t kMostMarks = 1000;
constexpr std::size_t kLongestClassName = 256;

enum class Opcode : std::uint8_t {
  mark = '(',
  stop = '.',
  bin_int = 'J',
  bin_int1 = 'K',
  bin_int2 = 'M',
  none = 'N',
  bin_persid = 'Q',
  reduce = 'R',
  bin_string = 'T',
  short_bin_string = 'U',
  bin_unicode = 'X',
  append = 'a',
  build = 'b',
  global = 'c',
  append_all = 'e',
  bin_float = 'G',
  bin_get = 'h',
  long_bin_get = 'j',
  bin_put = 'q',
  long_bin_put = 'r',
  set_item = 's',
  tuple = 't',
  set_items = 'u',
  empty_tuple = ')',
  empty_list = ']',
  empty_dict = '}',
  proto = 0x80,
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  new_true = 0x88,
  new_false = 0x89,
  long1 = 0x8A,
  short_bin_unicode = 0x8C,
  stack_global = 0x93,
  memoize = 0x94,
  frame = 0x95,
};

enum class Function : std::uint8_t { ordered_dict, rebuild_tensor, rebuild_tensor_v2, rebuild_parameter };

/// A name that a pickle may mention: a function, or the storage type of `dtype`.
struct Permitted {
  std::string_view module;
  std::string_view name;
  std::optional<Dtype> dtype;
  Function function = Function::ordered_dict;
};

constexpr std::array<Permitted, 14> kPermitted = {{
    {"collections", "OrderedDict", {}, Function::ordered_dict},
    {"torch._utils", "_rebuild_tensor", {}, Function::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v2", {}, Function::rebuild_tensor_v2},
    {"torch._utils", "_rebuild_parameter", {}, Function::rebuild_parameter},
    {"torch", "FloatStorage", Dtype::f32},
    {"torch", "DoubleStorage", Dtype::f64},
    {"torch", "HalfStorage", Dtype::f16},
    {"torch", "BFloat16Storage", Dtype::bf16},
    {"torch", "LongStorage", Dtype::i64},
    {"torch", "IntStorage", Dtype::i32},
    {"torch", "ShortStorage", Dtype::i16},
    {"torch", "CharStorage", Dtype::i8},
    {"torch", "ByteStorage", Dtype::u8},
    {"torch", "BoolStorage", Dtype::boolean},
}};

/// Names of the opcodes that are refused most often, for messages.
constexpr std::array<std::pair<std::uint8_t, std::string_view>, 15> kRefused = {{{'i', "INST"},
                                                                                 {'o', "OBJ"},
                                                                                 {0x81, "NEWOBJ"},
                                                                                 {0x92, "NEWOBJ_EX"},
                                                                                 {0x82, "EXT1"},
                                                                                 {0x83, "EXT2"},
                                                                                 {0x84, "EXT4"},
                                                                                 {'P', "PERSID"},
                                                                                 {'B', "BINBYTES"},
                                                                                 {'C', "SHORT_BINBYTES"},
                                                                                 {0x8B, "LONG4"},
                                                                                 {0x8F, "EMPTY_SET"},
                                                                                 {0x96, "BYTEARRAY8"},
                                                                                 {'0', "POP"},
                                                                                 {'2', "DUP"}}};

}  // namespace

/// Stack, memo and values of one run.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, const std::string& where)
      : reader_(bytes.first(std::min(bytes.size(), kMostBytes)), where + ": pickle") {}

  [[nodiscard]] Pickle run() {
    for (;;) {
      const auto opcode = reader_.read<std::uint8_t>();
      if (static_cast<Opcode>(opcode) == Opcode::stop) break;
      step(opcode);
    }
    require<FileError>(stack_.size() == 1 && marks_.empty(), "{}: ends with {} values on its stack; wanted one", reader_.where(),
                       stack_.size());
    result_.root_ = stack_.back();
    result_.bytes_ = reader_.position();
    return std::move(result_);
  }

 private:
  void step(std::uint8_t opcode) {
    if (!step_constant(opcode) && !step_container(opcode) && !step_memo(opcode) && !step_name(opcode)) refuse(opcode);
  }

  bool step_constant(std::uint8_t opcode) {
    switch (static_cast<Opcode>(opcode)) {
      case Opcode::proto: require_protocol(reader_.read<std::uint8_t>()); return true;
      case Opcode::frame: reader_.skip(8); return true;
      case Opcode::none: push({}); return true;
      case Opcode::new_true: push_number(Pickled::boolean, 1); return true;
      case Opcode::new_false: push_number(Pickled::boolean, 0); return true;
      case Opcode::bin_int: push_number(Pickled::integer, reader_.read<std::int32_t>()); return true;
      case Opcode::bin_int1: push_number(Pickled::integer, reader_.read<std::uint8_t>()); return true;
      case Opcode::bin_int2: push_number(Pickled::integer, reader_.read<std::uint16_t>()); return true;
      case Opcode::long1: push_number(Pickled::integer, read_long()); return true;
      case Opcode::bin_float:
        reader_.skip(sizeof(double));
        push({Pickled::real, 0, {}, {}});
        return true;
      case Opcode::bin_string:
      case Opcode::bin_unicode: push_text(reader_.read<std::uint32_t>()); return true;
      case Opcode::short_bin_string:
      case Opcode::short_bin_unicode: push_text(reader_.read<std::uint8_t>()); return true;
      default: return false;
    }
  }

  bool step_container(std::uint8_t opcode) {
    switch (static_cast<Opcode>(opcode)) {
      case Opcode::mark: push_mark(); return true;
      case Opcode::empty_tuple: push_items(Pickled::tuple, {}); return true;
      case Opcode::empty_list: push_items(Pickled::list, {}); return true;
      case Opcode::empty_dict: push_items(Pickled::dict, {}); return true;
      case Opcode::tuple: push_items(Pickled::tuple, pop_to_mark()); return true;
      case Opcode::tuple1: push_items(Pickled::tuple, pop(1)); return true;
      case Opcode::tuple2: push_items(Pickled::tuple, pop(2)); return true;
      case Opcode::tuple3: push_items(Pickled::tuple, pop(3)); return true;
      case Opcode::append: extend(Pickled::list, pop(1)); return true;
      case Opcode::append_all: extend(Pickled::list, pop_to_mark()); return true;
      case Opcode::set_item: extend(Pickled::dict, pop(2)); return true;
      case Opcode::set_items: extend(Pickled::dict, pop_to_mark()); return true;
      default: return false;
    }
  }

  bool step_memo(std::uint8_t opcode) {
    switch (static_cast<Opcode>(opcode)) {
      case Opcode::bin_put: put_memo(reader_.read<std::uint8_t>()); return true;
      case Opcode::long_bin_put: put_memo(reader_.read<std::uint32_t>()); return true;
      case Opcode::memoize: put_memo(memo_.size()); return true;
      case Opcode::bin_get: push_memo(reader_.read<std::uint8_t>()); return true;
      case Opcode::long_bin_get: push_memo(reader_.read<std::uint32_t>()); return true;
      default: return false;
    }
  }

  bool step_name(std::uint8_t opcode) {
    switch (static_cast<Opcode>(opcode)) {
      case Opcode::global: {
        const auto module = reader_.line(kLongestClassName);
        push_name(module, reader_.line(kLongestClassName));
        return true;
      }
      case Opcode::stack_global: {
        const auto names = pop(2);
        push_name(expect(names[0], Pickled::text).text, expect(names[1], Pickled::text).text);
        return true;
      }
      case Opcode::bin_persid: push_storage(pop(1)[0]); return true;
      case Opcode::reduce: reduce(); return true;
      case Opcode::build: {
        // the state of an OrderedDict (`_metadata` of a state dict) has no part in its items
        expect(pop(1)[0], Pickled::dict);
        expect(top(), Pickled::dict);
        return true;
      }
      default: return false;
    }
  }

  /// Records what the function would build.
  void reduce() {
    const auto call = pop(2);
    const auto function = static_cast<Function>(expect(call[0], Pickled::function).integer);
    const auto& arguments = expect(call[1], Pickled::tuple).items;
    const auto wants = [&](std::size_t least, std::size_t most) {
      require<FileError>(arguments.size() >= least && arguments.size() <= most,
                         "{}: a call with {} arguments ends at byte {}; wanted {} to {}", reader_.where(), arguments.size(),
                         reader_.position(), least, most);
    };
    switch (function) {
      case Function::ordered_dict:
        wants(0, 0);
        push_items(Pickled::dict, {});
        return;
      case Function::rebuild_parameter:
        wants(3, 3);
        expect(arguments[0], Pickled::tensor);
        push_ref(arguments[0]);
        return;
      case Function::rebuild_tensor: wants(4, 4); break;
      case Function::rebuild_tensor_v2: wants(6, 7); break;
    }
    expect(arguments[0], Pickled::storage);
    expect(arguments[1], Pickled::integer);
    expect(arguments[2], Pickled::tuple);
    expect(arguments[3], Pickled::tuple);
    push_items(Pickled::tensor, {arguments.begin(), arguments.begin() + 4});
  }

  void require_protocol(std::uint8_t protocol) const {
    require<FileError>(protocol >= 2 && protocol <= 5, "{}: protocol {} was given; wanted 2 to 5", reader_.where(), protocol);
  }

  [[nodiscard]] std::int64_t read_long() {
    const auto bytes = reader_.take(reader_.read<std::uint8_t>());
    require<FileError>(bytes.size() <= 8, "{}: a number of {} bytes ends at byte {}; wanted at most 8", reader_.where(), bytes.size(),
                       reader_.position());
    if (bytes.empty()) return 0;
    std::uint64_t value = (bytes.back() & std::byte{0x80}) != std::byte{0} ? ~std::uint64_t{0} : 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
    return static_cast<std::int64_t>(value);
  }

  void push_name(std::string_view module, std::string_view name) {
    const auto* found = std::ranges::find_if(kPermitted, [&](const Permitted& one) { return one.module == module && one.name == name; });
    require<FileError>(found != kPermitted.end(),
                       "{}: names {}.{} before byte {}; wanted nothing but the tensors of a state dict (nothing was run)", reader_.where(),
                       printable(module), printable(name), reader_.position());
    if (found->dtype) {
      push_number(Pickled::storage_type, static_cast<std::int64_t>(*found->dtype));
    } else {
      push_number(Pickled::function, static_cast<std::int64_t>(found->function));
    }
  }

  [[nodiscard]] static std::string printable(std::string_view text) {
    std::string result(text.substr(0, kLongestClassName));
    std::ranges::replace_if(
        result, [](char c) { return c < ' ' || c > '~'; }, '?');
    return result;
  }

  [[noreturn]] void refuse(std::uint8_t opcode) const {
    const auto* found = std::ranges::find(kRefused, opcode, &std::pair<std::uint8_t, std::string_view>::first);
    raise<FileError>("{}: opcode {:#04x}{}{} at byte {}; wanted nothing but the tensors of a state dict (nothing was run)", reader_.where(),
                     opcode, found == kRefused.end() ? "" : " ", found == kRefused.end() ? "" : found->second, reader_.position() - 1);
  }

  void push(PickleValue value) {
    require<FileError>(result_.values_.size() < kMostValues, "{}: more than {} values; wanted a state dict", reader_.where(), kMostValues);
    result_.values_.push_back(std::move(value));
    push_ref(static_cast<Ref>(result_.values_.size() - 1));
  }

  void push_ref(Ref ref) { stack_.push_back(ref); }

  void push_number(Pickled kind, std::int64_t number) { push({kind, number, {}, {}}); }

  void push_items(Pickled kind, std::vector<Ref> items) { push({kind, 0, {}, std::move(items)}); }

  void push_text(std::size_t bytes) { push({Pickled::text, 0, reader_.text(bytes), {}}); }

  /// A persistent id of torch: ('storage', type, key, location, count) and in the old form a view.
  void push_storage(Ref id) {
    const auto& items = expect(id, Pickled::tuple).items;
    require<FileError>(items.size() == 5 || items.size() == 6, "{}: a persistent id of {} items before byte {}; wanted 5 or 6",
                       reader_.where(), items.size(), reader_.position());
    push_items(Pickled::storage, items);
  }

  void push_mark() {
    require<FileError>(marks_.size() < kMostMarks, "{}: more than {} open marks; wanted a state dict", reader_.where(), kMostMarks);
    marks_.push_back(stack_.size());
  }

  void put_memo(std::size_t index) {
    require<FileError>(memo_.size() < kMostValues, "{}: more than {} memos; wanted a state dict", reader_.where(), kMostValues);
    memo_[static_cast<std::uint32_t>(index)] = top();
  }

  void push_memo(std::uint32_t index) {
    const auto found = memo_.find(index);
    require<FileError>(found != memo_.end(), "{}: reads memo {} at byte {}; wanted one that was written", reader_.where(), index,
                       reader_.position());
    push_ref(found->second);
  }

  [[nodiscard]] std::size_t above_mark() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  [[nodiscard]] std::vector<Ref> pop(std::size_t count) {
    require<FileError>(above_mark() >= count, "{}: takes {} values before byte {}; its stack has {}", reader_.where(), count,
                       reader_.position(), above_mark());
    std::vector<Ref> taken(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return taken;
  }

  [[nodiscard]] std::vector<Ref> pop_to_mark() {
    require<FileError>(!marks_.empty(), "{}: goes back to a mark before byte {}; wanted one that was set", reader_.where(),
                       reader_.position());
    auto taken = pop(above_mark());
    marks_.pop_back();
    return taken;
  }

  [[nodiscard]] Ref top() const {
    require<FileError>(above_mark() > 0, "{}: reads its empty stack before byte {}; wanted a value", reader_.where(), reader_.position());
    return stack_.back();
  }

  void extend(Pickled kind, const std::vector<Ref>& items) {
    auto& target = expect(top(), kind).items;
    require<FileError>(kind != Pickled::dict || items.size() % 2 == 0, "{}: sets {} keys and values before byte {}; wanted pairs",
                       reader_.where(), items.size(), reader_.position());
    target.insert(target.end(), items.begin(), items.end());
  }

  PickleValue& expect(Ref ref, Pickled kind) {
    auto& value = result_.values_[ref];
    require<FileError>(value.kind == kind, "{}: uses {} before byte {}; wanted {}", reader_.where(), name_of(value.kind),
                       reader_.position(), name_of(kind));
    return value;
  }

  ByteReader reader_;
  Pickle result_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, Ref> memo_;
};

Pickle Pickle::read(std::span<const std::byte> bytes, const std::string& where) { return PickleMachine(bytes, where).run(); }

std::string_view name_of(Pickled kind) noexcept {
  constexpr std::array<std::string_view, 12> kNames = {"None",   "a boolean", "an integer", "a real number",  "a text",    "a tuple",
                                                       "a list", "a dict",    "a function", "a storage type", "a storage", "a tensor"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace preamble
