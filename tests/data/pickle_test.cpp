#include "data/pickle.h"

#include <string>

#include <doctest/doctest.h>

#include "engine/core/dtype.h"
#include "engine/core/error.h"
#include "tests/data/torch_builder.h"

namespace pickle_test {

using namespace preamble;
using namespace preamble::testing::pickled;
using namespace std::string_literals;
using Kind = PickleValue::Kind;

namespace {

// values point into the bytes, so the caller keeps these
Pickle read(const std::string& bytes) { return Pickle::read(std::as_bytes(std::span(bytes)), "f"); }

void refuses(const std::string& bytes, const char* text) {
  CAPTURE(text);
  CHECK_THROWS_WITH_AS(static_cast<void>(read(bytes)), doctest::Contains(text), FileError);
}

std::int64_t integer_of(const std::string& opcodes) {
  const std::string bytes = whole(opcodes);
  const Pickle pickle = read(bytes);
  REQUIRE(pickle.root().kind == Kind::integer);
  return pickle.root().integer;
}

}  // namespace

TEST_CASE("pickle: whole numbers of every width keep their sign") {
  CHECK(integer_of("K\xFF") == 255);
  CHECK(integer_of("M\xFF\xFF") == 65535);
  CHECK(integer_of("J\xFF\xFF\xFF\xFF") == -1);
  CHECK(integer_of("\x8A\x00"s) == 0);
  CHECK(integer_of("\x8A\x01\xFF") == -1);
  CHECK(integer_of("\x8A\x02\xFF\x00"s) == 255);
  CHECK(integer_of(integer(-(std::int64_t{1} << 62))) == -(std::int64_t{1} << 62));
  refuses(whole("\x8A\x09" + std::string(9, 'x')), "f: pickle: a number of 9 bytes ends at byte 13; wanted at most 8");
}

TEST_CASE("pickle: containers and the memo build what was written") {
  const std::string bytes = whole("](" + text("a") + "q\x05" + "NK\x07\x86h\x05" + "e\x88" + "a");
  const Pickle pickle = read(bytes);
  const auto& root = pickle.root();
  CHECK(pickle.bytes() == bytes.size());
  REQUIRE(root.kind == Kind::list);
  REQUIRE(root.items.size() == 4);
  CHECK(pickle.item(root, 0).text == "a");
  CHECK(pickle.item(root, 1).kind == Kind::tuple);
  CHECK(pickle.item(pickle.item(root, 1), 1).integer == 7);
  CHECK(root.items[2] == root.items[0]);
  CHECK(pickle.item(root, 3).kind == Kind::boolean);
}

TEST_CASE("pickle: protocol 4 with frames, short texts and stacked names is read") {
  const std::string bytes =
      "\x80\x04\x95"s + testing::little(std::uint64_t{5}) + "\x8C\x05torch\x94\x8C\x0CHalfStorage"s.replace(9, 1, "\x0B") + "\x94\x93\x94.";
  const Pickle pickle = read(bytes);
  CHECK(pickle.root().kind == Kind::storage_type);
  CHECK(static_cast<Dtype>(pickle.root().integer) == Dtype::f16);
}

TEST_CASE("pickle: bytes behind the end are left alone") {
  const std::string bytes = whole("N") + "garbage";
  CHECK(read(bytes).bytes() == 4);
}

TEST_CASE("pickle: an ordered dict takes items, and its state is dropped") {
  const std::string bytes = whole(name("collections", "OrderedDict") + ")R(" + text("a") + "Nu}" + text("_metadata") + "Nsb");
  const Pickle pickle = read(bytes);
  CHECK(pickle.root().kind == Kind::dict);
  CHECK(pickle.root().items.size() == 2);
}

TEST_CASE("pickle: names that could do something are refused and named") {
  refuses(whole(name("posix", "system") + text("true") + "\x85R"),
          "f: pickle: names posix.system before byte 16; wanted nothing but the tensors");
  refuses(whole(name("builtins", "eval")), "names builtins.eval");
  refuses(whole(name("torch", "load")), "names torch.load");
  refuses(whole(name("torch._utils.os", "system")), "names torch._utils.os.system");
  refuses(whole(name("torch", "FloatStorage\x01")), "names torch.FloatStorage?");
  refuses(whole("c" + std::string(300, 'a') + "\nb\n"), "no line feed from byte 3 on; wanted one within 256 bytes");
  refuses("\x80\x04\x8C\x02os\x8C\x06system\x93.", "names os.system");
  refuses("\x80\x04NN\x93.", "uses None before byte 5; wanted a text");
}

TEST_CASE("pickle: a real number is passed over") {
  const std::string bytes = whole("(G\x3F\xE0"s + std::string(6, '\0') + "K\x01t");
  const Pickle pickle = read(bytes);
  REQUIRE(pickle.root().items.size() == 2);
  CHECK(pickle.item(pickle.root(), 0).kind == Kind::real);
  CHECK(pickle.item(pickle.root(), 1).integer == 1);
}

TEST_CASE("pickle: opcodes that a state dict does not need are refused and named") {
  refuses(whole("(ios\nsystem\n"),
          "f: pickle: opcode 0x69 INST at byte 3; wanted nothing but the tensors of a state dict (nothing was run)");
  refuses(whole("N)\x81"), "opcode 0x81 NEWOBJ at byte 4");
  refuses(whole("\x82\x01"), "opcode 0x82 EXT1 at byte 2");
  refuses(whole("N2"), "opcode 0x32 DUP at byte 3");
  refuses(whole("\xFE"), "opcode 0xfe at byte 2;");
  refuses("\x80\x01.", "protocol 1 was given; wanted 2 to 5");
}

TEST_CASE("pickle: calls of permitted names with wrong arguments are refused") {
  refuses(whole(name("collections", "OrderedDict") + "]\x85R"), "a call with 1 arguments ends at byte 30; wanted 0 to 0");
  refuses(whole(name("collections", "OrderedDict") + "]R"), "uses a list before byte 29; wanted a tuple");
  refuses(whole("N)R"), "uses None before byte 5; wanted a function");
  refuses(whole(name("torch", "FloatStorage") + ")R"), "uses a storage type before byte 24; wanted a function");
  refuses(whole(name("torch._utils", "_rebuild_parameter") + "N\x88N\x87R"), "uses None before byte 40; wanted a tensor");
  refuses(whole(name("torch._utils", "_rebuild_tensor_v2") + "(NNNNNNtR"), "uses None before byte 44; wanted a storage");
  refuses(whole("N\x85Q"), "a persistent id of 1 items before byte 5; wanted 5 or 6");
  refuses(whole("]}b"), "uses a list before byte 5; wanted a dict");
}

TEST_CASE("pickle: a broken stack, memo or end is refused") {
  refuses(whole("t"), "goes back to a mark before byte 3; wanted one that was set");
  refuses(whole("N(\x85"), "takes 1 values before byte 5; its stack has 0");
  refuses(whole("(q\x01"), "reads its empty stack before byte 5");
  refuses(whole("h\x01"), "reads memo 1 at byte 4; wanted one that was written");
  refuses(whole("}(NuN"), "sets 1 keys and values before byte 6; wanted pairs");
  refuses(whole("]N\x86"
                "a"),
          "reads its empty stack before byte 6; wanted a value");
  refuses(whole("NN"), "ends with 2 values on its stack; wanted one");
  refuses(whole("N("), "ends with 1 values on its stack; wanted one");
  refuses(whole(""), "ends with 0 values on its stack; wanted one");
  refuses("\x80\x02N", "f: pickle: ends at byte 3; wanted 1 bytes from byte 3 on");
  refuses("\x80\x02X\xFF\xFF\xFF\xFFx", "ends at byte 8; wanted 4294967295 bytes from byte 7 on");
}

TEST_CASE("pickle: neither nesting nor repetition nor cycles cost more than the bytes") {
  std::string nested = "N";
  for (int i = 0; i < 1'000'000; ++i) nested += "\x85";
  CHECK(read(whole(nested)).root().kind == Kind::tuple);
  std::string doubled = "Nq\x01";
  for (int i = 0; i < 100; ++i) doubled += "h\x01\x86q\x01";
  CHECK(read(whole(doubled)).root().kind == Kind::tuple);
  CHECK(read(whole("]q\x01h\x01"
                   "a"))
            .root()
            .kind == Kind::list);
  refuses(whole(std::string(1001, '(')), "more than 1000 open marks");
  refuses(whole(std::string((std::size_t{1} << 21U) + 1, 'N')), "more than 2097152 values");
}

}  // namespace pickle_test
