#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "peft/initialise.h"
#include "tests/support/temporary_file.h"
#include "tests/support/values.h"

namespace npy_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A file as numpy.save writes it: the header is padded with spaces to a multiple of 64 bytes.
std::string npy(const std::string& descr, const std::string& shape, const std::string& data, char version = 1,
                const std::string& order = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  const std::size_t start = version == 1 ? 10 : 12;
  while ((start + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file = "\x93NUMPY";
  file += version;
  file += '\0';
  for (std::size_t i = 0; i < start - 8; ++i) file += static_cast<char>(header.size() >> (8 * i) & 0xFFU);
  return file + header + data;
}

Tensor read(const std::string& content) { return read_npy(TemporaryFile("rows.npy", content).path()); }

std::string message_of(const std::string& content) {
  const TemporaryFile file("rows.npy", content);
  try {
    (void)read_npy(file.path());
  } catch (const FileError& error) {
    return std::string(error.what()).substr(file.name().size());
  }
  return "no error";
}

const std::string kSix = bytes_of<float>({1, 2, 3, 4, 5, 6});

}  // namespace

TEST_CASE("npy: reads what numpy.save writes, in all versions") {
  for (const char version : {'\1', '\2', '\3'}) {
    const Tensor rows = read(npy("<f4", "(2, 3)", kSix, version));
    CHECK(rows.dtype() == Dtype::f32);
    CHECK(rows.dims() == Dims{2, 3});
    CHECK(numbers(rows) == std::vector<double>{1, 2, 3, 4, 5, 6});
  }
}

TEST_CASE("npy: doubles, numpy's default, and halves become floats") {
  CHECK(numbers(read(npy("<f8", "(1, 2)", bytes_of<double>({0.5, -2})))) == std::vector<double>{0.5, -2});
  CHECK(numbers(read(npy("<f2", "(2, 1)", bytes_of<std::uint16_t>({0x3C00, 0xC000})))) == std::vector<double>{1, -2});
}

TEST_CASE("npy: says what is wrong with any other file") {
  CHECK(message_of("") == ": no .npy file; wanted a matrix of floats");
  CHECK(message_of("PK\3\4 something else") == ": no .npy file; wanted a matrix of floats");
  CHECK(message_of(npy("<f4", "(2, 3)", kSix, 4)) == ": .npy version 4; wanted 1, 2 or 3");
  CHECK(message_of(npy("<i4", "(2, 3)", kSix)) == ": type '<i4' or Fortran order; wanted '<f2', '<f4' or '<f8' in C order");
  CHECK(message_of(npy(">f4", "(2, 3)", kSix)) == ": type '>f4' or Fortran order; wanted '<f2', '<f4' or '<f8' in C order");
  CHECK(message_of(npy("<f4", "(2, 3)", kSix, 1, "True")) == ": type '<f4' or Fortran order; wanted '<f2', '<f4' or '<f8' in C order");
  CHECK(message_of(npy("<f4", "(6,)", kSix)) == ": shape [6] and 24 bytes of numbers; wanted a matrix that fills the file");
  CHECK(message_of(npy("<f4", "(1, 2, 3)", kSix)) == ": shape [1, 2, 3] and 24 bytes of numbers; wanted a matrix that fills the file");
  CHECK(message_of(npy("<f4", "(2, 4)", kSix)) == ": shape [2, 4] and 24 bytes of numbers; wanted a matrix that fills the file");
  CHECK(message_of(npy("<f4", "(2, 3)", kSix + "x")) == ": shape [2, 3] and 25 bytes of numbers; wanted a matrix that fills the file");
  CHECK(message_of(npy("<f4", "(0, 3)", "")) == ": shape [0, 3] and 0 bytes of numbers; wanted a matrix that fills the file");
  CHECK(message_of(npy("<f4", "(-2, 3)", kSix)) == ": shape [] and 24 bytes of numbers; wanted a matrix that fills the file");
}

TEST_CASE("npy: sizes that lie neither overflow nor allocate") {
  // the product wraps round to 24 bytes
  CHECK(message_of(npy("<f4", "(4611686018427387906, 3)", kSix)) ==
        ": shape [4611686018427387906, 3] and 24 bytes of numbers; wanted a matrix that fills the file");
  std::string long_header = npy("<f4", "(2, 3)", kSix);
  long_header[9] = '\x7F';
  CHECK(message_of(long_header).find("a header of") == 2);
}

TEST_CASE("npy: every truncation is an error") {
  const std::string whole = npy("<f4", "(2, 3)", kSix);
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(message_of(whole.substr(0, size)) != "no error");
}

}  // namespace npy_test
