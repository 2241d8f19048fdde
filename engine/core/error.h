// Exceptions and checks. Every message reads `where: what was given; what was wanted`.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace preamble {

/// Base of everything that `preamble` throws on purpose: a mistake of the caller, a file, or the machine.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes that do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// An element type that an operation or a file format does not take.
class DtypeError : public Error {
 public:
  using Error::Error;
};

/// Something that exists in the field but not here (a backend without a kernel, an unknown architecture).
class UnsupportedError : public Error {
 public:
  using Error::Error;
};

/// A file that cannot be read, written or trusted.
class FileError : public Error {
 public:
  using Error::Error;
};

/// A configuration or an option with a wrong value.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// The accelerator or its driver failed.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// Throws `E` with the formatted message.
template <class E, class... Args>
[[noreturn]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws `E` with the formatted message unless `condition` holds. The format string is checked at compile time.
template <class E, class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw E(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace preamble
