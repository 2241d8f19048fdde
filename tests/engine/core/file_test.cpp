#include "engine/core/file.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/core/error.h"
#include "tests/support/temporary_folder.h"

namespace file_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string text_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Runs `body` in a child process whose files may not grow beyond `limit` bytes: the disk is full for it alone.
/// Returns the child's exit status.
template <class F>
int with_full_disk(std::size_t limit, const F& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);  // write then fails with EFBIG
    const rlimit size{limit, limit};
    ::setrlimit(RLIMIT_FSIZE, &size);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("file: what is mapped is what was written") {
  TemporaryFolder folder;
  const auto path = folder.write("a.bin", std::string("one\0two", 7));
  const auto file = MappedFile::open(path);
  CHECK(text_of(*file) == std::string("one\0two", 7));
  CHECK(file->path() == path);
  CHECK(read_text(path) == std::string("one\0two", 7));
}

TEST_CASE("file: an empty file maps to nothing") {
  TemporaryFolder folder;
  const auto path = folder.write("empty", "");
  CHECK(MappedFile::open(path)->bytes().empty());
  CHECK(read_text(path).empty());
}

TEST_CASE("file: a map outlives the replacement of its file") {
  TemporaryFolder folder;
  const auto path = folder.write("a", "old");
  const auto file = MappedFile::open(path);
  write_atomically(path, "new and longer");
  CHECK(text_of(*file) == "old");
  CHECK(read_text(path) == "new and longer");
}

TEST_CASE("file: errors name the path and the reason") {
  TemporaryFolder folder;
  const std::string missing = (folder.path() / "missing").string();
  CHECK_THROWS_WITH_AS((void)MappedFile::open(missing), (missing + ": cannot open: No such file or directory").c_str(), FileError);
  CHECK_THROWS_WITH_AS((void)read_text(missing), (missing + ": cannot open: No such file or directory").c_str(), FileError);
  const std::string here = folder.path().string();
  CHECK_THROWS_WITH_AS((void)MappedFile::open(here), (here + ": not a regular file").c_str(), FileError);
  CHECK_THROWS_WITH_AS((void)read_text(here), (here + ": cannot read: Is a directory").c_str(), FileError);
}

TEST_CASE("write_atomically: creates a file with the usual mode and leaves nothing beside it") {
  TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_atomically(path, [](const Sink& sink) {
    for (const std::string_view piece : {"one ", "", "two"}) sink(std::as_bytes(std::span(piece)));
  });
  CHECK(read_text(path) == "one two");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a.txt"});
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat info = {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == (0666U & ~mask));
}

TEST_CASE("write_atomically: a writer that throws leaves the old file and no other") {
  TemporaryFolder folder;
  const auto path = folder.write("a.txt", "old");
  CHECK_THROWS_WITH_AS(write_atomically(path,
                                        [](const Sink& sink) {
                                          sink(std::as_bytes(std::span("half", 4)));
                                          throw std::runtime_error("changed my mind");
                                        }),
                       "changed my mind", std::runtime_error);
  CHECK(read_text(path) == "old");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a.txt"});
}

TEST_CASE("write_atomically: a full disk leaves the old file, and the error says which file and why") {
  TemporaryFolder folder;
  const auto path = folder.write("a.txt", "old");
  const std::string expected = path.string() + ": cannot write: File too large";
  const int status = with_full_disk(1 << 12, [&] {
    try {
      write_atomically(path, std::string(1 << 14, 'x'));
    } catch (const FileError& error) {
      return error.what() == expected ? 0 : 2;
    }
    return 1;
  });
  CHECK(status == 0);
  CHECK(read_text(path) == "old");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a.txt"});
}

TEST_CASE("write_atomically: a folder that does not exist, or a folder in the file's place, is an error") {
  TemporaryFolder folder;
  const std::string nowhere = (folder.path() / "no" / "a").string();
  CHECK_THROWS_WITH_AS(write_atomically(nowhere, "x"),
                       (nowhere + ": cannot create a temporary file beside it: No such file or directory").c_str(), FileError);
  const auto taken = folder.path() / "taken";
  std::filesystem::create_directory(taken);
  CHECK_THROWS_WITH_AS(write_atomically(taken, "x"), (taken.string() + ": cannot rename the temporary file to it: Is a directory").c_str(),
                       FileError);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"taken"});
}

TEST_CASE("write_atomically: a bare name goes to the working folder") {
  TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_atomically("bare", "x");
  std::filesystem::current_path(before);
  CHECK(read_text(folder.path() / "bare") == "x");
}

}  // namespace file_test
